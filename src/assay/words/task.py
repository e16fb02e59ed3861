"""TaskSpec -> Task -> Commitment -> Verdict -> Receipt: what each stage hands to the next."""

from __future__ import annotations

from typing import Annotated

import msgspec

from .canonical import Record
from .lifecycle import TaskState

__all__ = [
    "Audit",
    "Blob",
    "Caught",
    "Checkpoint",
    "Commitment",
    "Receipt",
    "Root",
    "Task",
    "TaskSpec",
    "Trajectory",
    "Verdict",
]

Root = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
"""A SHA-256 as 64 lower-case hex digits."""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=2**53)]


class Blob(Record, frozen=True):
    """Bytes in the store: their SHA-256 and exact size."""

    sha256: Root
    size: Count


class Audit(Record, frozen=True):
    """How much is replayed: `verifiers` are drawn, each replays `intervals` intervals."""

    verifiers: Positive
    intervals: Positive


class TaskSpec(Record, frozen=True):
    """All that defines a computation, and nothing else: two equal specs have the same final root.

    The rows of step s are `sampler.batch(seed, s, batch_size, rows)`; checkpoints are at the steps
    0, interval, 2·interval, ... and at `steps`.
    """

    name: Annotated[str, msgspec.Meta(max_length=120)]
    program: Blob
    program_root: Root
    initial: Blob
    initial_root: Root
    dataset: Blob
    dataset_root: Root
    rows: Positive
    batch_size: Positive
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    steps: Positive
    interval: Positive
    audit: Audit
    numerics: str = "exact-1"
    sampler: str = "feistel-1"
    version: int = 1

    @property
    def intervals(self) -> int:
        """Number of checkpoint intervals; the last one may be shorter."""
        return -(-self.steps // self.interval)

    def bounds(self, index: int) -> tuple[int, int]:
        """First and one-past-last step of interval `index`."""
        return index * self.interval, min(self.steps, (index + 1) * self.interval)


class Checkpoint(Record, frozen=True):
    """A state at a committed step. `trace` commits to the fingerprints of the interval that ends here (step > 0)."""

    step: Count
    state_root: Root
    blob: Blob
    batches: Root
    trace: Root


class Trajectory(Record, frozen=True):
    """The solver's list of checkpoints, published in the store; its Merkle root is the commitment."""

    program_root: Root
    dataset_root: Root
    checkpoints: tuple[Checkpoint, ...]


class Task(Record, frozen=True):
    """A task as the chain knows it. Amounts are in the currency's smallest unit; times are Unix seconds."""

    id: str
    spec: Root
    state: TaskState
    submitter: str
    solver: str
    price: int
    fee: int
    intervals: int
    audit: Audit
    deadline: int
    verifiers: tuple[str, ...] = ()


class Commitment(Record, frozen=True):
    """What the solver swears to: the trajectory's root, its blob, and the final state's root."""

    root: Root
    trajectory: Blob
    final_root: Root


class Verdict(Record, frozen=True):
    """What a verifier found in the intervals that it drew. `step` is the first differing checkpoint, or -1."""

    task: str
    verifier: str
    intervals: tuple[int, ...]
    matched: bool
    step: int = -1
    interval: int = -1
    found_root: str = ""
    reason: str = ""


class Caught(Record, frozen=True):
    """Who was found out: by whom, at which step, and what they were paid (always 0)."""

    who: str
    role: str
    by: str
    step: int
    reason: str
    paid: int = 0


class Receipt(Record, frozen=True):
    """Who was paid, refunded, and why. Amounts are in the currency's smallest unit."""

    task: str
    outcome: str
    spec: Root
    submitter: str
    solver: str
    state_root: str
    escrow: int
    paid: int
    refunded: int
    payments: dict[str, int]
    verifiers: tuple[str, ...]
    caught: tuple[Caught, ...]
    reason: str
    slashed: dict[str, int] = msgspec.field(default_factory=dict)
    """What each account lost of its stake."""
    ruling: str = ""
    """How a dispute ended, in words; empty if there was none."""
