"""The market contract as a Python object: tasks by their id, whatever records the contract wants to be brought.

The contract keeps a word and a hash per task. Key, work and result are read from its events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ..errors import NotFoundError, Reverted, UsageError
from ..words.lifecycle import TaskState
from ..words.task import Audit, Commitment, Task
from .client import Client, TransactionReceipt
from .contract import ZERO_ADDRESS, Contract
from .event import Event, decode_event
from .records import NO_RESULT, Opening, Result, TaskKey, TaskRecord, Terms, Work, opened

__all__ = ["Market"]

_ZERO_WORD = "00" * 32


class Market(Contract):
    """Tasks with escrow. Task ids and salts are 64 hex digits. `block` is the first that can hold its events."""

    kind = "market"

    def __init__(self, client: Client, address: str, block: int = 0) -> None:
        super().__init__(client, address)
        self._block = block
        self._keys: dict[str, tuple[TaskKey, Work]] = {}
        self._at = ""
        self._records: dict[str, TaskRecord] = {}

    def many(self, calls: Sequence[bytes]) -> TransactionReceipt:
        """Several calls in one transaction, all of them or none; each is call data as `abi.encode` makes it."""
        return self._send("multicall", list(calls))

    # -- the submitter's -----------------------------------------------------------------------------------------

    def post(self, salt: str, terms: Terms, work: Work) -> str:
        """Open a task; its escrow is taken from what the caller is owed here, the rest must have been approved. Returns its
        id. The same salt and terms again are refused, so a post that is repeated after a crash is paid once."""
        receipt = self._send("post", salt, asdict(terms), asdict(work))
        return str(self.emitted(receipt, "Posted")[0]["id"])

    def deposit(self, amount: int) -> TransactionReceipt:
        """Pay in for tasks to come; `amount` must have been approved."""
        return self._send("deposit", amount)

    def cancel(self, task: str) -> TransactionReceipt:
        """Take back a task that nobody has accepted."""
        return self._send("cancel", self._key(task))

    # -- the solver's --------------------------------------------------------------------------------------------

    def accept(self, task: str) -> TransactionReceipt:
        """Take an open task; locks its collateral."""
        return self._send("accept", self._key(task))

    def commit(self, task: str, commitment: Commitment) -> TransactionReceipt:
        """Swear to a result."""
        blob = commitment.trajectory
        return self._send("commit", self._key(task), commitment.root, commitment.final_root, blob.sha256, blob.size)

    def reveal(self, task: str, position: int, openings: Sequence[Opening]) -> TransactionReceipt:
        """Open the traces of the verifier at `position`, one opening per interval in the order drawn. Settles the task if
        nothing can be said any more."""
        return self._send("reveal", *self._both(task), position, *opened(openings))

    def concede(self, task: str, interval: int) -> TransactionReceipt:
        """Admit that a fault of the machine spoilt one interval: costs the work and the verifiers' fees."""
        return self._send("concede", *self._both(task), interval)

    # -- the verifier's and the whistleblower's -------------------------------------------------------------------

    def attest(self, task: str, commitment: str) -> TransactionReceipt:
        """Seal what the caller, who was drawn, found. Draws if nobody has."""
        return self._send("attest", *self._both(task), commitment)

    def accuse(self, task: str, commitment: str) -> TransactionReceipt:
        """Seal a finding of somebody who was not drawn."""
        return self._send("accuse", *self._both(task), commitment)

    def release(
        self, task: str, account: str, kind: int = 0, interval: int = 0, salt: str = _ZERO_WORD
    ) -> TransactionReceipt:
        """Free what an accusation has locked, when the task has ended, or a verifier of a condemned one shows its finding."""
        return self._send("release", self._key(task), account, kind, interval, salt)

    # -- anybody's -----------------------------------------------------------------------------------------------

    def draw(self, task: str) -> TransactionReceipt:
        """Draw the verifiers, in a later block than the commitment's. Check for Drawn: it may re-anchor instead."""
        return self._send("draw", *self._both(task))

    def settle(self, task: str) -> TransactionReceipt:
        """Pay everybody."""
        return self._send("settle", *self._both(task))

    def expire(self, task: str) -> TransactionReceipt:
        """End a state whose deadline is over: `settle`, by the name of what is meant."""
        return self.settle(task)

    def withdraw(self) -> TransactionReceipt:
        """Take all that the caller is owed."""
        return self._send("withdraw")

    # -- views ---------------------------------------------------------------------------------------------------

    def task_id(self, submitter: str, salt: str, terms: Terms) -> str:
        """The id that a task has or will have."""
        return str(self._view("task_id", asdict(TaskKey(submitter, salt, terms))))

    def state(self, task: str) -> TaskState:
        """The state of a task; NONE if there is none."""
        return TaskState(self._view("state", task))

    def task(self, task: str) -> Task:
        """The task. Raises NotFoundError if there is none."""
        return self.record(task).task

    def record(self, task: str) -> TaskRecord:
        """All that is known about a task. Raises NotFoundError if there is none.

        What was read at a head of the chain is known while the head is the same block: who waits for others to act asks
        often, and a chain that went back has another head.
        """
        head = self.client.head()
        if head.hash != self._at:
            self._at, self._records = head.hash, {}
        if task not in self._records:
            found = self._read(task, head.number)
            if self.client.head().hash == head.hash:
                self._records[task] = found
            return found
        return self._records[task]

    def _read(self, task: str, head: int) -> TaskRecord:
        found = self._view("tasks", task)
        state = TaskState(found["state"])
        if state is TaskState.NONE:
            self._keys.pop(task, None)  # a chain that went back has never had it
            raise _unknown(task)
        key, work = self._posted(task)
        began = state not in (TaskState.OPEN, TaskState.ASSIGNED)
        events = self.events(task, last=head) if began else []
        result = _result(events)
        preview = self._preview(key, result) if state is TaskState.COMMITTED and not result.drawn else result
        return TaskRecord(
            task=_task(task, found, key, work, preview),
            key=key,
            work=work,
            result=result,
            preview=preview,
            attestations=found["attestations"],
            attested=frozenset(event.args["position"] for event in events if event.name == "Attested"),
            revealed=_bits(found["revealed"]),
            matched=_bits(found["matched"]),
            accusations=found["accusations"],
            games=found["games"],
            shown=next(
                (e.args["result"]["root"] for e in reversed(events) if e.name == "Replaced" and not e.args["mark"]),
                result.root,
            ),
            unsealed=not key.terms.forced or any(e.name == "Replaced" and e.args["mark"] for e in events),
        )

    def result(self, task: str) -> Result:
        """What the solver swears to and what was drawn, from the events."""
        return _result(self.events(task))

    def _preview(self, key: TaskKey, result: Result) -> Result:
        """The draw that the first attestation would make now; `result` where it is too early or too late for one."""
        try:
            found = self._view("draw", asdict(key), asdict(result))
        except Reverted:
            return result
        return Result(**found)

    def events(self, task: str, since: int = 0, last: int | None = None) -> list[Event]:
        """All that happened to a task, in order, in the blocks `since` to `last`; what its receipt is made of."""
        first, end = max(since, self._block), self.client.head().number if last is None else last
        logs = self.client.logs(first, end, [self.address], [None, _topic(task)])
        decoded = (decode_event({self.address: self.kind}, log) for log in logs)
        return [event for event in decoded if event is not None]

    def posted(self) -> list[str]:
        """The ids of all tasks, in the order in which they were posted."""
        logs = self.client.logs(self._block, self.client.head().number, [self.address], [self.abi.topic("Posted")])
        decoded = (decode_event({self.address: self.kind}, log) for log in logs)
        return [event.task for event in decoded if event is not None]

    def sealed(self, task: str, account: str) -> str:
        """What an account has sealed about a task: zeros if nothing, a small number once it was opened as a dispute."""
        return str(self._view("sealed", task, account))

    def accusing(self, task: str, account: str) -> bool:
        """Whether an account's accusation still locks a part of its stake."""
        return int(self._view("accusing", task, account)) != 0

    def condemned_at(self, task: str) -> int:
        """When a task's result was ruled to be wrong, in Unix seconds; 0 if it was not."""
        return int(self._view("condemned_at", task))

    def verifier_lock(self) -> int:
        """What an attestation locks of a verifier's stake."""
        return int(self._view("verifier_lock"))

    def whistleblower_lock(self) -> int:
        """What an accusation locks of a whistleblower's stake."""
        return int(self._view("whistleblower_lock"))

    def has_answered(self, task: str) -> bool:
        """Whether the solver has made a move in a dispute about the task."""
        return bool(self._view("has_answered", task))

    def game(self) -> str:
        """Address of the contract in which findings are disputed."""
        return str(self._view("game"))

    def owed(self, account: str) -> int:
        """What `account` may withdraw."""
        return int(self._view("owed", account))

    def token(self) -> str:
        """Address of the currency."""
        return str(self._view("token"))

    def stakes(self) -> str:
        """Address of the registry of solvers and verifiers."""
        return str(self._view("stakes"))

    def _posted(self, task: str) -> tuple[TaskKey, Work]:
        """Key and work of a task; they never change."""
        if task not in self._keys:
            topics = [self.abi.topic("Posted"), _topic(task)]
            logs = self.client.logs(self._block, self.client.head().number, [self.address], topics)
            event = decode_event({self.address: self.kind}, logs[0]) if logs else None
            if event is None:
                raise _unknown(task)
            args = event.args
            key = TaskKey(args["submitter"], args["salt"], Terms(**args["terms"]))
            self._keys[task] = key, Work(**args["work"])
        return self._keys[task]

    def _key(self, task: str) -> dict[str, Any]:
        return asdict(self._posted(task)[0])

    def _both(self, task: str) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._key(task), asdict(self.result(task))


