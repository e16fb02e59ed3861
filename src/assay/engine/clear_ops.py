"""Every scalar operation of exact-1 on numpy arrays, with its total semantics (docs/numerics.md, scalar operations)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import UnsupportedOperator
from ..program.functions import FUNCTIONS
from ..program.types import DType
from .clear_float import Array, NumpyOps, fma, to_integer, widen

__all__ = ["apply"]

OPERATIONS = NumpyOps()


def apply(op: str, operands: Sequence[Array], dtype: DType) -> Array:
    """One scalar operation. Floats are computed as float32; the caller stores the result as `dtype` (`store`).

    Operands broadcast. `first` is not here: it asks where its operands lie, which is the reader's affair.
    """
    if op == "bitcast":
        return np.asarray(operands[0]).view(dtype.numpy)
    x = [widen(np.asarray(operand)) for operand in operands]
    if op == "cast":
        return _cast(x[0], dtype)
    if op in FUNCTIONS:
        return np.asarray(FUNCTIONS[op](OPERATIONS, *x))
    table = FLOAT if x[-1].dtype.kind == "f" else BOOL if x[-1].dtype.kind == "b" else INTEGER
    function = table.get(op) or ANY.get(op)
    if function is None:
        raise UnsupportedOperator(f"{op} is not defined on {x[-1].dtype}", op=op, dtype=str(x[-1].dtype))
    return np.asarray(function(*x))


def _cast(x: Array, dtype: DType) -> Array:
    if dtype is DType.BOOL:
        return x != 0
    if dtype.is_float:
        return x.astype(np.float32)
    return to_integer(x, dtype) if x.dtype.kind == "f" else x.astype(dtype.numpy)


def _min(a: Array, b: Array) -> Array:
    return np.where((a < b) | (a != a), a, b)


def _max(a: Array, b: Array) -> Array:
    return np.where((a > b) | (a != a), a, b)


def _sign(a: Array) -> Array:
    one = a.dtype.type(1)
    return np.where(a > 0, one, np.where(a < 0, np.negative(one), a))


def _is_minus_one(b: Array) -> Array:
    return (b == -1) if b.dtype.kind == "i" else np.zeros(b.shape, bool)


def _divide(a: Array, b: Array) -> Array:
    """Toward zero; by zero 0; the least number by -1 is itself, as negation wraps."""
    minus = _is_minus_one(b)
    safe = np.where((b == 0) | minus, b.dtype.type(1), b)
    quotient = np.floor_divide(a, safe)
    toward_zero = (quotient < 0) & (np.multiply(quotient, safe) != a)
    quotient = np.where(toward_zero, quotient + a.dtype.type(1), quotient)
    return np.where(b == 0, a.dtype.type(0), np.where(minus, np.negative(a), quotient))


def _modulo(a: Array, b: Array) -> Array:
    """The sign of the divisor; modulo zero 0."""
    safe = np.where((b == 0) | _is_minus_one(b), b.dtype.type(1), b)
    return np.mod(a, safe)


def _remainder(a: Array, b: Array) -> Array:
    """The sign of the dividend; by zero 0."""
    safe = np.where((b == 0) | _is_minus_one(b), b.dtype.type(1), b)
    return np.fmod(a, safe)


def _shift(a: Array, b: Array, shift: Callable[[Array, Array], Array], far: Array) -> Array:
    """The amount counts as unsigned; `far` is the result for the width or more."""
    width = a.dtype.itemsize * 8
    amount = np.asarray(b).view(f"u{a.dtype.itemsize}")
    near = np.where(amount < width, amount, 0).astype(a.dtype)
    return np.where(amount < width, shift(a, near), far)


def _shift_left(a: Array, b: Array) -> Array:
    return _shift(a, b, np.left_shift, np.zeros((), a.dtype))


def _shift_right(a: Array, b: Array) -> Array:
    return _shift(a, b, np.right_shift, np.where(a < 0, np.invert(a.dtype.type(0)), a.dtype.type(0)))


ANY: dict[str, Callable[..., Array]] = {
    "min": _min,
    "max": _max,
    "eq": np.equal,
    "ne": np.not_equal,
    "select": np.where,
    "copy": lambda a: a,
}
ORDER: dict[str, Callable[..., Array]] = {
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "neg": np.negative,
    "abs": np.abs,
    "sign": _sign,
}
FLOAT = ORDER | {
    "div": np.divide,
    "fma": fma,
    "sqrt": np.sqrt,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.rint,
    "trunc": np.trunc,
    "isnan": np.isnan,
    "isinf": np.isinf,
}
BITS: dict[str, Callable[..., Array]] = {
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "xor": np.bitwise_xor,
    "not": np.invert,
}
INTEGER = (
    ORDER
    | BITS
    | {
        "div": _divide,
        "mod": _modulo,
        "rem": _remainder,
        "fma": lambda a, b, c: a * b + c,
        "shl": _shift_left,
        "shr": _shift_right,
    }
)
BOOL = BITS
