"""The three contracts as Python objects: bytes32 are 64 hex digits, addresses checksummed, amounts and times integers.

A view costs nothing; every other method sends a transaction, waits until it is mined, and raises Reverted with the
contract's own reason. Amounts are in the currency's smallest unit, times Unix seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

from ..words.lifecycle import TaskState
from ..words.task import Audit, Blob, Commitment, Task
from .client import Call, Client, TransactionReceipt
from .event import Event, abi_of, decode_event

__all__ = ["ZERO_ADDRESS", "Market", "Member", "Opening", "Role", "Stakes", "TaskRecord", "Terms", "Token"]

ZERO_ADDRESS = "0x" + "00" * 20
_ZERO_WORD = "00" * 32


class Role(IntEnum):
    """What an account puts a stake behind, as the stakes contract numbers it."""

    SOLVER = 1
    VERIFIER = 2


@dataclass(frozen=True, slots=True)
class Member:
    """An account in a role. `unlocks` is 0 while active, else when the stake may be withdrawn."""

    stake: int
    joined: int
    unlocks: int
    index: int
    endpoint: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What a submitter posts. Roots are 64 hex digits; the windows are seconds for one state each."""

    spec: str
    program_root: str
    steps: int
    interval: int
    price: int
    fee: int
    verifiers: int
    audit_intervals: int
    open_for: int
    work_for: int
    attest_for: int
    reveal_for: int


@dataclass(frozen=True, slots=True)
class Opening:
    """What a solver reveals of one interval: its trace digest and the Merkle path of its leaf, sibling first."""

    digest: str
    prev_root: str
    state_root: str
    batches: str
    proof: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """All that the market keeps about a task. `commitment` is None before the solver's; `seed` is empty before the draw."""

    task: Task
    terms: Terms
    commitment: Commitment | None
    anchor: int
    seats: int
    seed: str
    audit_seed: str
    attestations: int
    reveals: int
    matches: int


class _Contract:
    kind: str

    def __init__(self, client: Client, address: str) -> None:
        self.client, self.address = client, address
        self.abi = abi_of(self.kind)

    def _view(self, name: str, *arguments: Any) -> Any:
        return self.abi.decode(name, self.client.call(Call(self.address, self.abi.encode(name, *arguments))))

    def _send(self, name: str, *arguments: Any) -> TransactionReceipt:
        return self.client.send(Call(self.address, self.abi.encode(name, *arguments)))

    def emitted(self, receipt: TransactionReceipt, name: str) -> list[dict[str, Any]]:
        """The arguments of this contract's events called `name` in a receipt."""
        decoded = (decode_event({self.address: self.kind}, log) for log in receipt.logs)
        return [event.args for event in decoded if event is not None and event.name == name]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address})"


class Token(_Contract):
    """The currency: any ERC-20; the local network's play money has a faucet as well."""

    kind = "token"

    def faucet(self) -> TransactionReceipt:
        """Draw the one grant that every address may have."""
        return self._send("faucet")

    def transfer(self, to: str, amount: int) -> TransactionReceipt:
        """Pay `amount` to `to`."""
        return self._send("transfer", to, amount)

    def transfer_from(self, owner: str, to: str, amount: int) -> TransactionReceipt:
        """Move `amount` from `owner` to `to`, out of the caller's allowance."""
        return self._send("transferFrom", owner, to, amount)

    def approve(self, spender: str, amount: int) -> TransactionReceipt:
        """Let `spender` move up to `amount`; replaces the allowance it had."""
        return self._send("approve", spender, amount)

    def balance_of(self, owner: str) -> int:
        """What `owner` has."""
        return int(self._view("balanceOf", owner))

    def allowance(self, owner: str, spender: str) -> int:
        """What `spender` may still move for `owner`."""
        return int(self._view("allowance", owner, spender))

    def total_supply(self) -> int:
        """Amount in existence."""
        return int(self._view("totalSupply"))

    def granted(self, owner: str) -> bool:
        """Whether `owner` has had its grant."""
        return bool(self._view("granted", owner))

    def grant(self) -> int:
        """What the faucet gives."""
        return int(self._view("GRANT"))

    def name(self) -> str:
        """The currency's name."""
        return str(self._view("name"))

    def symbol(self) -> str:
        """The currency's ticker."""
        return str(self._view("symbol"))

    def decimals(self) -> int:
        """Decimals of one unit."""
        return int(self._view("decimals"))


