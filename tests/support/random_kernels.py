"""Random kernels with their tensors, for what lowerings seldom make: wild strides, divisors, indices, guards, scatters."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from random import Random
from typing import Any

import numpy as np
from random_programs import Graph

from assay.program import OPS, Axis, Const, Coordinate, DType, Kernel, Operand, Order, Read, ScalarOp, Scatter
from assay.program.code_bounds import index_operands

__all__ = ["random_kernel"]

Array = np.ndarray[Any, Any]
INTEGERS = [d for d in DType if d.is_integer]
FLOATS = [d for d in DType if d.is_float]
LANES = [OPS[name] for name in ("add", "mul", "min", "max", "and", "or", "xor")]
CHAINS = [OPS[name] for name in ("add", "sub", "mul", "fma", "fma", "fma", "min", "max", "div")]
SCATTERS = [OPS[name] for name in ("add", "mul", "min", "max", "copy", "sub")]


class Draft:
    """A kernel that is being drawn."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.graph = Graph(random, wild=random.random() < 0.4)
        self.tensors: dict[str, Array] = {}
        self.operands: list[Operand] = []
        self.domain: tuple[int, ...] = self.shape(4, 300)
        self.fold: tuple[int, ...] = ()

    def shape(self, rank: int, limit: int) -> tuple[int, ...]:
        """Extents with no more than `limit` elements."""
        while True:
            shape = tuple(self.random.choice([1, 2, 3, 5, 8, 17, 40]) for _ in range(self.random.randint(0, rank)))
            if prod(shape) <= limit:
                return shape

    def tensor(self, dtype: DType, shape: tuple[int, ...]) -> str:
        """A new tensor with this many elements, or one that fits and is known."""
        known = [n for n, a in self.tensors.items() if a.dtype == dtype.numpy and a.size == prod(shape)]
        if known and self.random.random() < 0.5:
            return self.random.choice(known)
        name = f"t{len(self.tensors)}"
        self.tensors[name] = self.graph.data(dtype, shape)
        return name

    def axis(self, extent: int, indices: Sequence[int] = ()) -> Axis:
        """Mostly within an axis of that extent; now and then beside it, between its places, or around 2^64."""
        choose, loops = self.random, len(self.domain) + len(self.fold)
        strides = [choose.choice([0, 0, 1, 1, -1, 2, 3]) for _ in range(loops)]
        offset = choose.choice([0, 0, 0, 1, -2, extent - 1, extent // 2])
        if choose.random() < 0.05:
            offset += choose.choice([2**62, -(2**62), 2**63 - 1 - extent])
        if choose.random() < 0.05 and loops:
            strides[choose.randrange(loops)] = choose.choice([2**61, -(2**62), 2**40])
        index = choose.choice(indices) if indices and choose.random() < 0.5 else -1
        divisor = choose.choice([1, 1, 1, 2, 3])
        cut = len(self.domain)
        return Axis(tuple(strides[:cut]), tuple(strides[cut:]), offset, divisor, index)

    def read(self, dtype: DType, indices: Sequence[int] = ()) -> Read:
        """A guarded read of some tensor."""
        view = self.shape(3, 4000 if self.random.random() < 0.3 else 200)
        axes = tuple(self.axis(extent, indices) for extent in view)
        bits = int(self.graph.data(dtype, ()).view(f"u{dtype.itemsize}"))
        return Read(self.tensor(dtype, view), view, axes, bits)

    def indices(self) -> list[int]:
        """Operands that later ones may take as an index."""
        for _ in range(self.random.choice([0, 0, 1, 1, 2])):
            self.operands.append(self._index(self.random.choice(INTEGERS)))
        return list(range(len(self.operands)))

    def _index(self, dtype: DType) -> Operand:
        choice = self.random.random()
        if choice < 0.1:
            return Const(dtype, self.random.choice([0, 1, (1 << dtype.bits) - 1]))
        if choice < 0.2:
            axis = self.axis(20)
            return Coordinate(Axis(axis.strides, axis.fold_strides, axis.offset))
        read = self.read(dtype)
        array = self.tensors[read.tensor]
        small = np.array([self.random.randint(-2, 9) for _ in range(array.size)], np.int64)
        if self.random.random() < 0.8:
            self.tensors[read.tensor] = small.astype(dtype.numpy).reshape(array.shape)
        return read

    def argument(self, dtype: DType, indices: Sequence[int]) -> Operand:
        """An operand of the operation."""
        if self.random.random() < 0.15:
            return Const(dtype, int(self.graph.data(dtype, ()).view(f"u{dtype.itemsize}")))
        if dtype is DType.INT64 and self.random.random() < 0.2:
            axis = self.axis(20)
            return Coordinate(Axis(axis.strides, axis.fold_strides, axis.offset))
        return self.read(dtype, indices)

    def similar(self, dtype: DType) -> DType:
        """A type that one operation may take beside `dtype`."""
        return self.random.choice(FLOATS) if dtype.is_float else dtype


def _operand_type(random: Random, op: ScalarOp) -> DType:
    kinds = [k for k in op.domain for _ in range(3 if k == "f" else 1)]
    kind = random.choice(kinds)
    return random.choice(FLOATS) if kind == "f" else DType.BOOL if kind == "b" else random.choice(INTEGERS)


def _result(random: Random, op: ScalarOp, dtype: DType) -> DType:
    if op.result == "bool":
        return DType.BOOL
    if op.name == "bitcast":
        return random.choice([d for d in DType if d.bits == dtype.bits and d is not DType.BOOL])
    if op.name == "cast":
        return random.choice(list(DType))
    return random.choice(FLOATS) if dtype.is_float else dtype


def random_kernel(random: Random) -> tuple[Kernel, dict[str, Array]]:
    """A kernel of any form, and the tensors that it reads."""
    draft = Draft(random)
    form = random.choice(["plain", "plain", "chain", "chain", "lanes", "scatter"])
    if form == "plain":
        return _plain(draft), draft.tensors
    if form == "scatter":
        return _scatter(draft), draft.tensors
    return _fold(draft, Order.CHAIN if form == "chain" else Order.LANES), draft.tensors


def _plain(draft: Draft) -> Kernel:
    random = draft.random
    op = OPS["first"] if random.random() < 0.15 else random.choice(list(OPS.values()))
    dtype = _operand_type(random, op)
    indices = draft.indices()
    arity = random.randint(1, 8) if op.name == "first" else op.arity
    types = [dtype if n == arity - 1 or op.name == "first" else draft.similar(dtype) for n in range(arity)]
    if op.name == "select":
        types[0] = DType.BOOL
    draft.operands += [draft.argument(kind, indices) for kind in types]
    output = _result(random, op, dtype)
    size = prod(draft.domain)
    kernel = Kernel(op.name, "out", output, (size,), draft.domain, tuple(draft.operands))
    return _drop(kernel, arity)


def _fold(draft: Draft, order: Order) -> Kernel:
    random = draft.random
    draft.domain = draft.shape(2, 30)
    lengths = [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 50, 100]
    draft.fold = random.choice([(random.choice(lengths),), (3, random.choice([1, 5, 16])), (2, 3, 4)])
    op = random.choice(LANES if order is Order.LANES else CHAINS)
    dtype = _operand_type(random, op)
    indices = draft.indices() if order is Order.CHAIN else []
    draft.operands += [draft.argument(draft.similar(dtype), indices) for _ in range(op.arity - 1)]
    output = _result(random, op, dtype)
    wide = DType.FLOAT32 if output.is_float else output
    initial = random.choice([0, int(draft.graph.data(wide, ()).view(f"u{wide.itemsize}"))])
    size = prod(draft.domain)
    kernel = Kernel(op.name, "out", output, (size,), draft.domain, tuple(draft.operands), draft.fold, order, initial)
    return _drop(kernel, op.arity - 1)


def _scatter(draft: Draft) -> Kernel:
    random = draft.random
    op = random.choice(SCATTERS)
    dtype = _operand_type(random, op)
    draft.domain = draft.shape(2, 60)
    indices = draft.indices()
    draft.operands.append(draft.argument(dtype if op.name == "copy" else draft.similar(dtype), ()))
    view = draft.shape(2, 40)
    base = draft.tensor(dtype, view)
    where = tuple(draft.axis(extent, indices) for extent in view)
    scatter = Scatter(base, view, where)
    kernel = Kernel(op.name, "out", dtype, (prod(view),), draft.domain, tuple(draft.operands), scatter=scatter)
    return _drop(kernel, 1)


def _drop(kernel: Kernel, arity: int) -> Kernel:
    """The kernel without the index operands (those before the last `arity`) that no axis has taken."""
    used = index_operands(kernel)
    kept = [n for n in range(len(kernel.operands)) if n in used or n >= len(kernel.operands) - arity]
    place = {n: at for at, n in enumerate(kept)} | {-1: -1}

    def axis(a: Axis) -> Axis:
        return Axis(a.strides, a.fold_strides, a.offset, a.divisor, place[a.indirect])

    def operand(x: Operand) -> Operand:
        if isinstance(x, Const):
            return x
        if isinstance(x, Coordinate):
            return Coordinate(axis(x.axis))
        return Read(x.tensor, x.view, tuple(map(axis, x.axes)), x.outside)

    scatter = kernel.scatter
    if scatter:
        scatter = Scatter(scatter.base, scatter.view, tuple(map(axis, scatter.axes)))
    return Kernel(
        kernel.op,
        kernel.output,
        kernel.dtype,
        kernel.shape,
        kernel.domain,
        tuple(operand(kernel.operands[n]) for n in kept),
        kernel.fold,
        kernel.order,
        kernel.initial,
        scatter,
    )
