"""The list of checkpoints that a solver swears to: its leaves, its root, its openings, and what makes one acceptable.

    leaf k = sha256(04 || previous state root || state root || step 8 BE || batches || program root || trace)

Checkpoint 0 is the initial state: its previous root, batches and trace are 32 zero bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from assay.errors import MismatchError, UsageError
from assay.program.types import Port
from assay.words.canonical import Record
from assay.words.task import Blob, Checkpoint, TaskSpec, Trajectory

from . import merkle
from .checkpoint import size_limit
from .sampler import interval_root

__all__ = ["RULES", "Opening", "build", "checkpoint", "commitment_root", "leaves", "opening", "validate"]


@dataclass(frozen=True)
class Opening:
    """Leaf `index` of a commitment taken apart: what the contract needs to recompute the leaf and then the root."""

    index: int
    prev_root: bytes
    state_root: bytes
    step: int
    batches: bytes
    program_root: bytes
    trace: bytes
    proof: tuple[bytes, ...]

    @property
    def leaf(self) -> bytes:
        """The leaf hash that these fields give."""
        step = self.step.to_bytes(8, "big")
        fields = (self.prev_root, self.state_root, step, self.batches, self.program_root, self.trace)
        return sha256(b"\x04" + b"".join(fields)).digest()

    def holds(self, root: bytes) -> bool:
        """Whether this leaf is under the commitment `root`."""
        return merkle.verify(root, self.leaf, self.index, self.proof)


def checkpoint(
    step: int, state_root: bytes, blob: Blob, batches: bytes = merkle.ZERO, trace: bytes = merkle.ZERO
) -> Checkpoint:
    """The record of one checkpoint; `batches` and `trace` stay zero at step 0 only."""
    return Checkpoint(step, state_root.hex(), blob, batches.hex(), trace.hex())


def build(spec: TaskSpec, checkpoints: Iterable[Checkpoint]) -> Trajectory:
    """The trajectory of a task from its checkpoints in order of step."""
    return Trajectory(spec.program_root, spec.dataset_root, tuple(checkpoints))


def _opened(trajectory: Trajectory, k: int, proof: tuple[bytes, ...]) -> Opening:
    this = trajectory.checkpoints[k]
    previous = bytes.fromhex(trajectory.checkpoints[k - 1].state_root) if k else merkle.ZERO
    state, batches, trace = (bytes.fromhex(text) for text in (this.state_root, this.batches, this.trace))
    return Opening(k, previous, state, this.step, batches, bytes.fromhex(trajectory.program_root), trace, proof)


def leaves(trajectory: Trajectory) -> list[bytes]:
    """The leaf hash of each checkpoint."""
    return [_opened(trajectory, k, ()).leaf for k in range(len(trajectory.checkpoints))]


def commitment_root(trajectory: Trajectory) -> bytes:
    """The Merkle root over the leaves: the solver's commitment."""
    return merkle.root(leaves(trajectory))


def opening(trajectory: Trajectory, k: int) -> Opening:
    """Leaf `k` with its proof. Raises UsageError if there is no such checkpoint."""
    if not 0 <= k < len(trajectory.checkpoints):
        raise UsageError("no such checkpoint", index=k, checkpoints=len(trajectory.checkpoints))
    return _opened(trajectory, k, merkle.prove(leaves(trajectory), k))


class Broken(Record, frozen=True):
    """A rule that a trajectory breaks: at which checkpoint step (-1: none in particular), found and expected values."""

    step: int
    found: str
    expected: str


Rule = Callable[[Trajectory, TaskSpec], Iterable[Broken]]


def _differing(pairs: Iterable[tuple[int, object, object]]) -> Iterable[Broken]:
    return (Broken(step, str(found), str(expected)) for step, found, expected in pairs if found != expected)


def same_program(trajectory: Trajectory, spec: TaskSpec) -> Iterable[Broken]:
    """Another program's results prove nothing about this one."""
    return _differing([(-1, trajectory.program_root, spec.program_root)])


def same_dataset(trajectory: Trajectory, spec: TaskSpec) -> Iterable[Broken]:
    """Rows are named by index, so the dataset must be the task's."""
    return _differing([(-1, trajectory.dataset_root, spec.dataset_root)])


def all_checkpoints(trajectory: Trajectory, spec: TaskSpec) -> Iterable[Broken]:
    """One checkpoint per interval and the initial one: neither steps left out nor steps added."""
    first_missing = min(len(trajectory.checkpoints) * spec.interval, spec.steps)
    return _differing([(first_missing, len(trajectory.checkpoints), spec.intervals + 1)])


def right_steps(trajectory: Trajectory, spec: TaskSpec) -> Iterable[Broken]:
    """Checkpoints stand where the task wants them: any interval can then be replayed on its own."""
    # Named by the step that it should have: what stands there is anybody's number.
    wanted = [min(k * spec.interval, spec.steps) for k in range(len(trajectory.checkpoints))]
    return _differing((step, c.step, step) for step, c in zip(wanted, trajectory.checkpoints, strict=True))


def initial_state(trajectory: Trajectory, spec: TaskSpec) -> Iterable[Broken]:
    """Training starts from the task's initial state, and no interval leads to it."""
    first = trajectory.checkpoints[0]
    found = (first.state_root, first.batches, first.trace)
    return _differing([(0, found, (spec.initial_root, merkle.ZERO.hex(), merkle.ZERO.hex()))])


def right_batches(trajectory: Trajectory, spec: TaskSpec) -> Iterable[Broken]:
    """Every interval was trained on the rows that the sampler draws."""
    later = enumerate(trajectory.checkpoints[1:])
    return _differing((c.step, c.batches, interval_root(spec, k).hex()) for k, c in later)


RULES: tuple[Rule, ...] = (same_program, same_dataset, all_checkpoints, right_steps, initial_state, right_batches)
"""In this order: each may rely on the ones before it."""


def validate(trajectory: Trajectory, spec: TaskSpec, ports: Mapping[str, Port] | None = None) -> None:
    """Check all that needs no replay. Raises MismatchError(step=, rule=, found=, expected=) for the first broken rule.

    `ports` is the program's state (`Program.state`): with it, no checkpoint may announce a larger blob than a state
    needs, so that fetching one takes bounded space. Check the spec against the program first (`Runner` does).
    """
    for rule in RULES:
        for broken in rule(trajectory, spec):
            name, why = rule.__name__.replace("_", " "), (rule.__doc__ or "").split("\n")[0]
            raise MismatchError(
                f"the trajectory breaks the rule of {name!r}: {why}",
                step=broken.step,
                rule=rule.__name__,
                found=broken.found,
                expected=broken.expected,
            )
    limit = size_limit(ports) if ports is not None else 2**53
    for one in trajectory.checkpoints:
        if one.blob.size > limit:
            why = "a checkpoint is larger than any state of the program"
            raise MismatchError(why, step=one.step, rule="larger_than_a_state", limit=limit)
