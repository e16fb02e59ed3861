"""All values of one step: every tensor that the program reads or makes, numbered as the code root numbers them.

A party to a dispute computes them once per step in question, and walks down the trees over them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from assay.engine.clear import run_kernel
from assay.program import Port, Program
from assay.program.program import RESULT
from assay.proof import Array, Executable, merkle
from assay.proof.tensors import by_name, raw

__all__ = ["Compile", "Values", "compute"]

Compile = Callable[[Program], Executable]

CLEAR_OPERATIONS = 50_000_000
"""Scalar operations up to which the clear engine is quicker than compiling every kernel by itself."""

SLICE_BYTES = 256 << 20
"""Bytes of outputs that are asked of an engine at once."""


class Values:
    """The values of one step as somebody claims them: arrays by number, and the trees over them.

    `arrays` has the inputs in the program's order, the constants in name order, the kernels' outputs in order.
    """

    def __init__(self, arrays: Sequence[Array]) -> None:
        self.arrays = list(arrays)
        self._chunks: dict[int, merkle.Tree] = {}
        self.roots = [merkle.bytes_root(raw(array)) for array in self.arrays]
        self.tree = merkle.Tree(self.roots)

    @property
    def root(self) -> bytes:
        """The values root."""
        return self.tree.root

    def chunks(self, value: int) -> merkle.Tree:
        """The tree over the KiB chunks of a value."""
        if value not in self._chunks:
            self._chunks[value] = merkle.Tree(merkle.chunk_leaves(raw(self.arrays[value])))
        return self._chunks[value]

    def chunk(self, value: int, index: int) -> bytes:
        """The bytes of one KiB of a value; the last one may be shorter."""
        return bytes(memoryview(raw(self.arrays[value]))[index * merkle.CHUNK : (index + 1) * merkle.CHUNK])

    def bits(self, value: int, element: int) -> int:
        """The stored bits of one element, row-major, as an unsigned integer."""
        array = self.arrays[value]
        flat = np.ascontiguousarray(array).reshape(-1)[element : element + 1]
        return int.from_bytes(flat.tobytes(), "little")

    def with_arrays(self, changed: Mapping[int, Array]) -> Values:
        """The same claims but for some values: what somebody who lies about them says."""
        other = Values.__new__(Values)
        other.arrays = [changed.get(n, array) for n, array in enumerate(self.arrays)]
        other._chunks = {n: tree for n, tree in self._chunks.items() if n not in changed}
        other.roots = [
            merkle.bytes_root(raw(changed[n])) if n in changed else root for n, root in enumerate(self.roots)
        ]
        other.tree = merkle.Tree(other.roots)
        return other


def compute(program: Program, inputs: Mapping[str, Array], compile_program: Compile | None = None) -> Values:
    """All values of one step of `program` on `inputs` (by port name).

    With `compile_program`, large programs run on the engine that it makes; the bits are the same.
    """
    tensors: dict[str, Array] = {port.name: inputs[port.name] for port in program.inputs}
    tensors |= {name: program.constants[name] for name in by_name(program.constants)}
    if compile_program is None or program.cost.operations <= CLEAR_OPERATIONS:
        for kernel in program.kernels:
            tensors[kernel.output] = run_kernel(kernel, tensors)
        return Values(list(tensors.values()))
    for observed in _observed(program):
        found = compile_program(observed).run(inputs)
        tensors |= {name.removeprefix(RESULT): array for name, array in found.items()}
    return Values(list(tensors.values()))


def _observed(program: Program) -> list[Program]:
    """The program with its kernels' tensors as outputs, some at a time."""
    slices: list[list[tuple[Port, str]]] = [[]]
    room = SLICE_BYTES
    for kernel in program.kernels:
        port = Port(RESULT + kernel.output, kernel.dtype, kernel.shape)
        if slices[-1] and port.nbytes > room:
            slices.append([])
            room = SLICE_BYTES
        slices[-1].append((port, kernel.output))
        room -= port.nbytes
    return [replace(program, outputs=tuple(outputs)) for outputs in slices]
