"""The clear version: every kernel evaluated as kernel.py defines it, with numpy, over blocks of output elements.

It is the reference that the fast engine is tested against. Only output elements (and the 16 lanes) are vectorised;
folds and scatters run in their written order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from math import prod

import numpy as np

from ..errors import AssayError
from ..program.kernel import Axis, Const, Coordinate, Kernel, Order
from ..program.program import Program
from ..program.types import DType
from . import check_inputs
from .clear_float import Array, add_once, store, widen
from .clear_ops import apply
from .clear_read import Block, blocks, locate, read

__all__ = ["Interpreter", "run_kernel"]

POINTS = 1 << 16
"""Output elements evaluated at once."""
CELLS = 1 << 18
"""Operand values (elements times fold terms) held at once."""
LANES = 16


class Interpreter:
    """An `Executable` that does the obvious."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._last_use = {name: at for at, kernel in enumerate(program.kernels) for name in kernel.reads}
        self._kept = {tensor for _, tensor in program.outputs}

    def run(self, inputs: Mapping[str, Array], donate: Collection[str] = ()) -> dict[str, Array]:
        """See `Executable.run`; what is given away is not used."""
        tensors = {**self.program.constants, **check_inputs(self.program, inputs)}
        for at, kernel in enumerate(self.program.kernels):
            tensors[kernel.output] = run_kernel(kernel, tensors)
            for name in {*kernel.reads, kernel.output} - self._kept:
                if self._last_use.get(name, at) == at:
                    del tensors[name]
        outputs = self.program.outputs
        return {port.name: np.array(tensors[name], order="C").reshape(port.shape) for port, name in outputs}


def run_kernel(kernel: Kernel, tensors: Mapping[str, Array]) -> Array:
    """The output of one kernel, of its shape and dtype, given the tensors that it reads."""
    with np.errstate(all="ignore"):
        _check_environment()
        output = _scatter(kernel, tensors) if kernel.scatter else _map(kernel, tensors)
    return output.reshape(kernel.shape)


def _check_environment() -> None:
    """Numpy computes in whatever floating-point environment its thread has. Raises AssayError if it is not exact-1's."""
    one = np.float32(1.0)
    if not np.float32(1e-40) * one or not np.float32(6e-8).astype(np.float16):
        raise AssayError("this process flushes subnormal numbers to zero", hint="Find the library that does it.")
    if one + np.float32(2.0**-25) != one or one - np.float32(2.0**-26) != one:
        raise AssayError("this process does not round to nearest", hint="Find the library that changes the rounding.")


def _map(kernel: Kernel, tensors: Mapping[str, Array]) -> Array:
    """One value per index of the domain."""
    output, done = np.empty(prod(kernel.domain), kernel.dtype.numpy), 0
    for block in blocks(kernel.domain, POINTS):
        value = _element(kernel, block, tensors) if kernel.order is Order.NONE else _fold(kernel, block, tensors)
        size = prod(block.shape)
        output[done : done + size] = np.broadcast_to(store(value, kernel.dtype), block.shape).reshape(-1)
        done += size
    return output


def _operands(kernel: Kernel, block: Block, tensors: Mapping[str, Array]) -> tuple[list[Array], list[Array]]:
    """Values and insides of all operands in order; a later one may take its coordinates from an earlier one."""
    values: list[Array] = []
    insides: list[Array] = []
    for operand in kernel.operands:
        value, inside = read(operand, block, values, tensors)
        values.append(value)
        insides.append(inside)
    return values, insides


def _arguments(kernel: Kernel) -> list[int]:
    """Positions of the operands that the operation takes: those that serve no axis as an index."""
    axes: list[Axis] = list(kernel.scatter.axes) if kernel.scatter else []
    for operand in kernel.operands:
        if not isinstance(operand, Const):
            axes += [operand.axis] if isinstance(operand, Coordinate) else operand.axes
    used = {axis.indirect for axis in axes}
    return [n for n in range(len(kernel.operands)) if n not in used]


