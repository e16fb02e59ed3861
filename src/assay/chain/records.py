"""The records that the chain keeps only the hash of (contracts/vyper/records.vy), field by field. Roots are 64 hex digits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, replace
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from ..proof.sampler import audit_intervals
from ..words.task import Blob, Commitment, Task

__all__ = ["NO_RESULT", "Opening", "Result", "TaskKey", "TaskRecord", "Terms", "Work", "opened"]

_ZERO = "00" * 32


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be computed, and how one quarrels about it."""

    spec: str
    code_root: str
    initial_root: str
    dataset_root: str
    rows: int
    batch_size: int
    seed: int
    ways: int
    clock: int
    extension: int
    bond: int

    @property
    def digest(self) -> str:
        """What stands in the terms: keccak256(abi_encode(Work))."""
        kinds = ["bytes32"] * 4 + ["uint256"] * 7
        values = [bytes.fromhex(v) if isinstance(v, str) else v for v in astuple(self)]
        return keccak(encode(kinds, values)).hex()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a submitter posts, beside the work, of which `work` is the hash; the windows are seconds for one state each, and
    `forced` is the chance, in parts per million, that the solver has to err on purpose (jackpot.py)."""

    work: str
    program_root: str
    steps: int
    interval: int
    price: int
    fee: int
    verifiers: int
    audit_intervals: int
    collateral: int
    verifier_collateral: int
    open_for: int
    work_for: int
    patrol_for: int
    attest_for: int
    reveal_for: int
    forced: int = 0

    @property
    def escrow(self) -> int:
        """What posting them costs."""
        return self.price + self.fee * self.verifiers


@dataclass(frozen=True, slots=True)
class TaskKey:
    """What a task's id is the hash of."""

    submitter: str
    salt: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class Result:
    """What a solver swears to, and what was drawn for it; `seed` is zero and `verifiers` empty before the draw."""

    root: str = _ZERO
    final_root: str = _ZERO
    trajectory: str = _ZERO
    trajectory_size: int = 0
    committed_at: int = 0
    anchor: int = 0
    seats: int = 0
    seed: str = _ZERO
    verifiers: tuple[str, ...] = ()

    @property
    def drawn(self) -> bool:
        """Whether verifiers were drawn."""
        return self.seed != _ZERO

    def after(self, name: str, args: dict[str, Any]) -> Result:
        """The result after the market's event `name`."""
        match name:
            case "Committed":
                names = ("root", "final_root", "trajectory", "trajectory_size", "committed_at", "anchor", "seats")
                return Result(**{field: args[field] for field in names})
            case "Replaced":
                return Result(**args["result"] | {"verifiers": tuple(args["result"]["verifiers"])})
            case "Reanchored":
                return replace(self, anchor=args["anchor"], seats=args["seats"], seed=_ZERO, verifiers=())
            case "Drawn":
                return replace(self, seed=args["seed"], verifiers=tuple(args["verifiers"]))
            case _:
                return self

    @property
    def published(self) -> bool:
        """Whether there is something to look at: with forced errors a result is sealed first."""
        return self.trajectory_size > 0

    @property
    def commitment(self) -> Commitment:
        """What the solver swears to, in the product's own words."""
        return Commitment(self.root, Blob(self.trajectory, self.trajectory_size), self.final_root)


NO_RESULT = Result()
"""Before the commitment."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a solver reveals of one interval: its trace digest and the Merkle path of its leaf, sibling first."""

    digest: str
    prev_root: str
    state_root: str
    batches: str
    proof: tuple[str, ...]


def opened(openings: Sequence[Opening]) -> tuple[bytes, bytes]:
    """What `reveal` takes: the digests, and each interval's roots with its path, 32 bytes a word."""
    words = [word for o in openings for word in (o.prev_root, o.state_root, o.batches, *o.proof)]
    return bytes.fromhex("".join(o.digest for o in openings)), bytes.fromhex("".join(words))


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """All that is known about a task. `preview` is the result as the next attestation will have it drawn.

    `attested`, `revealed` and `matched` are the positions of verifiers that have attested, for whom the solver has opened its
    traces, and who had the same.
    """

    task: Task
    key: TaskKey
    work: Work
    result: Result
    preview: Result
    attestations: int
    attested: frozenset[int]
    revealed: frozenset[int]
    matched: frozenset[int]
    accusations: int
    games: int
    unsealed: bool = True
    """False for a task with forced errors until its solver has opened the seal."""
    shown: str = ""
    """The root of what was published first, which is what attestations and findings are about."""

    @property
    def terms(self) -> Terms:
        """The terms."""
        return self.key.terms

    @property
    def commitment(self) -> Commitment | None:
        """What the solver swears to; None before it does."""
        return self.result.commitment if self.result != NO_RESULT else None

    @property
    def audit_seed(self) -> str:
        """What the verifiers' intervals are drawn with; empty before the draw."""
        seed = self.preview.seed
        return (
            keccak(encode(["bytes32", "string"], [bytes.fromhex(seed), "intervals"])).hex()
            if self.preview.drawn
            else ""
        )

    def drawn_intervals(self, position: int) -> tuple[int, ...]:
        """The intervals that the verifier at `position` replays, in the order drawn."""
        return audit_intervals(bytes.fromhex(self.audit_seed), position, self.task.audit, self.task.intervals)

    def words(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Key, result and work as the contracts take them."""
        return asdict(self.key), asdict(self.result), asdict(self.work)
