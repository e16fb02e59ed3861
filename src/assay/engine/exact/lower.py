"""Kernel -> Form: turn views, strides, divisors, guards and indices into flat offsets and the checks that can fail."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from assay.errors import ProgramRefused
from assay.program.kernel import Axis, Const, Coordinate, Kernel, Order, Read, Scatter
from assay.program.scalar import OPS
from assay.program.types import DType, Port

from .form import Access, Affine, Arg, Check, Form, Immediate, Iota, Statement, Target

__all__ = ["form_of", "indices"]


def indices(kernel: Kernel) -> set[int]:
    """Positions of the operands that serve as indices only: those that an axis names as `indirect`."""
    axes: list[Axis] = [x.axis for x in kernel.operands if isinstance(x, Coordinate)]
    for node in (*kernel.operands, kernel.scatter):
        if isinstance(node, Read | Scatter):
            axes += node.axes
    return {a.indirect for a in axes if a.indirect >= 0}


class _Lowering:
    def __init__(self, kernel: Kernel, tensors: Mapping[str, Port]) -> None:
        self.kernel = kernel
        self.tensors = tensors
        self.extents = kernel.domain + kernel.fold
        self.slots = {kernel.output: 0}
        self.lowered: list[Arg] = []

    def slot(self, tensor: str) -> int:
        return self.slots.setdefault(tensor, len(self.slots))

    def affine(self, axis: Axis) -> Affine:
        fold = axis.fold_strides or (0,) * len(self.kernel.fold)
        if len(axis.strides) != len(self.kernel.domain) or len(fold) != len(self.kernel.fold):
            raise ProgramRefused("an axis does not fit its kernel's loops", kernel=self.kernel.output)
        strides = tuple(s if n != 1 else 0 for s, n in zip((*axis.strides, *fold), self.extents, strict=True))
        return Affine(axis.offset, strides)

    def via(self, axis: Axis) -> Arg | None:
        return None if axis.indirect < 0 else self.lowered[axis.indirect]

    def access(self, tensor: str, view: tuple[int, ...], axes: tuple[Axis, ...], outside: int | None) -> Arg:
        """The flat access; an `Immediate` where no element is ever inside."""
        port = self.tensors[tensor]
        dtype = port.dtype
        if prod(view) != port.size or len(view) != len(axes):
            raise ProgramRefused(f"a view does not fit its tensor {tensor}", kernel=self.kernel.output, view=view)
        flat, checks = Affine(0, (0,) * len(self.extents)), []
        for a, (axis, extent) in enumerate(zip(axes, view, strict=True)):
            coord, scale, divisor, via = self.affine(axis), prod(view[a + 1 :]), axis.divisor, self.via(axis)
            if via is None and all(n % divisor == 0 for n in (coord.base, *coord.strides)):
                coord, divisor = Affine(coord.base // divisor, tuple(s // divisor for s in coord.strides)), 1
            low, high = coord.bounds(self.extents)
            if extent == 0 or (via is None and (low >= extent * divisor or high < 0)):
                return Immediate(dtype, outside or 0, inside=False)
            if via is None and divisor == 1 and low >= 0 and high < extent:
                flat = flat.plus(coord.scaled(scale))
                continue
            if via is None and divisor == 1 and outside is None:
                raise ProgramRefused("a read leaves its tensor without a guard", kernel=self.kernel.output)
            checks.append(Check(coord, via, divisor, extent, scale))
        return Access(self.slot(tensor), dtype, flat, tuple(checks), outside or 0)

    def operand(self, operand: Read | Const | Coordinate) -> Arg:
        if isinstance(operand, Const):
            return Immediate(operand.dtype, operand.bits)
        if isinstance(operand, Coordinate):
            return Iota(self.affine(operand.axis), self.via(operand.axis))
        return self.access(operand.tensor, operand.view, operand.axes, operand.outside)

    def target(self, scatter: Scatter) -> Target | None:
        """The access to the output, or None where nothing is ever written: then the output is the base itself."""
        kernel, base = self.kernel, self.tensors[scatter.base]
        if (base.dtype, base.size) != (kernel.dtype, prod(kernel.shape)):
            raise ProgramRefused("a scatter's base has another type than its output", kernel=kernel.output)
        self.tensors = {**self.tensors, kernel.output: Port(kernel.output, kernel.dtype, kernel.shape)}
        access = self.access(self.kernel.output, scatter.view, scatter.axes, 0)
        if not isinstance(access, Access):
            return None
        return Target(access, self.slot(scatter.base), prod(self.kernel.shape))


def _copy_of_base(kernel: Kernel) -> Form:
    """A scatter that writes nothing: the bytes of its base, untouched."""
    empty = Access(0, kernel.dtype, Affine(0, (1,)))
    return Form((0,), (), Order.NONE, 0, (_zero(kernel),), (), 2, Target(empty, 1, prod(kernel.shape)))


def form_of(kernel: Kernel, tensors: Mapping[str, Port]) -> tuple[Form, tuple[str, ...]]:
    """The form of `kernel`, not collapsed yet, and the tensor in each of its slots. `tensors` gives the type of what it reads.

    Raises ProgramRefused if the kernel is malformed.
    """
    if kernel.scatter is None and prod(kernel.domain) != prod(kernel.shape):
        raise ProgramRefused("a kernel's loops do not cover its output", kernel=kernel.output)
    if kernel.fold and kernel.order is Order.NONE:
        raise ProgramRefused("a fold without an order", kernel=kernel.output)
    if 0 in kernel.domain:
        if kernel.scatter:
            return _copy_of_base(kernel), (kernel.output, kernel.scatter.base)
        return _nothing(kernel), (kernel.output,)
    if 0 in kernel.fold:
        return _fold_of_nothing(kernel), (kernel.output,)
    lowering = _Lowering(kernel, tensors)
    for operand in kernel.operands:
        lowering.lowered.append(lowering.operand(operand))
    used = indices(kernel)
    args = tuple(x for n, x in enumerate(lowering.lowered) if n not in used)
    accumulates = kernel.order is not Order.NONE
    target = None
    if kernel.scatter:
        args = (lowering.lowered[-1],)
        target = lowering.target(kernel.scatter)
        if target is None:
            return _copy_of_base(kernel), (kernel.output, kernel.scatter.base)
    _check_arity(kernel, len(args) + (accumulates or (target is not None and kernel.op != "copy")))
    form = Form(
        domain=kernel.domain,
        fold=kernel.fold,
        order=kernel.order,
        initial=kernel.initial,
        statements=(Statement(kernel.op, kernel.dtype, args),),
        stores=() if target else ((0, 0),),
        slots=len(lowering.slots),
        target=target,
    )
    return form, tuple(lowering.slots)


def _nothing(kernel: Kernel) -> Form:
    """No element at all."""
    return Form((0,), (), Order.NONE, 0, (_zero(kernel),), ((0, 0),), 1)


def _zero(kernel: Kernel, op: str = "copy") -> Statement:
    return Statement(op, kernel.dtype, (Immediate(kernel.dtype, 0),))


def _fold_of_nothing(kernel: Kernel) -> Form:
    """A fold without terms: its initial value everywhere, or what the tree of 16 of them gives."""
    size, order = prod(kernel.domain), kernel.order
    if order is Order.LANES:
        return Form((size,), (0,), order, kernel.initial, (_zero(kernel, kernel.op),), ((0, 0),), 1)
    initial = Immediate(DType.FLOAT32 if kernel.dtype.is_float else kernel.dtype, kernel.initial)
    return Form((size,), (), Order.NONE, 0, (Statement("copy", kernel.dtype, (initial,)),), ((0, 0),), 1)


def _check_arity(kernel: Kernel, given: int) -> None:
    op = OPS.get(kernel.op)
    if op is None or op.arity not in (-1, given):
        raise ProgramRefused(f"kernel {kernel.output}: {kernel.op} cannot take {given} operands", op=kernel.op)
