"""IEEE 754 on Python integers: a finite number is an integer times a power of two, exactly, until it is rounded once.

Unless a format is named, floats are binary32, as their bits. Every NaN that comes out is the canonical one.
"""

from __future__ import annotations

from math import isqrt
from typing import NamedTuple

from ...program.types import DType

__all__ = [
    "FORMATS",
    "INFINITY",
    "NAN",
    "ONE",
    "Format",
    "add",
    "canonical",
    "convert",
    "div",
    "equal",
    "fma",
    "from_integer",
    "integral",
    "is_infinite",
    "is_nan",
    "less",
    "mul",
    "sign",
    "sqrt",
    "sub",
    "to_integer",
]


class Format(NamedTuple):
    """A binary interchange format: stored bits of the significand, and bits of the exponent."""

    fraction: int
    exponent: int

    @property
    def sign(self) -> int:
        """The sign bit."""
        return 1 << (self.fraction + self.exponent)

    @property
    def infinity(self) -> int:
        """Bits of +∞."""
        return ((1 << self.exponent) - 1) << self.fraction

    @property
    def nan(self) -> int:
        """Bits of the one NaN: quiet, without payload, positive."""
        return self.infinity | 1 << (self.fraction - 1)

    @property
    def least(self) -> int:
        """The exponent (of two) of the smallest positive number."""
        return 2 - (1 << (self.exponent - 1)) - self.fraction


FORMATS = {DType.FLOAT32: Format(23, 8), DType.FLOAT16: Format(10, 5), DType.BFLOAT16: Format(7, 8)}
SINGLE = FORMATS[DType.FLOAT32]
SIGN, INFINITY, NAN = SINGLE.sign, SINGLE.infinity, SINGLE.nan
ONE = 0x3F800000
ROOM = 64
"""Bits by which a dividend or radicand is extended: more than two significands and the bits that decide a rounding."""


def is_nan(a: int, form: Format = SINGLE) -> bool:
    """Whether the bits are a NaN's."""
    return a & (form.sign - 1) > form.infinity


def is_infinite(a: int, form: Format = SINGLE) -> bool:
    """Whether the bits are those of an infinity."""
    return a & (form.sign - 1) == form.infinity


def canonical(a: int) -> int:
    """The one NaN for any NaN."""
    return NAN if is_nan(a) else a


def exact(a: int, form: Format = SINGLE) -> tuple[int, int]:
    """(n, e): finite bits stand for n·2^e. A zero of either sign is n = 0."""
    field = (a & (form.sign - 1)) >> form.fraction
    n = a & ((1 << form.fraction) - 1)
    if field:
        n |= 1 << form.fraction
    return (-n if a & form.sign else n), form.least + max(field, 1) - 1


def rounded(n: int, e: int, negative_zero: bool = False, form: Format = SINGLE) -> int:
    """Bits of the number nearest to n·2^e, ties to even; an exact zero has the sign that the caller says.

    The lowest bit of n may stand for a rest below it, if n has two bits more than a significand.
    """
    if not n:
        return form.sign if negative_zero else 0
    sign, m = (form.sign, -n) if n < 0 else (0, n)
    unit = max(e + m.bit_length() - form.fraction - 1, form.least)
    if unit > e:
        whole, rest = m >> (unit - e), m & ((1 << (unit - e)) - 1)
        half = 1 << (unit - e - 1)
        whole += rest > half or (rest == half and whole & 1)
    else:
        whole = m << (e - unit)
    # a normal number's hidden bit adds one to the exponent field, and so does a rounding that carries
    return sign | min(((unit - form.least) << form.fraction) + whole, form.infinity)


def convert(a: int, source: Format, target: Format) -> int:
    """Bits of one format in another, rounded once."""
    if is_nan(a, source):
        return target.nan
    negative = bool(a & source.sign)
    if is_infinite(a, source):
        return target.infinity | (target.sign if negative else 0)
    return rounded(*exact(a, source), negative, target)


def add(a: int, b: int) -> int:
    """a + b."""
    if is_nan(a) or is_nan(b):
        return NAN
    if is_infinite(a):
        return NAN if is_infinite(b) and a != b else a
    return b if is_infinite(b) else _total(*exact(a), *exact(b), bool(a & b & SIGN))


