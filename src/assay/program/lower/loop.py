"""The loop nest of one kernel under construction: turns windows on tensors into the kernel's operands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from assay.errors import ProgramRefused

from ..kernel import Axis, Const, Coordinate, Operand, Order, Read
from ..types import DType
from .value import Shape, Value

if TYPE_CHECKING:
    from .context import Context

__all__ = ["Loop"]

NOWHERE: Mapping[int, int] = MappingProxyType({})
_LARGEST = 2**62


class Loop:
    """Domain and fold of a kernel, and the operands that read under them."""

    def __init__(self, context: Context, domain: Shape, fold: Shape = ()) -> None:
        self.context = context
        self.domain = domain
        self.fold = fold

    def axis(
        self,
        domain: int | Mapping[int, int] = NOWHERE,
        fold: int | Mapping[int, int] = NOWHERE,
        offset: int = 0,
        divisor: int = 1,
        indirect: int = -1,
    ) -> Axis:
        """A coordinate: `domain` and `fold` map an axis of the loop to its stride (an int is one axis, stride 1)."""
        return Axis(
            _spread(domain, len(self.domain)), _spread(fold, len(self.fold)), offset, divisor=divisor, indirect=indirect
        )

    def identity(self) -> list[Axis]:
        """One coordinate per axis of the domain."""
        return list(_identity(len(self.domain), len(self.fold)))

    def span(self, axis: Axis) -> tuple[int, int]:
        """Smallest and largest numerator that the axis takes (without its indirect part)."""
        low = high = axis.offset
        for stride, extent in zip((*axis.strides, *axis.fold_strides), (*self.domain, *self.fold), strict=True):
            reach = stride * (extent - 1)
            low, high = low + min(0, reach), high + max(0, reach)
        if max(-low, high) > _LARGEST:
            raise ProgramRefused("a coordinate does not fit into 64 bits", low=low, high=high)
        return low, high

    def inside(self, axis: Axis, extent: int) -> bool:
        """Whether the coordinate provably stays within [0, extent)."""
        low, high = self.span(axis)
        return axis.divisor == 1 and axis.indirect < 0 and low >= 0 and high < extent

    def coordinate(self, axis: Axis) -> Coordinate:
        """The int64 value of a coordinate."""
        self.span(axis)
        return Coordinate(axis)

    def read(self, value: Value, axes: Sequence[Axis], outside: int | None = None) -> Operand:
        """Element `axes` (one coordinate per axis of `value`) of `value`; `outside` are the bits read beyond its ends.

        A constant of one element becomes a Const. A window that the kernel form cannot guard is copied first.
        """
        if 0 in self.domain or 0 in self.fold:
            return Const(value.dtype, 0)  # nothing is read: the kernel has no points
        if value.count == 0:
            raise ProgramRefused("a tensor without elements takes part in a computation", shape=value.shape)
        proven = [self.inside(a, d) for a, d in zip(axes, value.shape, strict=True)]
        if all(proven):
            return self._inner(value, axes)
        if outside is None:
            raise ProgramRefused("a coordinate leaves its tensor", shape=value.shape)
        structure = value.structure()
        if structure is None or any(not ok and a not in structure[1] for a, ok in enumerate(proven)):
            value = self.context.materialise(value)
            structure = value.structure()
            assert structure is not None
        view, walked = structure
        placed = {walked[a]: axis for a, axis in enumerate(axes) if a in walked}
        return Read(value.tensor, view, tuple(placed[n] for n in range(len(view))), outside)

    def _inner(self, value: Value, axes: Sequence[Axis]) -> Operand:
        """A read that never leaves the value."""
        literal = self.context.literal(value)
        if literal is not None:
            return Const(value.dtype, literal)
        structure = value.structure()
        if structure is not None:
            view, walked = structure
            placed = {walked[a]: axis for a, axis in enumerate(axes) if a in walked}
            return Read(value.tensor, view, tuple(placed[n] for n in range(len(view))))
        pairs = list(zip(value.strides, axes, strict=True))
        offset = value.offset + sum(s * a.offset for s, a in pairs)
        strides = [sum(s * a.strides[n] for s, a in pairs) for n in range(len(self.domain))]
        folds = [sum(s * a.fold_strides[n] for s, a in pairs) for n in range(len(self.fold))]
        flat = Axis(tuple(strides), tuple(folds), offset)
        self.span(flat)
        return Read(value.tensor, (value.size,), (flat,))

    def emit(
        self,
        op: str,
        operands: Sequence[Operand],
        dtype: DType,
        *,
        shape: Shape | None = None,
        order: Order = Order.NONE,
        initial: int = 0,
    ) -> Value:
        """Append the kernel; the result is its output. `shape` defaults to the domain."""
        shape = self.domain if shape is None else shape
        return self.context.emit(op, tuple(operands), dtype, shape, self.domain, self.fold, order, initial)


@cache
def _identity(domain: int, fold: int) -> tuple[Axis, ...]:
    """One coordinate per axis of a domain and fold of so many axes; most kernels need no other."""
    return tuple(Axis(_spread(a, domain), (0,) * fold) for a in range(domain))


def _spread(strides: int | Mapping[int, int], count: int) -> Shape:
    if isinstance(strides, int):
        strides = {strides: 1}
    return tuple(strides.get(a, 0) for a in range(count))
