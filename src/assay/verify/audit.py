"""One verifier's audit of a committed task: check the trajectory, replay the drawn intervals, seal what was found."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import msgspec

from assay.errors import BlobMissing, MismatchError
from assay.proof import Finding, Runner, check_checkpoint, commitment_root, replay_interval, validate
from assay.words import Blob, Commitment, Record, TaskSpec, Trajectory, Verdict, parse

from .attestation import match_commitment, mismatch_commitment

__all__ = ["MALFORMED", "STATE_DIFFERS", "WITHHELD", "Sealed", "audit", "read_trajectory", "trajectory_limit"]

STATE_DIFFERS, WITHHELD, INITIAL_DIFFERS, MALFORMED = 1, 2, 3, 4
NO_ROOT = "0" * 64

OnInterval = Callable[[int, int], None]
"""Called after each replayed interval with how many are done and how many there are."""


class Sealed(Record, frozen=True):
    """What a verifier remembers between attesting and opening. `reason` 0 means that everything matched."""

    task: str
    verifier: str
    commitment: str
    intervals: tuple[int, ...]
    interval: int = 0
    step: int = 0
    found_root: str = NO_ROOT
    reason: int = 0
    salt: str = NO_ROOT

    @property
    def matched(self) -> bool:
        """Whether the verifier found nothing wrong."""
        return self.reason == 0

    @property
    def verdict(self) -> Verdict:
        """The finding in words."""
        from .attestation import REASONS

        if self.matched:
            return Verdict(self.task, self.verifier, self.intervals, matched=True)
        return Verdict(
            self.task,
            self.verifier,
            self.intervals,
            False,
            self.step,
            self.interval,
            self.found_root,
            REASONS[self.reason],
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
        raise MismatchError("The final root is not the last checkpoint's.", step=last.step, found=commitment.final_root)
    return trajectory


def audit(
    task: str,
    verifier: str,
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
    # In order of steps, not as drawn, so that what is reported is the earliest difference that this verifier can see.
    ordered = sorted(set(intervals))
    wanted = ordered[0]
    try:
        listed = trajectory()
        # All of it has to be there before a step is replayed. The final state, too: it is what the submitter pays for,
        # and no interval begins with it.
        for wanted in (*ordered, last):
            source(listed.checkpoints[wanted].blob)
        for wanted in ordered:
            finding = replay_interval(runner, source, listed, wanted)
            if not finding.matched:
                return _mismatch(task, verifier, intervals, finding)
            digests[wanted] = finding.digest
            if on_interval is not None:
                on_interval(len(digests), len(ordered))
        if final := check_checkpoint(runner, source, listed, last):
            return _mismatch(task, verifier, intervals, final)
    except MismatchError as broken:
        step = max(0, int(broken.evidence.get("step", 0)))
        reason = INITIAL_DIFFERS if broken.evidence.get("rule") == "initial_state" else MALFORMED
        return _sealed(task, verifier, intervals, 0, min(step, runner.spec.steps), NO_ROOT, reason)
    except BlobMissing:
        step = min(runner.spec.steps, runner.spec.bounds(wanted)[0])
        return _sealed(task, verifier, intervals, min(wanted, last - 1), step, NO_ROOT, WITHHELD)
    return Sealed(task, verifier, match_commitment(task, verifier, [digests[k] for k in intervals]), tuple(intervals))


def _mismatch(task: str, verifier: str, intervals: Sequence[int], finding: Finding) -> Sealed:
    found = finding.found_root or NO_ROOT
    return _sealed(task, verifier, intervals, finding.interval, finding.step, found, STATE_DIFFERS)


def _sealed(
    task: str, verifier: str, intervals: Sequence[int], interval: int, step: int, found_root: str, reason: int
) -> Sealed:
    salt = secrets.token_bytes(32)
    commitment = mismatch_commitment(task, verifier, interval, step, found_root, reason, salt)
    return Sealed(task, verifier, commitment, tuple(intervals), interval, step, found_root, reason, salt.hex())
