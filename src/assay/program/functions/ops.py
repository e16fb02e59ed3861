"""The operations that named functions are written in: float32, int32 and bool values of some backend.

A backend is an interpreter over arrays, a code generator, a contract, a counter: whatever evaluates `Ops` evaluates
every named function, with the same bits, because each operation below is exact or rounded once (numerics.md).
"""

from __future__ import annotations

from typing import Protocol, TypeVar

__all__ = ["Ops"]

V = TypeVar("V")


class Ops(Protocol[V]):
    """Arithmetic on values `V`, each a float32 (f), an int32 (i) or a bool (b). Float results round to nearest even.

    A NaN may have any sign and payload: functions never let its bits decide a result.
    """

    def f32(self, value: float | int) -> V:
        """A constant: a Python float is rounded to binary32, a Python int (0 <= value < 2^32) is its bits."""

    def i32(self, value: int) -> V:
        """An int32 constant, -2^31 <= value < 2^31."""

    def add(self, a: V, b: V) -> V: ...
    def sub(self, a: V, b: V) -> V: ...
    def mul(self, a: V, b: V) -> V: ...
    def div(self, a: V, b: V) -> V: ...

    def fma(self, a: V, b: V, c: V) -> V:
        """a·b + c, rounded once."""

    def sqrt(self, a: V) -> V: ...
    def neg(self, a: V) -> V: ...
    def abs(self, a: V) -> V: ...
    def floor(self, a: V) -> V: ...

    def round(self, a: V) -> V:
        """To the nearest integer, ties to even; the sign of zero is kept."""

    def lt(self, a: V, b: V) -> V:
        """Float comparisons are ordered: false if either is NaN."""

    def le(self, a: V, b: V) -> V: ...
    def gt(self, a: V, b: V) -> V: ...
    def ge(self, a: V, b: V) -> V: ...
    def eq(self, a: V, b: V) -> V: ...

    def select(self, c: V, a: V, b: V) -> V:
        """`a` if the bool `c`, else `b`; both float or both int."""

    def to_int(self, a: V) -> V:
        """Float to int32: toward zero, saturating, NaN gives 0."""

    def to_float(self, a: V) -> V:
        """Int32 to float, rounded."""

    def bits(self, a: V) -> V:
        """A float's bits as int32."""

    def from_bits(self, a: V) -> V: ...

    def iadd(self, a: V, b: V) -> V:
        """Int32 arithmetic wraps."""

    def isub(self, a: V, b: V) -> V: ...
    def imul(self, a: V, b: V) -> V: ...
    def iand(self, a: V, b: V) -> V: ...
    def ior(self, a: V, b: V) -> V: ...
    def ixor(self, a: V, b: V) -> V: ...

    def ishl(self, a: V, b: V) -> V:
        """Shift left; functions shift by constants in 0..31 only."""

    def ishr(self, a: V, b: V) -> V:
        """Arithmetic shift right, by constants in 0..31 only."""

    def band(self, a: V, b: V) -> V: ...
    def bor(self, a: V, b: V) -> V: ...
    def bnot(self, a: V) -> V: ...
