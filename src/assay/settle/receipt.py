"""The receipt of a finished task, put together from what the contract logged and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from assay.chain import TaskRecord
from assay.words import Caught, Kind, Receipt, TaskState

__all__ = ["receipt"]


def first_step(record: TaskRecord, position: int) -> int:
    """The first step that the verifier at `position` had to replay: where a lazy one is known to have done nothing."""
    return min(record.drawn_intervals(position)) * record.terms.interval


def receipt(record: TaskRecord, events: Iterable[tuple[str, Mapping[str, Any]]]) -> Receipt:
    """`events` are (name, arguments) of the task's market events, in order. The task must be in a final state."""
    task = record.task
    payments: dict[str, int] = {}
    caught: list[Caught] = []
    facts: dict[str, Any] = {"paid": 0, "refunded": 0, "reason": "", "escrow": 0, "state_root": ""}
    slashed: dict[str, int] = {}
    kinds: dict[str, Kind] = {}
    ruling = ""
    drawn: tuple[str, ...] = ()
    for name, found in events:
        match name:
            case "Posted":
                facts["escrow"] = found["escrow"]
            case "Drawn":
                drawn = tuple(found["verifiers"])
            case "Committed":
                facts["state_root"] = found["final_root"]
            case "Disputed":
                kinds[found["challenger"]] = Kind(found["kind"])
            case "Ruled":
                ruling = _ruling(found["upheld"], found["interval"], kinds[found["challenger"]])
                if found["upheld"]:
                    step = min((found["interval"] + 1) * record.terms.interval, record.terms.steps)
                    reason = kinds[found["challenger"]].sentence
                    caught.append(Caught(task.solver, "solver", found["challenger"], step, reason))
            case "Fault":
                ruling = f"a fault of the solver's machine in interval {found['interval']}, conceded"
            case "Condemned":
                slashed[found["account"]] = slashed.get(found["account"], 0) + found["amount"]
            case "LazyVerifier":
                reason = "attested to traces that a replay does not give"
                step = first_step(record, task.verifiers.index(found["verifier"]))
                caught.append(Caught(found["verifier"], "verifier", "the opened traces", step, reason))
            case "Credited":
                payments[found["account"]] = payments.get(found["account"], 0) + found["amount"]
            case "Settled":
                facts |= {
                    "paid": found["paid"] + found["fees"],
                    "refunded": found["refunded"],
                    "reason": "the result held",
                }
            case "Refunded":
                facts |= {"refunded": found["amount"], "reason": found["reason"]}
    return Receipt(
        task=task.id,
        outcome="settled" if task.state is TaskState.SETTLED else "refunded",
        spec=task.spec,
        submitter=task.submitter,
        solver=task.solver,
        payments=payments,
        verifiers=drawn,
        caught=tuple(caught),
        slashed=slashed,
        ruling=ruling,
        **facts,
    )


def _ruling(upheld: bool, interval: int, kind: Kind) -> str:
    what = "proven" if upheld else "not shown"
    return f"{what} to the contract: {kind.sentence} in interval {interval}"
