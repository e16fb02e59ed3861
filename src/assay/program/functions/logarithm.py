"""log and pow.

pow is e^(y·log|x|) with log|x| as an unevaluated sum hi + lo (double-float, Dekker 1971), through
log m = 2·atanh((m - 1) / (m + 1)). Coefficients: see exponential.py.
"""

from __future__ import annotations

import math
from typing import TypeVar

from .exponential import EXP, LN2_HI, LN2_LO, reduce_exp, scale_twice
from .ops import Ops
from .polynomial import floats, horner

__all__ = ["log", "pow"]

V = TypeVar("V")

NAN = 0x7FC00000
TWO_THIRDS = 0x3F2AAAAB  # bits
SQRT_HALF = 0x3F3504F3  # bits

# (log(1 + f) - f + f^2/2) / f^3 on |f| <= 1/3; relative error of log 2^-27.7
LOG = floats(
    "0x1.555506p-2 -0x1.fffefap-3 0x1.99d05cp-3 -0x1.559c2ep-3 0x1.1ed452p-3 -0x1.f33c72p-4"
    " 0x1.1e72a0p-3 -0x1.07aa38p-3"
)
# (atanh(q) - q) / q^3 in q^2, q <= 0.1717; relative error of atanh 2^-35.2
ATANH = floats("0x1.555554p-2 0x1.999c26p-3 0x1.23d3e8p-3 0x1.f138bep-4")


def _split(o: Ops[V], x: V, base: int) -> tuple[V, V]:
    """(m, e) with x = m·2^e, e a float, m between the float with bits `base` and its double. Needs 0 < x < inf."""
    small = o.lt(x, o.f32(2.0**-126))
    scaled = o.select(small, o.mul(x, o.f32(2.0**23)), x)
    bits = o.bits(scaled)
    exponent = o.iand(o.isub(bits, o.i32(base)), o.i32(-(2**23)))
    shift = o.select(small, o.f32(-23.0), o.f32(0.0))
    return o.from_bits(o.isub(bits, exponent)), o.fma(o.to_float(exponent), o.f32(2.0**-23), shift)


def log(o: Ops[V], x: V) -> V:
    """The natural logarithm; log(±0) = -inf, log of a negative number is NaN."""
    m, e = _split(o, x, TWO_THIRDS)
    f = o.sub(m, o.f32(1.0))
    square = o.mul(f, f)
    p = o.fma(o.fma(horner(o, f, LOG), f, o.f32(-0.5)), square, f)
    y = o.fma(e, o.f32(LN2_HI), p)
    y = o.select(o.lt(x, o.f32(math.inf)), y, x)  # inf and NaN
    y = o.select(o.eq(x, o.f32(0.0)), o.f32(-math.inf), y)
    return o.select(o.lt(x, o.f32(0.0)), o.f32(NAN), y)


def _log_pair(o: Ops[V], x: V) -> tuple[V, V]:
    """log x as hi + lo, relative error about 2^-30. Needs 0 < x < inf."""
    m, e = _split(o, x, SQRT_HALF)
    # q + q_lo = (m - 1) / (m + 1)
    f, r = o.sub(m, o.f32(1.0)), o.div(o.f32(1.0), o.add(m, o.f32(1.0)))
    q = o.mul(f, r)
    q_lo = o.mul(r, o.fma(q, o.neg(f), o.fma(q, o.f32(-2.0), f)))
    # s + s_lo = q^2, c + c_lo = q^3
    s = o.mul(q, q)
    s_lo = o.fma(q, o.add(q_lo, q_lo), o.fma(q, q, o.neg(s)))
    c = o.mul(s, q)
    c_lo = o.fma(s, q_lo, o.fma(s_lo, q, o.fma(s, q, o.neg(c))))
    p = horner(o, s, ATANH)
    tail = o.fma(p, c, o.fma(p, c_lo, q_lo))
    # 2·(q + tail) + e·ln 2
    twice = o.add(q, q)
    t = o.fma(e, o.f32(LN2_HI), twice)
    lost = o.sub(twice, o.fma(e, o.f32(-LN2_HI), t))
    low = o.fma(e, o.f32(LN2_LO), o.fma(o.f32(2.0), tail, lost))
    hi = o.add(t, low)
    return hi, o.add(o.sub(t, hi), low)


def _exp_pair(o: Ops[V], hi: V, lo: V) -> V:
    """e^(hi + lo)."""
    high, low = o.gt(hi, o.f32(90.0)), o.lt(hi, o.f32(-105.0))
    x = o.select(high, o.f32(90.0), o.select(low, o.f32(-105.0), hi))
    z, r = reduce_exp(o, x)
    r = o.add(r, o.select(o.bor(high, low), o.f32(0.0), lo))
    return scale_twice(o, horner(o, r, EXP), z)


def pow(o: Ops[V], x: V, y: V) -> V:
    """x^y, with the special cases of IEEE 754-2019 section 9.2.1."""
    zero, one = o.f32(0.0), o.f32(1.0)
    a = o.abs(x)
    finite = o.lt(a, o.f32(math.inf))
    hi, lo = _log_pair(o, a)
    hi = o.select(finite, o.select(o.eq(a, zero), o.f32(-math.inf), hi), a)
    product = o.mul(hi, y)
    rest = o.fma(lo, y, o.fma(hi, y, o.neg(product)))
    magnitude = _exp_pair(o, product, rest)
    magnitude = o.select(o.eq(a, one), one, magnitude)
    # a negative base: the sign of an odd power, and no real value for a fractional one
    half = o.mul(y, o.f32(0.5))
    whole = o.eq(o.floor(y), y)
    odd = o.band(whole, o.bnot(o.eq(o.floor(half), half)))
    sign = o.select(odd, o.i32(-(2**31)), o.i32(0))
    value = o.from_bits(o.ixor(o.bits(magnitude), o.iand(o.bits(x), sign)))
    real = o.bor(whole, o.bnot(o.band(o.lt(x, zero), finite)))
    return o.select(o.eq(y, zero), one, o.select(real, value, o.f32(NAN)))
