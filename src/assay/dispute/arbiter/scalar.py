"""One scalar operation of exact-1 on bits (docs/numerics.md, section 4), as the contract `arithmetic` decides it."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import UnsupportedOperator
from ...program.functions import FUNCTIONS
from ...program.scalar import OPS
from ...program.types import DType
from . import floats, integers
from .named import BitOps

__all__ = ["apply", "store", "widen"]


def apply(op: str, kind: DType, out: DType, *operands: int) -> int:
    """One scalar operation of OPS but `first`, which asks where operands lie.

    `kind` is the operands' type after widening: float32 for every float, but for `bitcast`, which takes what is stored;
    for `select` the type of the last two. `out` is the kernel's type, which decides what `cast` and `bitcast` give.
    Operands are bits, the accumulator of a fold the last one. The result is the bits of a binary32 (which `store`
    rounds) with the one NaN, an integer's bits, or 0 or 1. Raises UnsupportedOperator if the operation does not exist
    for the types.
    """
    shape = OPS.get(op)
    domain = "f" if kind.is_float else "b" if kind is DType.BOOL else "i"
    if shape is None or op == "first" or domain not in shape.domain or len(operands) != shape.arity:
        raise UnsupportedOperator(f"{op} of {len(operands)} operands is not defined on {kind}", op=op, dtype=kind)
    if op == "bitcast":
        return _bitcast(kind, out, operands[0])
    if kind in (DType.FLOAT16, DType.BFLOAT16):
        raise UnsupportedOperator(f"{op} sees {kind} only as float32", op=op, dtype=kind)
    if op == "cast":
        return _cast(kind, out, operands[0])
    if op in ("select", "copy"):
        value = operands[0] if op == "copy" else operands[1] if operands[0] else operands[2]
        return floats.canonical(value) if domain == "f" else value
    if op in FUNCTIONS:
        return floats.canonical(FUNCTIONS[op](BitOps(), *operands))
    if domain == "f":
        return int(FLOAT[op](*operands))
    return BOOL[op](*operands) if domain == "b" else _integer(op, kind, operands)


def widen(dtype: DType, bits: int) -> int:
    """What an operation sees of a stored element: float16 and bfloat16 as binary32, a bool of any byte but 0 as 1."""
    if dtype in (DType.FLOAT16, DType.BFLOAT16):
        return floats.convert(bits, floats.FORMATS[dtype], floats.SINGLE)
    return int(bits != 0) if dtype is DType.BOOL else bits


def store(dtype: DType, value: int) -> int:
    """The bits that a kernel of type `dtype` writes for a value: a binary32 is rounded to the type, with its one NaN."""
    return floats.convert(value, floats.SINGLE, floats.FORMATS[dtype]) if dtype.is_float else value


def _bitcast(kind: DType, out: DType, bits: int) -> int:
    if kind.bits != out.bits or DType.BOOL in (kind, out):
        raise UnsupportedOperator(f"bitcast from {kind} to {out}", op="bitcast", dtype=out)
    return floats.canonical(widen(out, bits)) if out.is_float else bits


def _cast(kind: DType, out: DType, a: int) -> int:
    if kind.is_float:
        if out.is_float:
            return floats.canonical(a)
        if out is DType.BOOL:
            return int(not floats.equal(a, 0))
        return integers.wrapped(floats.to_integer(a, *integers.bounds(out)), out)
    number = integers.signed(a, kind)
    if out.is_float:
        return floats.from_integer(number)
    return int(number != 0) if out is DType.BOOL else integers.wrapped(number, out)


def _integer(op: str, kind: DType, operands: tuple[int, ...]) -> int:
    numbers = [integers.signed(a, kind) for a in operands]
    if op in integers.ORDER:
        return int(integers.ORDER[op](*numbers))
    if op in ("shl", "shr"):
        return integers.wrapped(integers.shift(op, numbers[0], operands[1], kind), kind)
    return integers.wrapped(integers.OPERATIONS[op](*numbers), kind)


def _first_if(better: Callable[[int, int], bool]) -> Callable[[int, int], int]:
    """a if it is better than b or NaN, else b."""
    return lambda a, b: floats.canonical(a if floats.is_nan(a) or better(a, b) else b)


FLOAT: dict[str, Callable[..., int]] = {
    "add": floats.add,
    "sub": floats.sub,
    "mul": floats.mul,
    "div": floats.div,
    "fma": floats.fma,
    "sqrt": floats.sqrt,
    "neg": lambda a: floats.canonical(a ^ floats.SIGN),
    "abs": lambda a: floats.canonical(a & ~floats.SIGN),
    "sign": floats.sign,
    "floor": lambda a: floats.integral(a, "floor"),
    "ceil": lambda a: floats.integral(a, "ceil"),
    "round": lambda a: floats.integral(a, "round"),
    "trunc": lambda a: floats.integral(a, "trunc"),
    "min": _first_if(floats.less),
    "max": _first_if(lambda a, b: floats.less(b, a)),
    "lt": floats.less,
    "le": lambda a, b: floats.less(a, b) or floats.equal(a, b),
    "gt": lambda a, b: floats.less(b, a),
    "ge": lambda a, b: floats.less(b, a) or floats.equal(a, b),
    "eq": floats.equal,
    "ne": lambda a, b: not floats.equal(a, b),
    "isnan": floats.is_nan,
    "isinf": floats.is_infinite,
}
BOOL: dict[str, Callable[..., int]] = {
    "and": lambda a, b: a & b,
    "min": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "max": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "ne": lambda a, b: a ^ b,
    "eq": lambda a, b: int(a == b),
    "not": lambda a: 1 - a,
}
