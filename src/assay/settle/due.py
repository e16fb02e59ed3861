"""Which push a task is due: pure rules, so that no state can last for ever and every role agrees on what comes next."""

from __future__ import annotations

from enum import StrEnum

from assay.words import Task, TaskState

__all__ = ["Push", "due"]


class Push(StrEnum):
    """Transactions that anyone may send to move a task on."""

    DRAW = "draw"
    SETTLE = "settle"
    EXPIRE = "expire"


def due(task: Task, now: int, *, revealed: bool = False) -> Push | None:
    """The push that `task` is ready for at chain time `now` (Unix seconds), or None.

    `revealed` says that the solver has opened its traces for every verifier that attested, that all of them matched, and that
    nobody can or may accuse any more. Disputes have clocks of their own.
    """
    late = now > task.deadline
    match task.state:
        case TaskState.OPEN | TaskState.ASSIGNED | TaskState.COMMITTED if late:
            return Push.EXPIRE
        case TaskState.COMMITTED if not task.verifiers:
            return Push.DRAW
        case TaskState.AUDITED if revealed or late:
            return Push.SETTLE
        case _:
            return None