class Stakes(_Contract):
    """Who offers to solve and to verify, where they answer, and their stake."""

    kind = "stakes"

    def register(self, role: Role, amount: int, endpoint: str) -> TransactionReceipt:
        """Take a role or add to its stake; `amount` must have been approved. Endpoints have at most 200 bytes."""
        return self._send("register", role, amount, endpoint)

    def set_endpoint(self, role: Role, endpoint: str) -> TransactionReceipt:
        """Answer at `endpoint` from now on."""
        return self._send("set_endpoint", role, endpoint)

    def leave(self, role: Role) -> TransactionReceipt:
        """Give up the role; the stake unlocks after `unbonding`."""
        return self._send("leave", role)

    def withdraw(self, role: Role) -> TransactionReceipt:
        """Take back an unlocked stake."""
        return self._send("withdraw", role)

    def is_active(self, account: str, role: Role) -> bool:
        """Whether `account` holds the role now."""
        return bool(self._view("is_active", account, role))

    def stake_of(self, account: str, role: Role) -> int:
        """The stake of `account`, while unbonding too."""
        return int(self._view("stake_of", account, role))

    def endpoint_of(self, account: str, role: Role) -> str:
        """Where `account` answers; empty if it is not a member."""
        return str(self._view("endpoint_of", account, role))

    def seated(self, role: Role, index: int, since: int) -> str:
        """The member at a position if it joined in block `since` or before, else the zero address."""
        return str(self._view("seated", role, index, since))

    def member(self, account: str, role: Role) -> Member:
        """All about `account` in a role; zeros if it is not a member."""
        return Member(**self._view("members", account, role))

    def count(self, role: Role) -> int:
        """Number of active members."""
        return int(self._view("count", role))

    def at(self, role: Role, index: int) -> str:
        """The active member at a position."""
        return str(self._view("at", role, index))

    def active(self, role: Role) -> tuple[str, ...]:
        """All active members of a role, by position."""
        return tuple(self.at(role, index) for index in range(self.count(role)))

    def minimum(self, role: Role) -> int:
        """Least stake of a role."""
        return int(self._view("solver_minimum" if role == Role.SOLVER else "verifier_minimum"))

    def unbonding(self) -> int:
        """Seconds between `leave` and `withdraw`."""
        return int(self._view("unbonding"))

    def token(self) -> str:
        """Address of the currency."""
        return str(self._view("token"))


