"""exp, sigmoid, tanh and erf.

All use x = n·ln 2 + r with |r| <= ln 2 / 2 (Cody and Waite 1980), a minimax polynomial in r and a power of two made
by integer shifts. Coefficients: minimax fits, rounded to binary32 one by one from the lowest power up while the rest
is fitted again (bench/coefficients.py); the erf split at 0.93 follows N. Juffa's public erff.
"""

from __future__ import annotations

from typing import TypeVar

from .ops import Ops
from .polynomial import floats, horner

__all__ = ["erf", "exp", "reduce_exp", "scale_twice", "sigmoid", "tanh"]

V = TypeVar("V")

MAGIC = 1.5 * 2.0**23  # adding it rounds a number below 2^22 to an integer, which then sits in the low bits
LOG2_E = float.fromhex("0x1.715476p0")
LN2_HI = float.fromhex("0x1.62e430p-1")
LN2_LO = float.fromhex("-0x1.05c610p-29")

# exp(r) on |r| <= 0.347; relative error 2^-28.2
EXP = floats("0x1p0 0x1p0 0x1.fffffcp-2 0x1.555492p-3 0x1.5558b4p-5 0x1.1239a0p-7 0x1.6a4960p-10")
# (tanh(x) - x) / x^3 in x^2, x <= 0.625; relative error of tanh 2^-27.7
TANH_SPLIT = 0.625
TANH_NEAR = floats("-0x1.555532p-2 0x1.1106fcp-3 -0x1.b83738p-5 0x1.5207b8p-6 -0x1.75619ap-8")
ERF_SPLIT = 0.9296875
# (erf(x) - x) / x in x^2, x <= 0.93; relative error 2^-25.8
ERF_NEAR = floats("0x1.06eba6p-3 -0x1.8126e2p-2 0x1.ce1986p-4 -0x1.b67c04p-6 0x1.46d9e2p-8 -0x1.38741cp-11")
# log(1 - erf(x)) / x, 0.92 <= x <= 4; absolute error of erf 2^-30.4
ERF_FAR = floats(
    "-0x1.20ef5ap0 -0x1.453082p-1 -0x1.b34150p-4 0x1.85b406p-6 -0x1.deeba0p-9 0x1.557f56p-12 -0x1.82b346p-17"
)


def reduce_exp(o: Ops[V], x: V) -> tuple[V, V]:
    """(z, r) with x = n·ln 2 + r; n is in the low bits of z = MAGIC + n. Needs |x| < 2^21."""
    magic = o.f32(MAGIC)
    z = o.fma(x, o.f32(LOG2_E), magic)
    n = o.sub(z, magic)
    return z, o.fma(n, o.f32(-LN2_LO), o.fma(n, o.f32(-LN2_HI), x))


def scale_twice(o: Ops[V], p: V, z: V) -> V:
    """p·2^n for -150 <= n <= 129, in two steps of which only the second can round."""
    one, bias, shift = o.i32(1), o.i32(127), o.i32(23)
    n = o.bits(z)
    half = o.ishr(n, one)
    first = o.from_bits(o.ishl(o.iadd(half, bias), shift))
    second = o.from_bits(o.ishl(o.iadd(o.isub(n, half), bias), shift))
    return o.mul(o.mul(p, first), second)


def _power(o: Ops[V], z: V, bias: int = 127) -> V:
    """2^n for -126 <= n <= 127; with bias 383, -2^n."""
    return o.from_bits(o.ishl(o.iadd(o.bits(z), o.i32(bias)), o.i32(23)))


def _at_most(o: Ops[V], x: V, limit: float) -> V:
    """The smaller one; NaN passes."""
    return o.select(o.gt(x, o.f32(limit)), o.f32(limit), x)


def _at_least(o: Ops[V], x: V, limit: float) -> V:
    return o.select(o.lt(x, o.f32(limit)), o.f32(limit), x)


def _exp_above(o: Ops[V], x: V) -> V:
    """exp(x) for x <= 89; below -104 it is 0."""
    z, r = reduce_exp(o, _at_least(o, x, -104.0))
    return scale_twice(o, horner(o, r, EXP), z)


def exp(o: Ops[V], x: V) -> V:
    """e^x."""
    return _exp_above(o, _at_most(o, x, 89.0))


def sigmoid(o: Ops[V], x: V) -> V:
    """1 / (1 + e^-x), from e = e^-|x| so that nothing overflows; corrected for the rounding of 1 + e."""
    one = o.f32(1.0)
    e = _exp_above(o, o.neg(o.abs(x)))
    top = o.select(o.lt(x, o.f32(0.0)), e, one)
    below = o.add(e, one)
    below_lo = o.sub(e, o.sub(below, one))
    inverse = o.div(one, below)
    y = o.mul(top, inverse)
    minus = o.neg(y)
    rest = o.fma(minus, below_lo, o.fma(minus, below, top))
    return o.fma(rest, inverse, y)


def tanh(o: Ops[V], x: V) -> V:
    """x + x·P(x^2) near 0, else 1 - 2 / (e^2|x| + 1)."""
    one = o.f32(1.0)
    a = o.abs(x)
    square = o.mul(a, a)
    near = o.fma(o.mul(horner(o, square, TANH_NEAR), square), a, a)
    t = _at_most(o, a, 10.0)
    z, r = reduce_exp(o, o.add(t, t))
    below = o.fma(horner(o, r, EXP), _power(o, z), one)
    far = o.sub(one, o.div(o.f32(2.0), below))
    return _with_sign_of(o, o.select(o.gt(a, o.f32(TANH_SPLIT)), far, near), x)


def erf(o: Ops[V], x: V) -> V:
    """The error function: x + x·P(x^2) near 0, else 1 - e^Q(|x|)."""
    a = o.abs(x)
    square = o.mul(a, a)
    near = o.fma(horner(o, square, ERF_NEAR), a, a)
    t = _at_most(o, a, 4.0)
    z, r = reduce_exp(o, o.mul(horner(o, t, ERF_FAR), t))
    far = o.fma(horner(o, r, EXP), _power(o, z, 383), o.f32(1.0))
    return _with_sign_of(o, o.select(o.gt(a, o.f32(ERF_SPLIT)), far, near), x)


def _with_sign_of(o: Ops[V], magnitude: V, x: V) -> V:
    """`magnitude` (sign bit 0, or NaN) with the sign of x."""
    return o.from_bits(o.ior(o.bits(magnitude), o.iand(o.bits(x), o.i32(-(2**31)))))
