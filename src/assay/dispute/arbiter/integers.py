"""Integer operations of exact-1 on Python integers; the caller wraps what they give into the type."""

from __future__ import annotations

from collections.abc import Callable

from ...program.types import DType

__all__ = ["OPERATIONS", "ORDER", "bounds", "shift", "signed", "wrapped"]


def bounds(dtype: DType) -> tuple[int, int]:
    """The least and the greatest value of an integer type."""
    return (-(1 << (dtype.bits - 1)), (1 << (dtype.bits - 1)) - 1) if dtype.is_signed else (0, (1 << dtype.bits) - 1)


def signed(bits: int, dtype: DType) -> int:
    """The number that bits stand for."""
    return bits - (1 << dtype.bits) if dtype.is_signed and bits >> (dtype.bits - 1) else bits


def wrapped(number: int, dtype: DType) -> int:
    """Bits of a number modulo 2^width."""
    return number & ((1 << dtype.bits) - 1)


def shift(op: str, a: int, n: int, dtype: DType) -> int:
    """`shl` or `shr` of the number a by the unsigned amount n."""
    if op == "shl":
        return a << n if n < dtype.bits else 0
    return a >> min(n, dtype.bits)


def _quotient(a: int, b: int) -> int:
    """Toward zero; by zero 0."""
    if not b:
        return 0
    size = abs(a) // abs(b)
    return size if (a < 0) == (b < 0) else -size


OPERATIONS: dict[str, Callable[..., int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": _quotient,
    "mod": lambda a, b: a % b if b else 0,
    "rem": lambda a, b: a - b * _quotient(a, b) if b else 0,
    "fma": lambda a, b, c: a * b + c,
    "neg": lambda a: -a,
    "abs": abs,
    "sign": lambda a: (a > 0) - (a < 0),
    "min": min,
    "max": max,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "not": lambda a: ~a,
}
ORDER: dict[str, Callable[[int, int], bool]] = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
}
