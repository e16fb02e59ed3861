"""The operations that named functions are written in, on bits."""

from __future__ import annotations

import struct

from ...program.types import DType
from . import floats, integers

__all__ = ["BitOps"]


def _wrap(number: int) -> int:
    return integers.wrapped(number, DType.INT32)


class BitOps:
    """`Ops` on bits: binary32 and int32 patterns below 2^32, and 0 or 1."""

    def f32(self, value: float | int) -> int:
        """A Python float is rounded by the platform's own conversion to binary32; the constants of functions are exact."""
        return value if isinstance(value, int) else int.from_bytes(struct.pack(">f", value), "big")

    def i32(self, value: int) -> int:
        return _wrap(value)

    add = staticmethod(floats.add)
    sub = staticmethod(floats.sub)
    mul = staticmethod(floats.mul)
    div = staticmethod(floats.div)
    fma = staticmethod(floats.fma)
    sqrt = staticmethod(floats.sqrt)

    def neg(self, a: int) -> int:
        return a ^ floats.SIGN

    def abs(self, a: int) -> int:
        return a & ~floats.SIGN

    def floor(self, a: int) -> int:
        return floats.integral(a, "floor")

    def round(self, a: int) -> int:
        return floats.integral(a, "round")

    def lt(self, a: int, b: int) -> int:
        return int(floats.less(a, b))

    def gt(self, a: int, b: int) -> int:
        return int(floats.less(b, a))

    def le(self, a: int, b: int) -> int:
        return int(floats.less(a, b) or floats.equal(a, b))

    def ge(self, a: int, b: int) -> int:
        return int(floats.less(b, a) or floats.equal(a, b))

    def eq(self, a: int, b: int) -> int:
        return int(floats.equal(a, b))

    def select(self, c: int, a: int, b: int) -> int:
        return a if c else b

    def to_int(self, a: int) -> int:
        return _wrap(floats.to_integer(a, *integers.bounds(DType.INT32)))

    def to_float(self, a: int) -> int:
        return floats.from_integer(integers.signed(a, DType.INT32))

    def bits(self, a: int) -> int:
        return a

    def from_bits(self, a: int) -> int:
        return a

    def iadd(self, a: int, b: int) -> int:
        return _wrap(a + b)

    def isub(self, a: int, b: int) -> int:
        return _wrap(a - b)

    def imul(self, a: int, b: int) -> int:
        return _wrap(a * b)

    def iand(self, a: int, b: int) -> int:
        return a & b

    def ior(self, a: int, b: int) -> int:
        return a | b

    def ixor(self, a: int, b: int) -> int:
        return a ^ b

    def ishl(self, a: int, b: int) -> int:
        return _wrap(integers.shift("shl", a, b, DType.INT32))

    def ishr(self, a: int, b: int) -> int:
        return _wrap(integers.shift("shr", integers.signed(a, DType.INT32), b, DType.INT32))

    def band(self, a: int, b: int) -> int:
        return a & b

    def bor(self, a: int, b: int) -> int:
        return a | b

    def bnot(self, a: int) -> int:
        return 1 - a