def _total(n: int, e: int, m: int, f: int, both_negative: bool) -> int:
    """n·2^e + m·2^f; a sum of zeros is -0 if both are."""
    low = min(e, f)
    return rounded((n << (e - low)) + (m << (f - low)), low, both_negative and not n and not m)


def sub(a: int, b: int) -> int:
    """a - b."""
    return add(a, b ^ SIGN)


def mul(a: int, b: int) -> int:
    """a·b."""
    if is_nan(a) or is_nan(b):
        return NAN
    sign = (a ^ b) & SIGN
    if is_infinite(a) or is_infinite(b):
        return NAN if _is_zero(a) or _is_zero(b) else sign | INFINITY
    (n, e), (m, f) = exact(a), exact(b)
    return rounded(n * m, e + f, bool(sign))


def fma(a: int, b: int, c: int) -> int:
    """a·b + c, rounded once."""
    if is_nan(c) or is_infinite(a) or is_infinite(b) or is_nan(a) or is_nan(b):
        return NAN if is_nan(c) else add(mul(a, b), c)
    if is_infinite(c):
        return c
    (n, e), (m, f) = exact(a), exact(b)
    return _total(n * m, e + f, *exact(c), bool((a ^ b) & c & SIGN))


def div(a: int, b: int) -> int:
    """a / b."""
    if is_nan(a) or is_nan(b) or (is_infinite(a) and is_infinite(b)) or (_is_zero(a) and _is_zero(b)):
        return NAN
    sign = (a ^ b) & SIGN
    if is_infinite(a) or _is_zero(b):
        return sign | INFINITY
    if is_infinite(b):
        return sign
    (n, e), (m, f) = exact(a), exact(b)
    quotient, rest = divmod(abs(n) << ROOM, abs(m))
    value = quotient << 1 | bool(rest)
    return rounded(-value if sign else value, e - f - ROOM - 1, bool(sign))


def sqrt(a: int) -> int:
    """The square root; of -0 it is -0."""
    if is_nan(a) or (a & SIGN and not _is_zero(a)):
        return NAN
    if is_infinite(a) or _is_zero(a):
        return a
    n, e = exact(a)
    n, e = n << (ROOM + e % 2), e - ROOM - e % 2
    root = isqrt(n)
    return rounded(root << 1 | (root * root != n), e // 2 - 1)


def integral(a: int, way: str) -> int:
    """The integer that `floor`, `ceil`, `round` or `trunc` gives."""
    if is_nan(a) or is_infinite(a):
        return canonical(a)
    n, e = exact(a)
    if e >= 0:
        return a
    down, rest = n >> -e, n & ((1 << -e) - 1)
    half = 1 << (-e - 1)
    up = {
        "floor": False,
        "ceil": rest > 0,
        "trunc": rest > 0 and n < 0,
        "round": rest > half or (rest == half and down & 1 == 1),
    }[way]
    return rounded(down + up, 0, bool(a & SIGN))


def less(a: int, b: int) -> bool:
    """a < b; false if either is NaN."""
    return not is_nan(a) and not is_nan(b) and _order(a) < _order(b)


def equal(a: int, b: int) -> bool:
    """a = b; the zeros are equal, and NaN is equal to nothing."""
    return not is_nan(a) and not is_nan(b) and _order(a) == _order(b)


def sign(a: int) -> int:
    """±1 with the sign of a; a itself if it is a zero or NaN."""
    return canonical(a) if is_nan(a) or _is_zero(a) else a & SIGN | ONE


def to_integer(a: int, low: int, high: int) -> int:
    """The number toward zero, no less than `low` and no more than `high`; NaN gives 0."""
    if is_nan(a):
        return 0
    if is_infinite(a):
        return low if a & SIGN else high
    n, e = exact(a)
    size = abs(n) << e if e >= 0 else abs(n) >> -e
    return max(low, min(high, -size if n < 0 else size))


def from_integer(n: int) -> int:
    """The integer n as a binary32, rounded once."""
    return rounded(n, 0)


def _is_zero(a: int) -> bool:
    return not a & ~SIGN


def _order(a: int) -> int:
    """Numbers in the order of the values; both zeros are 0."""
    return -(a & ~SIGN) if a & SIGN else a
