"""Steps of programs with all their values, and the comparison of engine, arbiter and contract on one element of a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from referee_contract import Referee

from assay.dispute.arbiter.kernel import execute, finish, start
from assay.dispute.arbiter.openings import openings, reader
from assay.engine.clear import run_kernel
from assay.program import Kernel, Program
from assay.program.code import Coded, Layout, coded, layout
from assay.proof import merkle
from assay.proof.tensors import raw

__all__ = ["Step", "check_element", "golden_step", "kernel_step", "program_step"]

Array = np.ndarray[Any, Any]


class Step:
    """Kernels with all values of a step: arrays by tensor name."""

    def __init__(self, values: Layout, kernels: tuple[Kernel, ...], arrays: Mapping[str, Array]) -> None:
        self.values, self.kernels, self.arrays = values, kernels, arrays

    def data(self, number: int) -> memoryview:
        """The bytes of a value."""
        return raw(self.arrays[self.values.names[number]])

    @cached_property
    def roots(self) -> list[bytes]:
        """The data roots of all values."""
        return [merkle.bytes_root(self.data(number)) for number in range(len(self.values.names))]

    @cached_property
    def root(self) -> bytes:
        """The values root."""
        return merkle.root(self.roots)

    @property
    def depth(self) -> int:
        """Levels of the tree over the values."""
        return merkle.depth(len(self.roots))

    def coded(self, at: int) -> Coded:
        """Kernel `at`."""
        return coded(self.kernels[at], self.values)

    def right(self, at: int, element: int) -> int:
        """The stored bits of an element of kernel `at`, as the engine made it."""
        array = self.arrays[self.kernels[at].output].reshape(-1)
        return int(array[element : element + 1].view(f"u{array.itemsize}")[0])


def program_step(program: Program, inputs: Mapping[str, Array]) -> Step:
    """One step of a program, computed by the clear version."""
    arrays = dict(program.constants) | {
        port.name: np.ascontiguousarray(inputs[port.name]).reshape(port.shape) for port in program.inputs
    }
    for kernel in program.kernels:
        arrays[kernel.output] = run_kernel(kernel, arrays)
    return Step(layout(program), program.kernels, arrays)


def kernel_step(kernel: Kernel, tensors: Mapping[str, Array], others: int = 3, output: Array | None = None) -> Step:
    """One kernel by itself, among `others` values that it does not read. `output` is not computed if it is given."""
    arrays = dict(tensors) | {f"other{n}": np.arange(n * 300, dtype=np.int64) for n in range(others)}
    arrays[kernel.output] = run_kernel(kernel, arrays) if output is None else output
    program = Program(b"", (), (), {n: a for n, a in arrays.items() if n != kernel.output}, (kernel,), None)  # type: ignore[arg-type]
    return Step(layout(program), (kernel,), arrays)


def golden_step(task: Path, folder: Path) -> Step:
    """The first step of a golden task."""
    from assay.market import read_task
    from assay.proof import Dataset, decode_state, rows
    from assay.store import Store

    store = Store(folder)
    package = read_task(task, store)
    spec, program = package.spec, package.program
    state = decode_state(store.get(spec.initial), program.state)
    batch = Dataset.parse(store.get(spec.dataset)).take(rows(spec.seed, 0, spec.batch_size, spec.rows))
    inputs = {f"state/{name}": array for name, array in state.items()}
    inputs |= {f"batch/{name}": array for name, array in batch.items()}
    inputs |= {"step": np.array(0, np.int64), "seed": np.array(spec.seed, np.uint64)}
    return program_step(program, inputs)


def pieces(code: Coded) -> list[tuple[int, int]]:
    """All pieces of an element in order; [(0, 0)] where there are no terms."""
    if code.terms == 0:
        return []
    return [(first, min(code.terms, first + code.piece)) for first in range(0, code.terms, code.piece)]


def check_element(step: Step, at: int, element: int, contract: Referee, random: Random, most: int = 6) -> int:
    """Engine, arbiter and contract agree on an element: the arbiter on all pieces, the contract on up to `most` of them.

    Returns the pieces that the contract has executed.
    """
    code, executed = step.coded(at), 0
    kernel = code.encode()
    read = reader(code, step.data)
    acc = start(code, element, read)
    opened = openings(code, element, 0, 0, step.data, step.roots)
    assert contract.start(kernel, element, step.root, step.depth, opened) == acc
    whole = pieces(code)
    chosen = set(whole[-1:]) | set(random.sample(whole, min(most - 1, len(whole))))
    for first, last in whole:
        following = execute(code, element, first, last, acc, read)
        if (first, last) in chosen:
            opened = openings(code, element, first, last, step.data, step.roots)
            assert len(opened) <= 32_768
            found = contract.execute(kernel, element, first, last, acc, step.root, step.depth, opened)
            assert found == following, f"kernel {code.kernel}, element {element}, terms {first} to {last}"
            executed += 1
        acc = following
    right = step.right(at, element)
    assert finish(code, acc) == right, f"the arbiter, kernel {code.kernel}, element {element}"
    assert contract.finish(kernel, acc) == right, f"the contract, kernel {code.kernel}, element {element}"
    return executed
