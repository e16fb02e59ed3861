"""The audit of a committed result: check the trajectory, replay some intervals, seal what was found.

Drawn verifiers and whistleblowers do the same; what they seal is either a match, or a finding that the game can decide.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import msgspec

from assay.errors import BlobMissing, MismatchError
from assay.proof import Finding, Runner, check_checkpoint, commitment_root, replay_interval, validate
from assay.proof.replay import OTHER_ROWS, OTHER_STATE, OTHER_TRACE
from assay.words import Blob, Commitment, Kind, Record, TaskSpec, Trajectory, Verdict, parse

from .attestation import blinded, finding_commitment, match_commitment

__all__ = ["Sealed", "audit", "read_trajectory", "trajectory_limit"]

NO_ROOT = "0" * 64

_KINDS = {OTHER_ROWS: Kind.BATCHES, OTHER_STATE: Kind.INTERVAL, OTHER_TRACE: Kind.TRACE}
_IN_LEAVES = ("same_program", "right_steps", "initial_state", "final_root")
"""Rules that two leaves side by side are seen to break."""

OnInterval = Callable[[int, int], None]
"""Called after each replayed interval with how many are done and how many there are."""


class Sealed(Record, frozen=True):
    """What somebody remembers between sealing and opening. `kind` 0 means that everything matched.

    `checkpoint` is that of which data are missing.
    """

    task: str
    account: str
    commitment: str
    intervals: tuple[int, ...]
    kind: Kind = Kind.NONE
    interval: int = 0
    checkpoint: int = 0
    step: int = 0
    found_root: str = NO_ROOT
    salt: str = NO_ROOT
    blind: str = NO_ROOT
    """What hides `found_root` in the salt: whoever has replayed can show later that it knew (jackpot.vy)."""

    @property
    def matched(self) -> bool:
        """Whether nothing wrong was found."""
        return self.kind is Kind.NONE

    @property
    def withheld(self) -> bool:
        """Whether data could not be had."""
        return self.kind in (Kind.LEAF, Kind.DATA)

    @property
    def verdict(self) -> Verdict:
        """The finding in words."""
        if self.matched:
            return Verdict(self.task, self.account, self.intervals, matched=True)
        return Verdict(
            self.task,
            self.account,
            self.intervals,
            False,
            self.step,
            self.interval,
            self.found_root,
            self.kind.sentence,
        )


def trajectory_limit(spec: TaskSpec) -> int:
    """An upper bound in bytes of a trajectory of `spec`: nobody need fetch more, whatever size a solver announces."""
    return 512 + 512 * (spec.intervals + 1)


def read_trajectory(data: bytes, commitment: Commitment, spec: TaskSpec, runner: Runner) -> Trajectory:
    """The trajectory behind a commitment. Raises MismatchError if it is not the committed one or breaks a rule."""
    try:
        trajectory = parse(Trajectory, data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as reason:
        raise MismatchError(f"The trajectory can't be read: {reason}", step=0) from reason
    found = commitment_root(trajectory).hex() if trajectory.checkpoints else NO_ROOT
    expected = commitment.root
    if found != expected:
        raise MismatchError(
            "The published trajectory is not the committed one.", step=0, found=found, expected=expected
        )
    validate(trajectory, spec, runner.ports)
    # The contract binds the final root by itself only where the last interval is revealed; receipts show it always.
    last = trajectory.checkpoints[-1]
    if last.state_root != commitment.final_root:
        raise MismatchError(
            "The final root is not the last checkpoint's.",
            step=last.step,
            rule="final_root",
            found=commitment.final_root,
        )
    return trajectory


def audit(
    task: str,
    account: str,
    runner: Runner,
    trajectory: Callable[[], Trajectory],
    source: Callable[[Blob], bytes],
    intervals: Sequence[int],
    on_interval: OnInterval | None = None,
) -> Sealed:
    """Replay `intervals` of a task and seal the result.

    `trajectory` fetches and checks the trajectory, `source` gives a checkpoint's bytes; a BlobMissing from either is a
    finding (data withheld), since the solver has to keep what it committed to.
    """
    digests: dict[int, bytes] = {}
    last = runner.spec.intervals
    # In order of steps, not as drawn, so that what is reported is the earliest difference that can be seen here.
    ordered = sorted(set(intervals))
    wanted, seal = -1, _Seal(task, account, tuple(intervals), runner.spec)
    try:
        listed = trajectory()
        # All of it has to be there before a step is replayed. The final state, too: it is what the submitter pays for,
        # and no interval begins with it.
        for wanted in (*ordered, last):
            source(listed.checkpoints[wanted].blob)
        for wanted in ordered:
            finding = replay_interval(runner, source, listed, wanted)
            if not finding.matched:
                return seal.of(finding)
            digests[wanted] = finding.digest
            if on_interval is not None:
                on_interval(len(digests), len(ordered))
        if check_checkpoint(runner, source, listed, last):
            return seal.missing(last)
    except MismatchError as broken:
        return seal.broken(broken, ordered[0])
    except BlobMissing:
        return seal(Kind.LEAF, ordered[0], seal.start(ordered[0])) if wanted < 0 else seal.missing(wanted)
    return Sealed(task, account, match_commitment(task, account, [digests[k] for k in intervals]), tuple(intervals))


class _Seal:
    """Makes a finding of what an audit came upon."""

    def __init__(self, task: str, account: str, intervals: tuple[int, ...], spec: TaskSpec) -> None:
        self._task, self._account, self._intervals, self._spec = task, account, intervals, spec

    def __call__(self, kind: Kind, interval: int, step: int, found_root: str = NO_ROOT, checkpoint: int = 0) -> Sealed:
        blind = secrets.token_bytes(32)
        salt = blinded(found_root, blind)
        commitment = finding_commitment(self._task, self._account, kind, interval, salt)
        return Sealed(
            self._task,
            self._account,
            commitment,
            self._intervals,
            kind,
            interval,
            checkpoint,
            step,
            found_root,
            salt.hex(),
            blind.hex(),
        )

    def start(self, interval: int) -> int:
        """The first step of an interval."""
        return min(self._spec.steps, self._spec.bounds(interval)[0])

    def missing(self, checkpoint: int, found_root: str = NO_ROOT) -> Sealed:
        """The bytes of a checkpoint can't be had, or are not the committed state."""
        interval = min(checkpoint, self._spec.intervals - 1)
        return self(Kind.DATA, interval, self.start(checkpoint), found_root, checkpoint)

    def of(self, finding: Finding) -> Sealed:
        """What a replay found. If it is neither rows, state nor trace, it is about the bytes of a checkpoint."""
        kind, place, found = _KINDS.get(finding.reason), finding.interval, finding.found_root or NO_ROOT
        if kind is None:
            return self.missing(place + (finding.step == self._spec.bounds(place)[1]), found)
        return self(kind, place, finding.step, found)

    def broken(self, error: MismatchError, wanted: int) -> Sealed:
        """A trajectory that breaks a rule: either two of its leaves show it, or it is not the committed one."""
        step, rule = max(0, int(error.evidence.get("step", 0))), error.evidence.get("rule")
        checkpoint = min(self._spec.intervals, -(-step // self._spec.interval))
        interval = max(0, checkpoint - 1)
        if rule == "right_batches":
            return self(Kind.BATCHES, interval, step)
        if rule in _IN_LEAVES:
            return self(Kind.INTERVAL, interval, step)
        if rule == "larger_than_a_state":
            return self.missing(checkpoint)
        if rule == "all_checkpoints":
            return self(Kind.LEAF, interval, step)  # the first leaf that there is not
        return self(Kind.LEAF, wanted, min(step, self._spec.steps))
