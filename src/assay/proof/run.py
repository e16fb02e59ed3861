"""Run a training program over the steps of an interval, feeding it state, rows, step and seed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from assay.errors import AssayError, RefusedError
from assay.program.program import BATCH, METRIC, NEXT, STATE, Program
from assay.program.types import DType, Port
from assay.words.task import TaskSpec

from . import merkle
from .dataset import Dataset
from .sampler import batches_root, rows
from .tensors import Array, State, unfit
from .trace import Trace, trace_of

__all__ = ["Executable", "OnStep", "Runner", "Segment"]

OnStep = Callable[[int, Mapping[str, Array]], None]
"""Called after each step with the step and its exact metrics. Show them only through `trace.public`."""


class Executable(Protocol):
    """What an engine makes of a program."""

    @property
    def program(self) -> Program:
        """The program it runs."""

    def run(self, inputs: Mapping[str, Array], donate: Collection[str] = ()) -> dict[str, Array]:
        """Outputs by port name, as fresh arrays, or in the memory of the inputs named in `donate`."""


@dataclass(frozen=True)
class Segment:
    """One interval, computed: the state after it and what the next checkpoint binds."""

    start: int
    stop: int
    state: State
    digest: bytes
    """Secret until the reveal."""
    batches: bytes
    metrics: tuple[Mapping[str, Array], ...]

    @property
    def trace(self) -> bytes:
        """What the checkpoint publishes of the digest."""
        return trace_of(self.digest)


class Runner:
    """A task's program, compiled, with its dataset. Raises RefusedError if the three do not fit each other."""

    def __init__(self, executable: Executable, spec: TaskSpec, dataset: Dataset) -> None:
        self.executable, self.spec, self.dataset = executable, spec, dataset
        program = executable.program
        self.ports = program.state
        self._inputs = {port.name for port in program.inputs}
        self._outputs = {port.name: port for port, _ in program.outputs}
        self._output_types = {name: (port.dtype.numpy, port.shape) for name, port in self._outputs.items()}
        if reason := _misfit(program, spec, dataset):
            raise RefusedError(f"the task's parts do not fit: {reason}", program=spec.program_root)

    def batch(self, step: int) -> dict[str, Array]:
        """The columns of the rows that the sampler draws for `step`."""
        return self.dataset.take(rows(self.spec.seed, step, self.spec.batch_size, self.spec.rows))

    def step(self, state: Mapping[str, Array], step: int, *, donate: bool = False) -> tuple[State, dict[str, Array]]:
        """One optimizer step: the next state, and the metrics by name. With `donate`, `state` is used up."""
        inputs = {STATE + name: array for name, array in state.items()}
        inputs |= {BATCH + name: array for name, array in self.batch(step).items()}
        if "step" in self._inputs:
            inputs["step"] = np.array(step, np.int64)
        if "seed" in self._inputs:
            inputs["seed"] = np.array(self.spec.seed, np.uint64)
        outputs = self.executable.run(inputs, [STATE + name for name in state] if donate else ())
        if {name: (array.dtype, array.shape) for name, array in outputs.items()} != self._output_types:
            raise AssayError(f"the engine broke its contract: {unfit(outputs, self._outputs)}", step=step)
        return _strip(outputs, NEXT), _strip(outputs, METRIC)

    def interval(self, state: Mapping[str, Array], start: int, stop: int, on_step: OnStep | None = None) -> Segment:
        """Steps start..stop-1 from `state`. Raises RefusedError if `state` is not a state of the program."""
        if reason := unfit(state, self.ports):
            raise RefusedError(f"not a state of this program: {reason}")
        trace, metrics, current = Trace(), [], dict(state)
        for step in range(start, stop):
            current, values = self.step(current, step, donate=step > start)  # the first one is the caller's
            trace.add(step, values)
            metrics.append(values)
            if on_step is not None:
                on_step(step, values)
        spec = self.spec
        batches = batches_root(spec.seed, start, stop, spec.batch_size, spec.rows) if stop > start else merkle.ZERO
        return Segment(start, stop, current, trace.digest, batches, tuple(metrics))


def _strip(tensors: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {name[len(prefix) :]: array for name, array in tensors.items() if name.startswith(prefix)}


Shapes = dict[str, tuple[DType, tuple[int, ...]]]


def _misfit(program: Program, spec: TaskSpec, dataset: Dataset) -> str:
    if not program.is_training or not program.state:
        return "the program is not a training step"
    if _shapes(program.ports(NEXT)) != _shapes(program.state):
        return "the program's next state does not have the tensors of its state"
    if dataset.rows != spec.rows:
        return f"the dataset has {dataset.rows} rows, the task says {spec.rows}"
    found = {name: (DType.of(c), (spec.batch_size, *c.shape[1:])) for name, c in dataset.columns.items()}
    if found != _shapes(program.batch):
        return f"the program takes batches {_shapes(program.batch)}, dataset and batch size give {found}"
    return ""


def _shapes(ports: Mapping[str, Port]) -> Shapes:
    return {name: (port.dtype, port.shape) for name, port in ports.items()}
