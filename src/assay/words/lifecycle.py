"""The life of a task: Open -> Assigned -> Committed -> Audited -> [Disputed] -> Settled | Refunded."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["TaskState"]


class TaskState(IntEnum):
    """States as the market contract numbers them; every one that is not final has a deadline and a public time-out."""

    NONE = 0
    OPEN = 1
    ASSIGNED = 2
    COMMITTED = 3
    AUDITED = 4
    SETTLED = 5
    REFUNDED = 6
    DISPUTED = 7

    @property
    def sentence(self) -> str:
        """What the state means, for people."""
        return _SENTENCES[self]

    @property
    def final(self) -> bool:
        """Whether nothing can happen any more."""
        return self in (TaskState.SETTLED, TaskState.REFUNDED)

    @property
    def waits_for(self) -> str:
        """The role that must act next."""
        return _WAITS_FOR[self]


_SENTENCES = {
    TaskState.NONE: "No such task.",
    TaskState.OPEN: "The escrow is paid; any staked solver may accept.",
    TaskState.ASSIGNED: "A solver is computing.",
    TaskState.COMMITTED: "The result is committed; verifiers are drawn and replay their intervals.",
    TaskState.AUDITED: "All attestations are in; the solver opens its traces, and sealed findings are opened as disputes.",
    TaskState.SETTLED: "The result held; solver and diligent verifiers are paid.",
    TaskState.REFUNDED: "The submitter has the whole escrow back.",
    TaskState.DISPUTED: "Somebody says that the result is wrong, and has to show it, operation by operation.",
}

_WAITS_FOR = {
    TaskState.NONE: "nobody",
    TaskState.OPEN: "solver",
    TaskState.ASSIGNED: "solver",
    TaskState.COMMITTED: "verifier",
    TaskState.AUDITED: "solver",
    TaskState.SETTLED: "nobody",
    TaskState.REFUNDED: "nobody",
    TaskState.DISPUTED: "solver",
}
