"""Powers and remainders that are more than one scalar operation."""

from __future__ import annotations

import math

import numpy as np

from ..types import DType
from .context import Context, broadcast
from .elementwise import cast, same_type
from .formula import Real
from .node import Node, lowers
from .value import Value

__all__: list[str] = []

_EXACT = 2.0**24
"""Quotients below this have an integer part that binary32 holds: the remainder is then exact."""


@lowers("Mod")
def mod(ctx: Context, node: Node) -> Value:
    """Integers: the sign of the divisor, or with fmod=1 that of the dividend. Floats: exact where |x / y| < 2^24, else NaN."""
    dtype = same_type(node, node[0], node[1])
    fmod = bool(node.integer("fmod", 0))
    if not dtype.is_float:
        return ctx.map("rem" if fmod else "mod", node[0], node[1], dtype=dtype)
    x, y = Real(ctx, node[0]), Real(ctx, node[1])
    rest = _remainder(x, y)
    if not fmod:  # the sign of the divisor, also of a zero
        other = ctx.map("ne", rest.test("lt", 0.0), y.test("lt", 0.0))
        zero = (y * 0.0).where(y.test("lt", math.inf), 0.0)
        zero = zero.where(y.test("gt", -math.inf), -0.0)
        rest = zero.where(rest.test("eq", 0.0), (rest + y).where(other, rest))
    return cast(ctx, rest.value, dtype)


def _remainder(x: Real, y: Real) -> Real:
    """x - y·trunc(x / y) with the sign of x: the rounded quotient may be one too large, which shows in the sign."""
    quotient = (x / y).op("trunc")
    rest = (-quotient).fma(y, x)
    wrong = (rest * x.op("sign")).test("lt", 0.0)
    size = y.op("abs")
    back = (rest - size).where(rest.test("gt", 0.0), rest + size)
    rest = back.where(wrong, rest)
    far = rest.op("abs").test("ge", size)  # one too small
    nearer = (rest - size).where(rest.test("gt", 0.0), rest + size)
    rest = nearer.where(far, rest)
    rest = rest.where(quotient.op("abs").test("lt", _EXACT), math.nan)
    rest = (x * 0.0).where(rest.test("eq", 0.0), rest)
    endless = x.ctx.map("and", y.test("isinf"), x.op("abs").test("lt", math.inf))
    return x.where(endless, rest)


@lowers("Pow")
def power(ctx: Context, node: Node) -> Value:
    """The function pow; constant exponents 2 and 3 are x·x and (x·x)·x, 0.5 is sqrt; integers are multiplied out (below 0: 0)."""
    x, y = node[0], node[1]
    known = _one_constant(ctx, y)
    if known is not None and known in (2, 3) and x.dtype is not DType.BOOL:
        x = x.expand(broadcast(x.shape, y.shape))
        square = ctx.map("mul", x, x, dtype=x.dtype)
        return square if known == 2 else ctx.map("mul", square, x, dtype=x.dtype)
    if not x.dtype.is_float:
        if DType.BOOL in (x.dtype, y.dtype):
            node.refuse(f"{x.dtype} to the power of {y.dtype}")
        return _rounded_power(ctx, x, y) if y.dtype.is_float else _integer_power(ctx, x, y)
    if known == 0.5:
        return ctx.map("sqrt", x.expand(broadcast(x.shape, y.shape)), dtype=x.dtype)
    return ctx.map("pow", x, y if y.dtype.is_float else cast(ctx, y, DType.FLOAT32), dtype=x.dtype)


def _one_constant(ctx: Context, value: Value) -> float | None:
    """The number, where a value is one constant repeated."""
    if ctx.literal(value) is None:
        return None
    return float(ctx.constants[value.tensor].reshape(()))


def _rounded_power(ctx: Context, x: Value, y: Value) -> Value:
    """pow in binary32, to the next integer where that is within 2^-20 of it, else toward zero."""
    result = Real(ctx, x).op("pow", Real(ctx, y))
    near = result.op("round")
    close = (result - near).op("abs").test("le", near.op("abs") * 2.0**-20)
    return cast(ctx, near.where(close, result).value, x.dtype)


def _integer_power(ctx: Context, x: Value, y: Value) -> Value:
    """Square and multiply over the exponent's bits, wrapping; a negative exponent gives 0, or x for x = ±1 and odd y."""
    signed = y.dtype.is_signed
    known = ctx.known(y)
    bits = y.dtype.bits - signed
    if known is not None:
        bits = max(1, int(np.max(np.abs(known.astype(object)), initial=1)).bit_length())
    one, zero = ctx.scalar(1, x.dtype), ctx.scalar(0, x.dtype)
    result, square = one, x
    for bit in range(bits):
        odd = ctx.map("and", ctx.map("shr", y, ctx.scalar(bit, y.dtype), dtype=y.dtype), ctx.scalar(1, y.dtype))
        taken = ctx.map("ne", odd, ctx.scalar(0, y.dtype), dtype=DType.BOOL)
        result = ctx.map("select", taken, ctx.map("mul", result, square, dtype=x.dtype), result, dtype=x.dtype)
        if bit + 1 < bits:
            square = ctx.map("mul", square, square, dtype=x.dtype)
    if not signed:
        return result
    below = ctx.map("lt", y, ctx.scalar(0, y.dtype))
    odd = ctx.map("and", y, ctx.scalar(1, y.dtype), dtype=y.dtype)
    kept = ctx.map("eq", x, one)
    small = ctx.map("select", kept, one, zero, dtype=x.dtype)
    if x.dtype.is_signed:
        minus = ctx.map("eq", x, ctx.scalar(-1, x.dtype))
        sign = ctx.map(
            "select", ctx.map("ne", odd, ctx.scalar(0, y.dtype)), ctx.scalar(-1, x.dtype), one, dtype=x.dtype
        )
        small = ctx.map("select", minus, sign, small, dtype=x.dtype)
    return ctx.map("select", below, small, result, dtype=x.dtype)
