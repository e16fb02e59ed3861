"""What in a task could keep a solver that works honestly from its pay, or take more from its machine than was paid for.

Whoever posts a task writes its terms; the contract only checks that they can be carried out by somebody, somehow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from assay.chain import Terms
from assay.program import Program
from assay.proof import size_limit
from assay.words import TaskSpec
from assay.words.units import seconds

__all__ = ["HAZARDS", "MOST_DATASET_BYTES", "hazard"]

SLOW_MACHINE = 1e9
"""Scalar operations per second that any solver or verifier is expected to do."""

SLOW_STEP = 1e-3
"""Seconds that a step may take besides its operations."""

MARGIN = 10
"""Seconds that every window needs for what is not computation: transactions, transfers, a process that is restarted."""

MOST_STEPS, LONGEST_INTERVAL = 10_000_000, 100_000
"""The metrics of an interval's steps, and the rows of all of them, are held or hashed at once."""

MOST_DATASET_BYTES, MOST_CHECKPOINT_BYTES = 4 << 30, 64 << 30


class Offer(Protocol):
    """A posted task."""

    @property
    def spec(self) -> TaskSpec: ...
    @property
    def program(self) -> Program: ...
    @property
    def terms(self) -> Terms: ...


def time_is_too_short(task: Offer) -> str | None:
    """What can't be committed, attested or revealed in time is refunded, and the submitter has the checkpoints as well."""
    step = task.program.cost.operations / SLOW_MACHINE + SLOW_STEP
    replayed = min(task.spec.steps, task.spec.audit.intervals * task.spec.interval)
    needed = {
        "working": (task.terms.work_for, task.spec.steps * step),
        "attesting": (task.terms.attest_for, 2 * replayed * step),  # half of it is for data that come late
        "revealing": (task.terms.reveal_for, 0.0),
    }
    for name, (given, computing) in needed.items():
        if given < MARGIN + computing:
            return f"its time for {name}, {seconds(given)}, is less than the {seconds(MARGIN + computing)} it may take"
    return None


def verifiers_are_not_paid(task: Offer) -> str | None:
    """Nobody has a reason to attest, and without an attestation there is no pay."""
    return None if task.terms.fee > 0 else "its verifiers are not paid"


def initial_state_is_padded(task: Offer) -> str | None:
    """Verifiers take no larger checkpoint than a state needs, and the initial state is the first of them."""
    limit = size_limit(task.program.state)
    if task.spec.initial.size > limit:
        return f"its initial state has {task.spec.initial.size} bytes; verifiers take {limit}"
    return None


def too_large(task: Offer) -> str | None:
    """Prices count operations only; memory, disk and a program's own steps are bounded here."""
    stored = (task.spec.intervals + 1) * size_limit(task.program.state)
    sizes = {
        "steps": (task.spec.steps, MOST_STEPS),
        "steps in an interval": (min(task.spec.interval, task.spec.steps), LONGEST_INTERVAL),
        "bytes of data": (task.spec.dataset.size, MOST_DATASET_BYTES),
        "bytes of checkpoints": (stored, MOST_CHECKPOINT_BYTES),
    }
    for name, (found, limit) in sizes.items():
        if found > limit:
            return f"it has {found} {name}; this solver takes {limit}"
    return None


HAZARDS: tuple[Callable[[Offer], str | None], ...] = (
    time_is_too_short,
    verifiers_are_not_paid,
    initial_state_is_padded,
    too_large,
)


def hazard(task: Offer) -> str | None:
    """Why it would not be safe to take the task, or None."""
    return next((reason for check in HAZARDS if (reason := check(task))), None)
