"""The contract of forced errors as a Python object: taxes, publications, seals, claims, pots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from ..proof.sampler import audit_intervals
from ..words.task import Audit, Commitment
from .client import TransactionReceipt
from .contract import Contract
from .records import TaskRecord, Terms

__all__ = ["Change", "Jackpot", "Truth", "forced_interval"]

MILLION = 10**6
_ZERO = "00" * 32


@dataclass(frozen=True, slots=True)
class Truth:
    """What a solver commits to under a seal. `secret` decides, with the draw, whether it has to err. 64 hex digits each."""

    root: str
    final_root: str
    trajectory: str
    trajectory_size: int
    secret: str

    @classmethod
    def of(cls, commitment: Commitment, secret: str) -> Truth:
        """The truth behind a commitment."""
        blob = commitment.trajectory
        return cls(commitment.root, commitment.final_root, blob.sha256, blob.size, secret)

    def seal(self, task: str) -> str:
        """keccak256(abi_encode(id, Truth)): what is committed to, as the root."""
        words = [task, self.root, self.final_root, self.trajectory]
        values = [*map(bytes.fromhex, words), self.trajectory_size, bytes.fromhex(self.secret)]
        return keccak(encode(["bytes32"] * 4 + ["uint256", "bytes32"], values)).hex()


@dataclass(frozen=True, slots=True)
class Change:
    """How a published trajectory differs from the true one: the state after one interval, in its leaf and in the next."""

    prev_root: str = _ZERO
    batches: str = _ZERO
    trace: str = _ZERO
    right: str = _ZERO
    wrong: str = _ZERO
    proof: Sequence[str] = ()
    next_state: str = _ZERO
    next_batches: str = _ZERO
    next_trace: str = _ZERO
    next_proof: Sequence[str] = ()


def forced_interval(terms: Terms, seed: str, secret: str) -> int | None:
    """Where the lot says that the solver has to err, None if it has not. `seed` is that of the draw."""
    number = int.from_bytes(keccak(bytes.fromhex(secret + seed)), "big")
    if number % MILLION >= terms.forced:
        return None
    place, slot = divmod(number // MILLION % (terms.verifiers * terms.audit_intervals), terms.audit_intervals)
    key = keccak(encode(["bytes32", "string"], [bytes.fromhex(seed), "intervals"]))
    intervals = -(-terms.steps // terms.interval)
    return audit_intervals(key, place, Audit(terms.verifiers, terms.audit_intervals), intervals)[slot]


class Jackpot(Contract):
    """Forced errors of a market."""

    kind = "jackpot"

    def reserve(self, record: TaskRecord, amount: int) -> TransactionReceipt:
        """Put down a task's tax, as its submitter; `amount` must have been approved."""
        return self._send("reserve", record.words()[0], amount)

    def reclaim(self, record: TaskRecord) -> TransactionReceipt:
        """Give back the tax of a task that ended without a published result."""
        return self._send("reclaim", record.words()[0])

    def publish(self, record: TaskRecord, commitment: Commitment) -> TransactionReceipt:
        """Publish a result after the draw, as its solver: the sealed one, or the one with the error."""
        key, result, _ = record.words()
        blob = commitment.trajectory
        return self._send("publish", key, result, commitment.root, commitment.final_root, blob.sha256, blob.size)

    def unseal(self, record: TaskRecord, truth: Truth, change: Change) -> TransactionReceipt:
        """Open the seal, when nobody can accuse any more."""
        key, result, _ = record.words()
        return self._send("unseal", key, result, asdict(truth), asdict(change))

    def claim(self, record: TaskRecord, account: str, found: str, blind: str) -> TransactionReceipt:
        """Open what `account` had sealed about the forced error."""
        key, result, _ = record.words()
        return self._send("claim", key, result, account, found, blind)

    def excuse(self, record: TaskRecord, account: str, salt: str) -> TransactionReceipt:
        """Open what `account` had sealed about the interval after it."""
        key, result, _ = record.words()
        return self._send("excuse", key, result, account, salt)

    def divide(self, task: str) -> TransactionReceipt:
        """Divide the pot of a task that has ended."""
        return self._send("divide", task)

    def withdraw(self, account: str) -> TransactionReceipt:
        """Pay an account all that it is owed here."""
        return self._send("withdraw", account)

    def reserved(self, task: str) -> int:
        """The tax that was put down for a task."""
        return int(self._view("reserves", task))

    def pool(self) -> int:
        """What pots are taken from."""
        return int(self._view("pool"))

    def seed(self, task: str) -> str:
        """The randomness that decided whether the solver of a published task had to err."""
        return str(self._view("seeds", task))

    def error(self, task: str) -> int | None:
        """The interval in which the solver had to err; None if there is none or nobody knows yet."""
        return int(self._view("errors", task)) - 1 if int(self._view("errors", task)) else None

    def pot(self, task: str) -> int:
        """What is to be divided because of a task."""
        return int(self._view("pots", task))

    def owed(self, account: str) -> int:
        """What `account` may withdraw here."""
        return int(self._view("owed", account))
