"""Formulas of binary32: each operator of a `Real` is one element-wise kernel, rounded on its own."""

from __future__ import annotations

from ..types import DType
from .context import Context
from .elementwise import cast
from .value import Value

__all__ = ["Real", "polynomial"]

_F = DType.FLOAT32


class Real:
    """A binary32 value with arithmetic. Operands broadcast; a Python number is rounded to binary32 once."""

    def __init__(self, ctx: Context, value: Value) -> None:
        self.ctx = ctx
        self.value = cast(ctx, value, _F)

    def of(self, other: Real | Value | float) -> Real:
        """`other` as a Real of the same program."""
        if isinstance(other, Real):
            return other
        return Real(self.ctx, other if isinstance(other, Value) else self.ctx.scalar(other, _F))

    def op(self, name: str, *others: Real | Value | float) -> Real:
        """A scalar operation of exact-1 with this value as its first operand."""
        operands = [self.value, *(self.of(other).value for other in others)]
        return Real(self.ctx, self.ctx.map(name, *operands, dtype=_F))

    def test(self, name: str, *others: Real | Value | float) -> Value:
        """A comparison: a bool value."""
        operands = [self.value, *(self.of(other).value for other in others)]
        return self.ctx.map(name, *operands, dtype=DType.BOOL)

    def where(self, condition: Value, other: Real | float) -> Real:
        """This where the condition holds, elsewhere the other."""
        return Real(self.ctx, self.ctx.map("select", condition, self.value, self.of(other).value, dtype=_F))

    def fma(self, factor: Real | float, term: Real | float) -> Real:
        """self·factor + term, rounded once."""
        return self.op("fma", factor, term)

    def clamp(self, low: float, high: float) -> Real:
        """min(max(self, low), high)."""
        return self.op("max", low).op("min", high)

    def whole(self) -> Value:
        """Cast to int64."""
        return cast(self.ctx, self.value, DType.INT64)

    def __add__(self, other: Real | float) -> Real:
        return self.op("add", other)

    def __radd__(self, other: float) -> Real:
        return self.of(other).op("add", self)

    def __sub__(self, other: Real | float) -> Real:
        return self.op("sub", other)

    def __rsub__(self, other: float) -> Real:
        return self.of(other).op("sub", self)

    def __mul__(self, other: Real | float) -> Real:
        return self.op("mul", other)

    def __rmul__(self, other: float) -> Real:
        return self.of(other).op("mul", self)

    def __truediv__(self, other: Real | float) -> Real:
        return self.op("div", other)

    def __rtruediv__(self, other: float) -> Real:
        return self.of(other).op("div", self)

    def __neg__(self) -> Real:
        return self.op("neg")


def polynomial(x: Real, *coefficients: float) -> Real:
    """Horner's rule with fma, from the coefficient of the highest power down."""
    result = x.of(coefficients[0])
    for coefficient in coefficients[1:]:
        result = result.fma(x, coefficient)
    return result