def _element(kernel: Kernel, block: Block, tensors: Mapping[str, Array]) -> Array:
    """op(x_0, x_1, ...)."""
    values, insides = _operands(kernel, block, tensors)
    taken = _arguments(kernel)
    if kernel.op != "first":
        return apply(kernel.op, [values[n] for n in taken], kernel.dtype)
    result = values[taken[-1]]
    for n in taken[-2::-1]:
        result = np.where(insides[n], values[n], result)
    return widen(result)


def _fold(kernel: Kernel, block: Block, tensors: Mapping[str, Array]) -> Array:
    """All terms in order: one chain, or 16 lanes that are combined at the end."""
    lanes = LANES if kernel.order is Order.LANES else 1
    acc = np.broadcast_to(_initial(kernel), (lanes, *block.shape)).copy()
    count = prod(kernel.fold)
    step = max(1, CELLS // (LANES * prod(block.shape))) * LANES
    for start in range(0, count, step):
        terms = block.with_terms(start, min(count, start + step), kernel.fold)
        values, _ = _operands(kernel, terms, tensors)
        _accumulate(kernel, [values[n] for n in _arguments(kernel)], acc, min(count, start + step) - start)
    while lanes > 1:
        lanes //= 2
        acc = apply(kernel.op, [acc[lanes:], acc[:lanes]], kernel.dtype)
    return acc.reshape(block.shape)


def _initial(kernel: Kernel) -> Array:
    dtype = DType.FLOAT32 if kernel.dtype.is_float else kernel.dtype
    return np.array(kernel.initial, f"u{dtype.itemsize}").view(dtype.numpy)


def _accumulate(kernel: Kernel, values: list[Array], acc: Array, count: int) -> None:
    """acc = op(x.., acc) over the next `count` terms, in place, as many at once as there are lanes.

    `values` broadcast to (count, *box), `acc` is (lanes, *box).
    """
    lanes, *box = acc.shape
    fused = kernel.op == "fma" and kernel.dtype.is_float
    if fused:  # products of binary32 are exact in binary64: make them beforehand
        a, b = (widen(x).astype(np.float64) for x in values)
        values = [a * b]
    rows = [np.broadcast_to(x, (count, *box)) for x in values]
    for start in range(0, count, lanes):
        x = [row[start : start + lanes] for row in rows]
        used = acc[: len(x[0])]
        used[...] = add_once(x[0], used) if fused else apply(kernel.op, [*x, used], kernel.dtype)


def _scatter(kernel: Kernel, tensors: Mapping[str, Array]) -> Array:
    """output[target(i)] = op(x, output[target(i)]) for i in row-major order of the domain."""
    assert kernel.scatter is not None
    output = tensors[kernel.scatter.base].reshape(-1).copy()
    for block in blocks(kernel.domain, POINTS):
        values, _ = _operands(kernel, block, tensors)
        located = locate(kernel.scatter.axes, kernel.scatter.view, block, values)
        target, inside, value = (np.broadcast_to(x, block.shape).reshape(-1) for x in (*located, values[-1]))
        target, value = target[inside], value[inside]
        for chosen in _distinct(target):
            x, t = value[chosen], target[chosen]
            result = widen(x) if kernel.op == "copy" else apply(kernel.op, [x, output[t]], kernel.dtype)
            output[t] = store(result, kernel.dtype)
    return output


def _distinct(target: Array) -> Iterator[Array]:
    """Positions in passes: pass n has the n-th write to each target, so a pass has no target twice."""
    order = np.argsort(target, kind="stable")
    ordered = target[order]
    first = np.searchsorted(ordered, ordered, side="left")
    rank = np.arange(len(target)) - first
    by_rank = np.argsort(rank, kind="stable")
    cuts = np.flatnonzero(np.diff(rank[by_rank])) + 1
    yield from (order[chosen] for chosen in np.split(by_rank, cuts))
