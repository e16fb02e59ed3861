"""What a cheating solver has at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay.program import Program
from assay.proof import Executable, Runner, Segment, State, batches_root
from assay.solve import Worker

__all__ = ["Make", "Scene", "claimed_batches"]


def _nothing(step: int) -> State | None:
    return None


@dataclass(frozen=True)
class Scene:
    """An honest `runner` of the task, the task's initial state, an engine, and the states of tasks that were done before.

    `earlier` gives the state at a step of some earlier task of the same program, None if there is none.
    """

    runner: Runner
    initial: State
    compile_program: Callable[[Program], Executable]
    earlier: Callable[[int], State | None] = _nothing


Make = Callable[[Scene], Worker]
"""Makes the worker of a cheat."""


def claimed_batches(runner: Runner, segment: Segment) -> bytes:
    """The root over the rows that the task wants for the steps of `segment`, whatever was used."""
    spec = runner.spec
    return batches_root(spec.seed, segment.start, segment.stop, spec.batch_size, spec.rows)
