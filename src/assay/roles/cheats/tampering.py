"""Solvers that train honestly and then change something small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256

import msgspec
import numpy as np

from assay.proof import OnStep, Segment, State
from assay.words import TaskSpec, Trajectory

from .scene import Scene

__all__ = ["ForgedTrace", "Tampered", "nudged", "tamper_at", "with_other_program", "with_own_start"]


@dataclass(frozen=True)
class Tampered:
    """Trains honestly, but one weight of the checkpoint after interval `at` is not what training gave."""

    scene: Scene
    at: int

    def interval(self, state: State, start: int, stop: int, on_step: OnStep | None = None) -> Segment:
        segment = self.scene.runner.interval(state, start, stop, on_step)
        if start != self.scene.runner.spec.bounds(self.at)[0]:
            return segment
        return replace(segment, state=nudged(segment.state))


def nudged(state: State) -> State:
    """`state` with its first float32 weight moved by one unit in the last place."""
    tampered = {name: array.copy() for name, array in state.items()}
    victim = next(array for _, array in sorted(tampered.items()) if array.dtype == np.float32 and array.size > 1)
    victim.flat[0] = np.nextafter(victim.flat[0], np.float32(np.inf))
    return tampered


def tamper_at(share: float) -> Callable[[Scene], Tampered]:
    """Tampers with the checkpoint after `share` of the intervals: 0 is the first one, 1 the last."""

    def make(scene: Scene) -> Tampered:
        intervals = scene.runner.spec.intervals
        return Tampered(scene, min(intervals - 1, int(intervals * share)))

    return make


@dataclass(frozen=True)
class ForgedTrace:
    """The result is right, but the trace of the middle interval is not: whoever replays can't be paid for it."""

    scene: Scene

    def interval(self, state: State, start: int, stop: int, on_step: OnStep | None = None) -> Segment:
        spec = self.scene.runner.spec
        segment = self.scene.runner.interval(state, start, stop, on_step)
        if start != spec.bounds(spec.intervals // 2)[0]:
            return segment
        return replace(segment, digest=sha256(b"forged" + segment.digest).digest())


def with_own_start(trajectory: Trajectory, spec: TaskSpec) -> Trajectory:
    """Says that training began at the first checkpoint: as if the model had been half trained before."""
    first, second, *rest = trajectory.checkpoints
    moved = msgspec.structs.replace(first, state_root=second.state_root, blob=second.blob)
    return msgspec.structs.replace(trajectory, checkpoints=(moved, second, *rest))


def with_other_program(trajectory: Trajectory, spec: TaskSpec) -> Trajectory:
    """Names another program than the task's."""
    return msgspec.structs.replace(trajectory, program_root=sha256(spec.program_root.encode()).hexdigest())
