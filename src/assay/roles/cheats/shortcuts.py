"""Solvers that compute something else than the task, or less of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from assay.errors import UsageError
from assay.proof import Array, Dataset, OnStep, Runner, Segment, State

from .programs import with_half_rate, with_low_precision
from .scene import Scene, claimed_batches

__all__ = [
    "FewerSteps",
    "OtherOrder",
    "OtherSeed",
    "Stale",
    "Still",
    "admitted_order",
    "half_data",
    "half_rate",
    "low_precision",
    "moved_labels",
]


@dataclass(frozen=True)
class FewerSteps:
    """Does the first half of each interval's steps and claims all of them."""

    scene: Scene

    def interval(self, state: State, start: int, stop: int, on_step: OnStep | None = None) -> Segment:
        runner = self.scene.runner
        segment = replace(runner.interval(state, start, start + (stop - start) // 2, on_step), stop=stop)
        return replace(segment, batches=claimed_batches(runner, segment))


@dataclass(frozen=True)
class OtherOrder:
    """Draws the rows with another seed, and claims the batches of the task."""

    scene: Scene

    def interval(self, state: State, start: int, stop: int, on_step: OnStep | None = None) -> Segment:
        segment = admitted_order(self.scene).interval(state, start, stop, on_step)
        return replace(segment, batches=claimed_batches(self.scene.runner, segment))


def admitted_order(scene: Scene) -> Runner:
    """Draws the rows with another seed, and commits to just these: nobody needs a replay to see it."""
    spec = scene.runner.spec
    other = msgspec.structs.replace(spec, seed=spec.seed ^ 1)
    return Runner(scene.runner.executable, other, scene.runner.dataset)


class OtherSeed(Runner):
    """The task's rows, but other random numbers within a step. Raises UsageError where a step uses none."""

    def __init__(self, scene: Scene) -> None:
        self._honest = scene.runner
        if all(port.name != "seed" for port in scene.runner.executable.program.inputs):
            raise UsageError("This program draws no random numbers to cheat with.")
        spec = scene.runner.spec
        other = msgspec.structs.replace(spec, seed=spec.seed ^ 1)
        super().__init__(scene.runner.executable, other, scene.runner.dataset)

    def batch(self, step: int) -> dict[str, np.ndarray]:
        """The rows that the task wants."""
        return self._honest.batch(step)

    def interval(self, state: Mapping[str, Array], start: int, stop: int, on_step: OnStep | None = None) -> Segment:
        """Steps start..stop-1 with other random numbers."""
        segment = super().interval(state, start, stop, on_step)
        return replace(segment, batches=claimed_batches(self._honest, segment))


def _with_columns(scene: Scene, columns: dict[str, np.ndarray]) -> Runner:
    return Runner(scene.runner.executable, scene.runner.spec, Dataset(columns))


def half_data(scene: Scene) -> Runner:
    """Trains on the first half of the dataset, twice: half of the download is saved, and the row numbers look right."""
    columns = scene.runner.dataset.columns
    rows = np.arange(scene.runner.dataset.rows) % max(1, scene.runner.dataset.rows // 2)
    return _with_columns(scene, {name: column[rows] for name, column in columns.items()})


def moved_labels(scene: Scene) -> Runner:
    """Gives every row the label of its neighbour. The labels are the column with the fewest bytes per row."""
    columns = dict(scene.runner.dataset.columns)
    label = min(sorted(columns), key=lambda name: columns[name][:1].nbytes)
    columns[label] = np.ascontiguousarray(np.roll(columns[label], 1, axis=0))
    return _with_columns(scene, columns)


def half_rate(scene: Scene) -> Runner:
    """Trains with half of the learning rate."""
    executable = scene.compile_program(with_half_rate(scene.runner.executable.program))
    return Runner(executable, scene.runner.spec, scene.runner.dataset)


def low_precision(scene: Scene) -> Runner:
    """Multiplies bfloat16 numbers, as a faster machine would."""
    executable = scene.compile_program(with_low_precision(scene.runner.executable.program))
    return Runner(executable, scene.runner.spec, scene.runner.dataset)


@dataclass(frozen=True)
class Still:
    """In the second half of the run nothing changes any more: steps that update by zero, which cost one evaluation."""

    scene: Scene

    def interval(self, state: State, start: int, stop: int, on_step: OnStep | None = None) -> Segment:
        runner = self.scene.runner
        if start < runner.spec.bounds(runner.spec.intervals // 2)[0]:
            return runner.interval(state, start, stop, on_step)
        segment = replace(runner.interval(state, start, start + 1, on_step), stop=stop, state=state)
        return replace(segment, batches=claimed_batches(runner, segment))


@dataclass(frozen=True)
class Stale:
    """Hands in checkpoints that exist: of an earlier task where there is one, else in the second half those of the first."""

    scene: Scene

    def interval(self, state: State, start: int, stop: int, on_step: OnStep | None = None) -> Segment:
        runner = self.scene.runner
        old = self.scene.earlier(stop)
        if old is None and start >= runner.spec.bounds(runner.spec.intervals // 2)[0]:
            # The state at the end of the first interval: somewhere on the way, but not where it should be by now.
            old = runner.interval(self.scene.initial, *runner.spec.bounds(0)).state
        if old is None:
            return runner.interval(state, start, stop, on_step)
        segment = replace(runner.interval(state, start, start + 1, on_step), stop=stop, state=old)
        return replace(segment, batches=claimed_batches(runner, segment))