def _topic(task: str) -> str:
    """A task's id among the topics of its events. Raises UsageError if it can't be one."""
    word = task.removeprefix("0x")
    if len(word) != 64 or not set(word.lower()) <= set("0123456789abcdef"):
        raise UsageError(f"A task is named by 64 hex digits, not by {task!r}.", task=task)
    return "0x" + word


def _unknown(task: str) -> NotFoundError:
    return NotFoundError(f"There is no task {task} on this network.", task=task)


def _result(events: Sequence[Event]) -> Result:
    result = NO_RESULT
    for event in events:
        result = result.after(event.name, event.args)
    return result


def _bits(mask: int) -> frozenset[int]:
    return frozenset(j for j in range(mask.bit_length()) if mask >> j & 1)


def _task(task: str, found: dict[str, Any], key: TaskKey, work: Work, result: Result) -> Task:
    terms, solver = key.terms, found["solver"]
    return Task(
        id=task,
        spec=work.spec,
        state=TaskState(found["state"]),
        submitter=key.submitter,
        solver="" if solver == ZERO_ADDRESS else solver,
        price=terms.price,
        fee=terms.fee,
        intervals=-(-terms.steps // terms.interval),
        audit=Audit(verifiers=terms.verifiers, intervals=terms.audit_intervals),
        deadline=found["deadline"],
        verifiers=result.verifiers,
    )
