"""The market as a Python object. Task ids and salts are 64 hex digits.

The chain keeps a word and a hash per task; what these stand for is read from the market's events and remembered here, so
that callers name tasks by their ids alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from ..errors import ChainUnavailable, NotFoundError, Reverted
from ..words.lifecycle import TaskState
from ..words.task import Audit, Blob, Commitment, Task
from .client import Client, TransactionReceipt
from .contract import ZERO_ADDRESS, ZERO_WORD, Contract
from .event import Event, decode_event
from .records import Opening, Sworn, TaskKey, Terms, Work

__all__ = ["Market", "TaskRecord"]


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """All that is known about a task on the chain.

    `sworn` is None before the solver's commitment; its verifiers are there as soon as they can be known, and `drawn` says
    whether the chain has them too. `revealed` and `matched` are positions of verifiers.
    """

    task: Task
    key: TaskKey | None = None
    work: Work | None = None
    sworn: Sworn | None = None
    drawn: bool = False
    attestations: int = 0
    revealed: tuple[int, ...] = ()
    matched: tuple[int, ...] = ()
    accusations: int = 0
    games: int = 0

    @property
    def terms(self) -> Terms:
        """The terms. Raises NotFoundError for a task that nobody posted."""
        return self._key.terms

    @property
    def _key(self) -> TaskKey:
        if self.key is None:
            raise NotFoundError(f"There is no task {self.task.id}.")
        return self.key

    @property
    def commitment(self) -> Commitment | None:
        """What the solver swore to, in the words of the proof."""
        if self.sworn is None:
            return None
        blob = Blob(sha256=self.sworn.trajectory, size=self.sworn.trajectory_size)
        return Commitment(root=self.sworn.root, trajectory=blob, final_root=self.sworn.final_root)

    @property
    def audit_seed(self) -> str:
        """What the intervals are drawn with; empty before that can be known."""
        if self.sworn is None or not self.sworn.drawn:
            return ""
        return keccak(encode(["bytes32", "string"], [bytes.fromhex(self.sworn.seed), "intervals"])).hex()

    @property
    def all_matched(self) -> bool:
        """Whether somebody attested, the solver has opened its traces for all who did, and each of them had the same."""
        return 0 < self.attestations == len(self.matched)


class Market(Contract):
    """Tasks with escrow. `block` is the first that can hold an event of the market."""

    kind = "market"

    def __init__(self, client: Client, address: str, block: int = 0) -> None:
        super().__init__(client, address)
        self._block = block
        self._posted: dict[str, tuple[TaskKey, Work]] = {}
        self._sworn: dict[str, Sworn] = {}

    # -- the submitter's -----------------------------------------------------------------------------------------

    def deposit(self, amount: int) -> TransactionReceipt:
        """Pay in money for tasks to come, which must have been approved."""
        return self._send("deposit", amount)

    def post(self, salt: str, terms: Terms, work: Work) -> str:
        """Open a task; what the caller is owed pays its escrow first, the rest must have been approved. Returns its id.
        The same salt and terms again are refused, so a post that is repeated after a crash is paid once."""
        receipt = self._send("post", salt, asdict(terms), asdict(work))
        return str(self.emitted(receipt, "Posted")[0]["id"])

    def cancel(self, task: str) -> TransactionReceipt:
        """Take back a task that nobody has accepted."""
        return self._send("cancel", asdict(self.key(task)))

    # -- the solver's --------------------------------------------------------------------------------------------

    def accept(self, task: str) -> TransactionReceipt:
        """Take an open task; locks its collateral."""
        return self._send("accept", asdict(self.key(task)))

    def commit(self, task: str, commitment: Commitment) -> TransactionReceipt:
        """Swear to a result."""
        blob = commitment.trajectory
        words = (commitment.root, commitment.final_root, blob.sha256, blob.size)
        return self._send("commit", asdict(self.key(task)), *words)

    def reveal(self, task: str, position: int, openings: Sequence[Opening]) -> TransactionReceipt:
        """Open the traces of the verifier at `position`, one opening per interval in the order drawn."""
        parts = [[getattr(o, name) for o in openings] for name in ("digest", "prev_root", "state_root", "batches")]
        return self._send("reveal", *self._records(task), position, *parts, [word for o in openings for word in o.proof])

    def concede(self, task: str, interval: int) -> TransactionReceipt:
        """Admit that a fault of the machine spoilt `interval`: costs the work, not the stake."""
        return self._send("concede", *self._records(task), interval)

    # -- the verifier's and the whistleblower's ------------------------------------------------------------------

    def attest(self, task: str, commitment: str) -> TransactionReceipt:
        """Seal what the caller, a drawn verifier, found. Draws if nobody has."""
        return self._send("attest", *self._records(task), commitment)

    def accuse(self, task: str, commitment: str) -> TransactionReceipt:
        """Seal a finding of somebody who was not drawn."""
        return self._send("accuse", *self._records(task), commitment)

    def release(self, task: str, account: str, kind: int, interval: int, salt: str) -> TransactionReceipt:
        """Free what an accusation, or a finding on an interval that was ruled to be wrong, has locked."""
        return self._send("release", task, account, kind, interval, salt)

    # -- anybody's -----------------------------------------------------------------------------------------------

    def multicall(self, calls: Sequence[bytes]) -> TransactionReceipt:
        """Up to 16 calls, from `abi.encode`, in one transaction: all of them or none."""
        return self._send("multicall", list(calls))

    def draw(self, task: str) -> TransactionReceipt:
        """Draw the verifiers, in a later block than the commitment's. Check for Drawn: it may re-anchor instead."""
        return self._send("draw", *self._records(task))

    def settle(self, task: str) -> TransactionReceipt:
        """Pay everybody."""
        return self._send("settle", *self._records(task))

    def expire(self, task: str) -> TransactionReceipt:
        """End a state whose deadline is over."""
        return self._send("expire", *self._records(task))

    def withdraw(self) -> TransactionReceipt:
        """Take all that the caller is owed."""
        return self._send("withdraw")

    # -- records -------------------------------------------------------------------------------------------------

    def key(self, task: str) -> TaskKey:
        """What the task is called by. Raises NotFoundError."""
        return self.posted(task)[0]

    def posted(self, task: str) -> tuple[TaskKey, Work]:
        """What was posted under this id. Raises NotFoundError."""
        if task not in self._posted:
            self._read(task)
        if task not in self._posted:
            raise NotFoundError(f"There is no task {task} on this network.", task=task)
        return self._posted[task]

    def sworn(self, task: str) -> Sworn | None:
        """The result as the chain has it, or None before the commitment."""
        kept = str(self._view("results", task))
        found = self._sworn.get(task)
        if found is None or found.hash != kept:
            found = self._read(task)
        if kept != ZERO_WORD and (found is None or found.hash != kept):
            # A block came between the two questions, or the chain's index of events lags behind.
            raise ChainUnavailable(f"The events of task {task} do not fit its state yet.", task=task)
        return found

    def preview(self, task: str) -> Sworn | None:
        """The result with the verifiers that the next block's draw will draw; without them where that is not known yet."""
        found = self.sworn(task)
        if found is None or found.drawn:
            return found
        try:
            drawn = self._view("draw", asdict(self.key(task)), asdict(found))
        except Reverted:
            return found
        # A draw that is too late takes another anchor: that is not the result yet.
        return found if drawn["seed"] == ZERO_WORD else replace(found, seed=drawn["seed"], verifiers=drawn["verifiers"])

    def _records(self, task: str) -> tuple[dict[str, Any], dict[str, Any]]:
        found = self.sworn(task) or Sworn(ZERO_WORD, ZERO_WORD, ZERO_WORD, 0, 0, 0, 0)
        return asdict(self.key(task)), asdict(found)

    def _read(self, task: str) -> Sworn | None:
        """Read the task's events again; remembers and returns what its result is by them."""
        found: Sworn | None = None
        for event in self.events(task, self._block):
            said = event.args
            match event.name:
                case "Posted":
                    key = TaskKey(said["submitter"], said["salt"], Terms(**said["terms"]))
                    if key.hash == task:
                        self._posted[task] = key, Work(**said["work"])
                case "Committed":
                    names = ("root", "final_root", "trajectory", "trajectory_size", "committed_at", "anchor", "seats")
                    found = Sworn(**{name: said[name] for name in names})
                case "Reanchored" if found is not None:
                    found = replace(found, anchor=said["anchor"], seats=said["seats"])
                case "Drawn" if found is not None:
                    found = replace(found, seed=said["seed"], verifiers=said["verifiers"])
        if found is not None:
            self._sworn[task] = found
        return found

    # -- views ---------------------------------------------------------------------------------------------------

    def task_id(self, key: TaskKey) -> str:
        """The id that a task has or will have."""
        return str(self._view("task_id", asdict(key)))

    def escrow_of(self, terms: Terms) -> int:
        """What posting these terms costs."""
        return int(self._view("escrow_of", asdict(terms)))

    def state(self, task: str) -> TaskState:
        """The state of a task; NONE if there is none."""
        return TaskState(self._view("state", task))

    def task(self, task: str) -> Task:
        """The task; its state is NONE if there is none."""
        return self.record(task).task

    def record(self, task: str) -> TaskRecord:
        """All that is known about a task."""
        found = self._view("tasks", task)
        state = TaskState(found["state"])
        if state is TaskState.NONE:
            return TaskRecord(_no_task(task))
        key, work = self.posted(task)
        sworn: Sworn | None = None
        drawn = False
        if state not in (TaskState.OPEN, TaskState.ASSIGNED):
            sworn = self.sworn(task)
            drawn = sworn is not None and sworn.drawn
            if state is TaskState.COMMITTED and not drawn:
                sworn = self.preview(task)
        counts = {name: found[name] for name in ("attestations", "accusations", "games")}
        masks = {name: _positions(found[name]) for name in ("revealed", "matched")}
        return TaskRecord(_task(found, key, work, sworn), key, work, sworn, drawn, **counts, **masks)

    def ids(self) -> tuple[str, ...]:
        """The ids of all tasks, in the order in which they were posted."""
        logs = self.client.logs(self._block, self.client.head().number, [self.address], [self.abi.topic("Posted")])
        decoded = (decode_event({self.address: self.kind}, log) for log in logs)
        return tuple(event.task for event in decoded if event is not None)

    def events(self, task: str, since: int = 0) -> list[Event]:
        """All that happened to a task, in order, from block `since` on; what its receipt is made of."""
        logs = self.client.logs(since, self.client.head().number, [self.address], [None, "0x" + task])
        decoded = (decode_event({self.address: self.kind}, log) for log in logs)
        return [event for event in decoded if event is not None]

    def proof_depth(self, terms: Terms) -> int:
        """Words of one Merkle path in a reveal."""
        return int(self._view("proof_depth", asdict(terms)))

    def sealed(self, task: str, account: str) -> str:
        """What an account has sealed about a task; zeros if nothing, 2**64 plus the interval once it is opened."""
        return str(self._view("sealed", task, account))

    def accusing(self, task: str, account: str) -> int:
        """The role with whose stake somebody who was not drawn accuses; 0 if it does not, or not any more."""
        return int(self._view("accusing", task, account))

    def charged(self, task: str) -> int:
        """The interval that the opened findings name, plus one; 0 if there is none, 2**256 - 1 if they name several."""
        return int(self._view("charged", task))

    def has_answered(self, task: str) -> bool:
        """Whether the solver has moved in a game about the task, and cannot concede any more."""
        return bool(self._view("has_answered", task))

    def condemned_at(self, task: str) -> int:
        """When the result was ruled to be wrong; 0 if it was not."""
        return int(self._view("condemned_at", task))

    def faultless_until(self, solver: str) -> int:
        """When a solver may concede a fault again."""
        return int(self._view("faultless_until", solver))

    def owed(self, account: str) -> int:
        """What `account` may withdraw, or spend on tasks."""
        return int(self._view("owed", account))

    def results(self, task: str) -> str:
        """The hash of the task's result; zeros before the commitment and after the end."""
        return str(self._view("results", task))

    def verifier_lock(self) -> int:
        """What an attestation locks."""
        return int(self._view("verifier_lock"))

    def whistleblower_lock(self) -> int:
        """What an accusation locks."""
        return int(self._view("whistleblower_lock"))

    def token(self) -> str:
        """Address of the currency."""
        return str(self._view("token"))

    def stakes(self) -> str:
        """Address of the registry of solvers, verifiers and whistleblowers."""
        return str(self._view("stakes"))

    def game(self) -> str:
        """Address of the contract in which findings are disputed."""
        return str(self._view("game"))


def _positions(mask: int) -> tuple[int, ...]:
    return tuple(j for j in range(mask.bit_length()) if mask >> j & 1)


def _no_task(task: str) -> Task:
    nothing = Audit(verifiers=0, intervals=0)
    return Task(task, ZERO_WORD, TaskState.NONE, "", "", price=0, fee=0, intervals=0, audit=nothing, deadline=0)


def _task(found: dict[str, Any], key: TaskKey, work: Work, sworn: Sworn | None) -> Task:
    terms, solver = key.terms, found["solver"]
    return Task(
        id=found["id"],
        spec=work.spec,
        state=TaskState(found["state"]),
        submitter=key.submitter,
        solver="" if solver == ZERO_ADDRESS else solver,
        price=terms.price,
        fee=terms.fee,
        intervals=-(-terms.steps // terms.interval),
        audit=Audit(verifiers=terms.verifiers, intervals=terms.audit_intervals),
        deadline=found["deadline"],
        verifiers=sworn.verifiers if sworn else (),
        collateral=terms.collateral,
        patrol_ends=sworn.committed_at + terms.patrol_for if sworn else 0,
    )
