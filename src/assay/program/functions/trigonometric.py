"""sin and cos.

|x| = k·π/2 + (h + l) with |h| <= π/4 (Cody and Waite 1980; the products are split exactly by fma, the remainder is a
double-float), then a minimax polynomial picked by k mod 4. A first reduction by multiples of 2^20·π/2, which leaves
|x| < 2^19 untouched, carries the range to 2^42; beyond it the result is NaN. Coefficients: see exponential.py.
"""

from __future__ import annotations

from typing import TypeVar

from .ops import Ops
from .polynomial import floats, horner

__all__ = ["cos", "sin"]

V = TypeVar("V")

NAN = 0x7FC00000
LIMIT = 2.0**42
HALF_PI = floats("0x1.921fb6p0 -0x1.777a5cp-25 -0x1.ee59dap-50")  # sum of three floats
TWO_OVER_PI = float.fromhex("0x1.45f306p-1")

# (sin(h) - h) / h^3 in h^2 and (cos(h) - 1 + h^2/2) / h^4 in h^2, |h| <= 0.8; relative errors 2^-32
SIN = floats("-0x1.555556p-3 0x1.111170p-7 -0x1.a053f2p-13 0x1.7a86b2p-19")
COS = floats("0x1.555548p-5 -0x1.6c0af4p-10 0x1.99911cp-16")


def _reduce(o: Ops[V], x: V, rest: V | None, unit: float) -> tuple[V, V, V]:
    """(k, h, l): x + rest = k·unit·π/2 + (h + l), k the nearest integer."""
    c1, c2, c3 = (c * unit for c in HALF_PI)
    k = o.round(o.mul(x, o.f32(TWO_OVER_PI / unit)))
    a = o.fma(k, o.f32(-c1), x)  # exact
    b = o.mul(k, o.f32(-c2))
    b_lo = o.fma(k, o.f32(-c2), o.neg(b))
    h = o.add(a, b)
    v = o.sub(h, a)
    lost = o.add(o.sub(a, o.sub(h, v)), o.sub(b, v))  # two-sum, Knuth
    l = o.fma(k, o.f32(-c3), o.add(lost, b_lo))
    if rest is not None:
        l = o.add(l, rest)
    top = o.add(h, l)
    return k, top, o.sub(l, o.sub(top, h))


def _sin_or_cos(o: Ops[V], x: V, turn: int) -> tuple[V, V]:
    """(y, q): y = sin(h) or cos(h) as the quarter q = k + turn is even or odd, for the remainder h of |x|."""
    a = o.abs(x)
    _, far, rest = _reduce(o, a, None, 2.0**20)
    k, h, l = _reduce(o, far, rest, 1.0)
    quarter = o.iadd(o.to_int(k), o.i32(turn)) if turn else o.to_int(k)
    z = o.mul(h, h)
    sine = o.add(h, o.fma(o.mul(h, z), horner(o, z, SIN), l))
    half = o.mul(z, o.f32(0.5))
    w = o.sub(o.f32(1.0), half)
    lost = o.fma(o.neg(h), l, o.sub(o.sub(o.f32(1.0), w), half))
    cosine = o.add(w, o.fma(o.mul(z, z), horner(o, z, COS), lost))
    odd = o.eq(o.to_float(o.iand(quarter, o.i32(1))), o.f32(1.0))
    y = o.select(odd, cosine, sine)
    return o.select(o.lt(a, o.f32(LIMIT)), y, o.f32(NAN)), quarter


def _negate_if(o: Ops[V], y: V, bit: V) -> V:
    """y with its sign flipped where bit 1 of the integer `bit` is set."""
    return o.from_bits(o.ixor(o.bits(y), o.ishl(o.iand(bit, o.i32(2)), o.i32(30))))


def sin(o: Ops[V], x: V) -> V:
    """The sine of x radians; odd by construction."""
    y, quarter = _sin_or_cos(o, x, 0)
    y = _negate_if(o, y, quarter)
    return o.from_bits(o.ixor(o.bits(y), o.iand(o.bits(x), o.i32(-(2**31)))))


def cos(o: Ops[V], x: V) -> V:
    """The cosine of x radians."""
    return _negate_if(o, *_sin_or_cos(o, x, 1))
