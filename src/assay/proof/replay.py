"""Replay: compute an interval again from its first checkpoint and compare all that the solver bound to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from assay.errors import BlobRefused, UsageError
from assay.words.canonical import Record
from assay.words.task import Blob, Checkpoint, Trajectory

from . import merkle
from .checkpoint import blob_of, decode
from .roots import state_root
from .run import OnStep, Runner, Segment
from .tensors import State

__all__ = [
    "OTHER_BLOB",
    "OTHER_ROWS",
    "OTHER_STATE",
    "OTHER_TRACE",
    "Finding",
    "Source",
    "check_checkpoint",
    "replay",
    "replay_interval",
]

OTHER_ROWS = "other rows than the sampler's"
OTHER_STATE = "the replay reaches another state"
OTHER_TRACE = "the state is right but the trace of the steps is not"
OTHER_BLOB = "the state is right but the named blob does not hold it"
"""Why an interval does not hold; anything else is about the bytes of its first checkpoint."""

Source = Callable[[Blob], bytes | memoryview | Path]
"""Where the bytes of a checkpoint come from; a store or fetcher. Its own errors pass through."""


class Finding(Record, frozen=True):
    """What a replay found in one interval. `step` is the first differing checkpoint, or -1."""

    interval: int
    matched: bool
    step: int
    found_root: str
    """State root that the replay reached (of the blob, if the interval's start is not what was committed)."""
    expected_root: str
    digest: bytes
    """The trace digest of this replay: what a verifier swears to. 32 zero bytes if nothing could be replayed."""
    reason: str


def replay_interval(
    runner: Runner, source: Source, trajectory: Trajectory, k: int, on_step: OnStep | None = None
) -> Finding:
    """Replay interval `k` from checkpoint k and compare with checkpoint k + 1.

    A blob that hashes to its name but is not the committed state is a finding, not an error: the solver named it.
    Bytes that do not hash to their name are the source's fault: BlobRefused.
    """
    if not 0 <= k < len(trajectory.checkpoints) - 1:
        raise UsageError("no such interval", interval=k, intervals=len(trajectory.checkpoints) - 1)
    first, last = trajectory.checkpoints[k], trajectory.checkpoints[k + 1]
    state = _opened(runner, source, first, k)
    if isinstance(state, Finding):
        return state
    segment = runner.interval(state, first.step, last.step, on_step)
    found = state_root(segment.state).hex()
    reason = _difference(segment, found, last)
    step = last.step if reason else -1
    return Finding(k, not reason, step, found, last.state_root, segment.digest, reason)


def check_checkpoint(runner: Runner, source: Source, trajectory: Trajectory, k: int) -> Finding | None:
    """Whether the bytes of checkpoint `k` can be had and hold its committed state: None, or what is wrong."""
    found = _opened(runner, source, trajectory.checkpoints[k], max(0, k - 1))
    return found if isinstance(found, Finding) else None


def _opened(runner: Runner, source: Source, checkpoint: Checkpoint, k: int) -> State | Finding:
    data = _read(source, checkpoint)
    try:
        state = decode(data, runner.ports)
    except BlobRefused as error:
        return Finding(k, False, checkpoint.step, "", checkpoint.state_root, merkle.ZERO, error.message)
    found = state_root(state).hex()
    if found != checkpoint.state_root:
        reason = "the checkpoint's bytes are not the committed state"
        return Finding(k, False, checkpoint.step, found, checkpoint.state_root, merkle.ZERO, reason)
    return state


def replay(
    runner: Runner, source: Source, trajectory: Trajectory, intervals: Iterable[int], on_step: OnStep | None = None
) -> Iterator[Finding]:
    """Replay several intervals, in order, up to and including the first that does not match."""
    for k in intervals:
        finding = replay_interval(runner, source, trajectory, k, on_step)
        yield finding
        if not finding.matched:
            return


def _difference(segment: Segment, found: str, expected: Checkpoint) -> str:
    """Why the interval does not hold, most telling first, or ""."""
    if segment.batches.hex() != expected.batches:
        return OTHER_ROWS
    if found != expected.state_root:
        return OTHER_STATE
    if segment.trace.hex() != expected.trace:
        return OTHER_TRACE
    if blob_of(segment.state) != expected.blob:
        return OTHER_BLOB
    return ""


def _read(source: Source, checkpoint: Checkpoint) -> bytes | memoryview:
    """The blob's bytes, hashed here again: a source need not be trusted."""
    got = source(checkpoint.blob)
    data = got.read_bytes() if isinstance(got, Path) else got
    if len(data) != checkpoint.blob.size or sha256(data).hexdigest() != checkpoint.blob.sha256:
        raise BlobRefused("the bytes do not hash to the checkpoint's blob")
    return data