class Market(_Contract):
    """Tasks with escrow. Task ids and salts are 64 hex digits."""

    kind = "market"

    # -- the submitter's -----------------------------------------------------------------------------------------

    def post(self, salt: str, terms: Terms) -> str:
        """Open a task and pull its escrow, which must have been approved; returns its id, which follows from the salt.
        The same salt again is refused, so a post that is repeated after a crash is paid once."""
        receipt = self._send("post", salt, asdict(terms))
        return str(self.emitted(receipt, "Posted")[0]["id"])

    def cancel(self, task: str) -> TransactionReceipt:
        """Take back a task that nobody has accepted."""
        return self._send("cancel", task)

    # -- the solver's --------------------------------------------------------------------------------------------

    def accept(self, task: str) -> TransactionReceipt:
        """Take an open task."""
        return self._send("accept", task)

    def commit(self, task: str, commitment: Commitment) -> TransactionReceipt:
        """Swear to a result."""
        blob = commitment.trajectory
        return self._send("commit", task, commitment.root, commitment.final_root, blob.sha256, blob.size)

    def reveal(self, task: str, position: int, openings: Sequence[Opening]) -> TransactionReceipt:
        """Open the traces of the verifier at `position`, one opening per interval in the order drawn."""
        parts = [[getattr(o, name) for o in openings] for name in ("digest", "prev_root", "state_root", "batches")]
        return self._send("reveal", task, position, *parts, [word for o in openings for word in o.proof])

    # -- the verifier's ------------------------------------------------------------------------------------------

    def attest(self, task: str, commitment: str) -> TransactionReceipt:
        """Seal what the caller found."""
        return self._send("attest", task, commitment)

    def claim_mismatch(
        self, task: str, *, interval: int, step: int, found_root: str, reason: int, salt: str
    ) -> TransactionReceipt:
        """Open the caller's attestation as a mismatch; the submitter gets everything back."""
        return self._send("claim_mismatch", task, interval, step, found_root, reason, salt)

    # -- anybody's -----------------------------------------------------------------------------------------------

    def draw(self, task: str) -> TransactionReceipt:
        """Draw the verifiers, in a later block than the commitment's. Check for Drawn: it may re-anchor instead."""
        return self._send("draw", task)

    def close(self, task: str) -> TransactionReceipt:
        """End the wait for attestations after its deadline."""
        return self._send("close", task)

    def settle(self, task: str) -> TransactionReceipt:
        """Pay everybody."""
        return self._send("settle", task)

    def expire(self, task: str) -> TransactionReceipt:
        """End a state whose deadline is over."""
        return self._send("expire", task)

    def withdraw(self) -> TransactionReceipt:
        """Take all that the caller is owed."""
        return self._send("withdraw")

    # -- views ---------------------------------------------------------------------------------------------------

    def task_id(self, submitter: str, salt: str) -> str:
        """The id that a task has or will have."""
        return str(self._view("task_id", submitter, salt))

    def escrow_of(self, terms: Terms) -> int:
        """What posting these terms costs."""
        return int(self._view("escrow_of", asdict(terms)))

    def task(self, task: str) -> Task:
        """The task; its state is NONE if there is none."""
        return self.record(task).task

    def record(self, task: str) -> TaskRecord:
        """All that the market keeps about a task."""
        found = self._view("tasks", task)
        terms = Terms(**found["terms"])
        committed = found["root"] != _ZERO_WORD
        blob = Blob(sha256=found["trajectory"], size=found["trajectory_size"])
        drawn = found["seed"] != _ZERO_WORD
        return TaskRecord(
            task=_task(task, found, terms, self.verifiers(task) if drawn else ()),
            terms=terms,
            commitment=Commitment(root=found["root"], trajectory=blob, final_root=found["final_root"])
            if committed
            else None,
            seed=found["seed"] if drawn else "",
            audit_seed=found["audit_seed"] if drawn else "",
            **{name: found[name] for name in ("anchor", "seats", "attestations", "reveals", "matches")},
        )

    def events(self, task: str, since: int = 0) -> list[Event]:
        """All that happened to a task, in order, from block `since` on; what its receipt is made of."""
        logs = self.client.logs(since, self.client.head().number, [self.address], [None, "0x" + task])
        decoded = (decode_event({self.address: self.kind}, log) for log in logs)
        return [event for event in decoded if event is not None]

    def verifiers(self, task: str) -> tuple[str, ...]:
        """Those drawn, by position; empty before the draw."""
        return tuple(self._view("verifiers", task))

    def drawn_intervals(self, task: str, position: int) -> tuple[int, ...]:
        """The intervals that the verifier at `position` replays, in the order drawn."""
        return tuple(self._view("drawn_intervals", task, position))

    def proof_depth(self, task: str) -> int:
        """Words of one Merkle path in a reveal."""
        return int(self._view("proof_depth", task))

    def permute(self, x: int, n: int, key: str) -> int:
        """The permutation that draws verifiers and intervals."""
        return int(self._view("permute", x, n, key))

    def task_count(self) -> int:
        """Number of tasks ever posted."""
        return int(self._view("task_count"))

    def task_at(self, index: int) -> str:
        """The id of the task posted as number `index`, from 0."""
        return str(self._view("task_at", index))

    def attestation(self, task: str, position: int) -> str:
        """What the verifier at `position` attested; zeros if it has not."""
        return str(self._view("attestation", task, position))

    def revealed(self, task: str, position: int) -> bool:
        """Whether the solver has revealed for the verifier at `position`."""
        return bool(self._view("revealed", task, position))

    def matched(self, task: str, position: int) -> bool:
        """Whether the verifier at `position` attested to the trace that was revealed."""
        return bool(self._view("matched", task, position))

    def owed(self, account: str) -> int:
        """What `account` may withdraw."""
        return int(self._view("owed", account))

    def token(self) -> str:
        """Address of the currency."""
        return str(self._view("token"))

    def stakes(self) -> str:
        """Address of the registry of solvers and verifiers."""
        return str(self._view("stakes"))


def _task(task: str, found: dict[str, Any], terms: Terms, verifiers: tuple[str, ...]) -> Task:
    solver = found["solver"]
    exists = found["state"] != TaskState.NONE
    return Task(
        id=task,
        spec=terms.spec,
        state=TaskState(found["state"]),
        submitter=found["submitter"] if exists else "",
        solver="" if solver == ZERO_ADDRESS else solver,
        price=terms.price,
        fee=terms.fee,
        intervals=-(-terms.steps // terms.interval) if exists else 0,
        audit=Audit(verifiers=terms.verifiers, intervals=terms.audit_intervals),
        deadline=found["deadline"],
        verifiers=verifiers,
    )
