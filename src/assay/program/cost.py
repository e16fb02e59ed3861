"""What a program costs, from its shapes alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

from .kernel import Kernel, Read
from .program import Cost
from .scalar import OPS
from .types import Port

__all__ = ["cost_of"]


def cost_of(
    inputs: Sequence[Port], constants: Iterable[Port], kernels: Sequence[Kernel], outputs: Iterable[str]
) -> Cost:
    """Count one run of the kernels, unfused.

    Operations are points times the length of the scalar operation's sequence. A kernel moves each operand once, or one
    element per point where that is less, and its output once. Inputs and constants live throughout; the output of
    a kernel from then to its last reader, or to the end where `outputs` names it.
    """
    sizes = {port.name: port.nbytes for port in (*inputs, *constants)}
    items = {port.name: port.dtype.itemsize for port in (*inputs, *constants)}
    last = {name: at for at, kernel in enumerate(kernels) for name in kernel.reads}
    last |= dict.fromkeys(outputs, len(kernels))
    alive = peak = sum(sizes.values())
    operations = moved = 0
    for at, kernel in enumerate(kernels):
        operations += kernel.points * OPS[kernel.op].weight
        sizes[kernel.output] = prod(kernel.shape) * kernel.dtype.itemsize
        items[kernel.output] = kernel.dtype.itemsize
        moved += sizes[kernel.output]
        for operand in kernel.operands:
            if isinstance(operand, Read):
                moved += min(sizes[operand.tensor], kernel.points * items[operand.tensor])
        if kernel.scatter:
            moved += sizes[kernel.scatter.base]
        alive += sizes[kernel.output]
        peak = max(peak, alive)
        for name in {*kernel.reads, kernel.output}:
            if name.startswith("k") and "/" not in name and last.get(name, at) == at:
                alive -= sizes[name]
    return Cost(operations, moved, peak)
