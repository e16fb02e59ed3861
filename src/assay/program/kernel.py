"""The primitive kernel: one loop nest with a scalar body (DESIGN section 5). This is what is committed and disputed.

    for each index i of `domain`, row-major:
        acc = initial                                   # folds only
        for each index r of `fold`, in `order`:         # folds only
            x_n = operand n at (i, r)
            acc = op(x_0, x_1, ..., acc)                # without a fold: value = op(x_0, x_1, ...)
        output[i] = acc                                 # or, with `scatter`: output[target(i)] = op(x, output[target(i)])

An operand that some axis names as `indirect` is an index only: op takes the other operands, in their order.

Values never depend on how an engine fuses, blocks, vectorises or parallelises kernels: every scalar operation is
individually rounded, and the order of every fold is fixed here.
"""

from __future__ import annotations

from enum import StrEnum
from math import prod

import msgspec

from .types import DType

__all__ = ["Axis", "Const", "Coordinate", "Kernel", "Operand", "Order", "Read", "Scatter"]

# gc=False: there are thousands of these, of numbers and names only, and the collector need not walk through them.


class _Node(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, tag=True, omit_defaults=True):
    pass


class Axis(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """A coordinate along one axis: n = offset + strides·i + fold_strides·r + value of the `indirect` operand.

    The coordinate is n / divisor where n is a multiple of divisor; elsewhere there is no element.
    `strides` has one entry per axis of the kernel's domain, `fold_strides` one per axis of its fold.
    `indirect` is the position of an earlier operand of integer type, or -1.
    """

    strides: tuple[int, ...]
    fold_strides: tuple[int, ...] = ()
    offset: int = 0
    divisor: int = 1
    indirect: int = -1


class Read(_Node, frozen=True, gc=False, tag="read"):
    """One element of `tensor`, whose row-major elements are seen under the shape `view` (same element count).

    `axes` has one entry per axis of `view`. Where a coordinate lies outside [0, view[a]) or does not exist, the
    value is the constant with the bits `outside` (in the tensor's dtype). `outside` is None where the lowering has
    proven that no coordinate ever leaves the view; an engine then needs no guard.
    """

    tensor: str
    view: tuple[int, ...]
    axes: tuple[Axis, ...]
    outside: int | None = None


class Const(_Node, frozen=True, gc=False, tag="const"):
    """A constant scalar: its bits as an unsigned integer of the dtype's width."""

    dtype: DType
    bits: int


class Coordinate(_Node, frozen=True, gc=False, tag="coordinate"):
    """The int64 value of an axis coordinate itself (iota). Its axis has divisor 1."""

    axis: Axis


Operand = Read | Const | Coordinate


class Order(StrEnum):
    """How fold indices are combined (numerics.md, folds). Indices are counted row-major over `fold`, from k = 0."""

    NONE = "none"
    """No fold: `fold` is ()."""
    CHAIN = "chain"
    """acc = op(x.., acc) for k increasing, from `initial`."""
    LANES = "lanes"
    """16 accumulators, each from `initial`; lane l takes the k with k mod 16 = l, increasing.
    Then for w in 8, 4, 2, 1: acc[l] = combine(acc[l + w], acc[l]) for l < w. The result is acc[0].
    LANES exists only for operations with one operand (add, mul, min, max, and, or, xor), which combine, too."""


class Scatter(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Where a scattering kernel writes. The output starts as a copy of `base`: its dtype, and as many elements.

    Then for each i of the domain in row-major order: t = the element at `axes` under the shape `view` of the output;
    if it exists, output[t] = op(x_last, output[t]) — or x_last itself for op "copy". x_last is the last operand.
    Where a coordinate lies outside the view, nothing is written.
    """

    base: str
    view: tuple[int, ...]
    axes: tuple[Axis, ...]


class Kernel(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """One primitive kernel. `output` names a new tensor of `shape` and `dtype`.

    prod(domain) == prod(shape) unless it scatters.
    """

    op: str
    output: str
    dtype: DType
    shape: tuple[int, ...]
    domain: tuple[int, ...]
    operands: tuple[Operand, ...]
    fold: tuple[int, ...] = ()
    order: Order = Order.NONE
    initial: int = 0
    scatter: Scatter | None = None

    @property
    def points(self) -> int:
        """Number of scalar operations that the kernel executes."""
        return prod(self.domain) * prod(self.fold)

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the tensors that are read, in operand order, with the scatter's base last."""
        names = [x.tensor for x in self.operands if isinstance(x, Read)]
        return (*names, self.scatter.base) if self.scatter else tuple(names)
