"""What a solver still has of a task that it has done: checkpoints, and whether they are what a replay gives."""

from __future__ import annotations

from collections.abc import Callable

from assay.errors import BlobMissing, BlobRefused
from assay.proof import Runner, State, decode_state, state_root
from assay.words import Blob, Trajectory

__all__ = ["Memory"]


class Memory:
    """One task of this solver's. A bit may have been flipped when it was computed, when it was hashed or when it was written."""

    def __init__(self, runner: Runner, trajectory: Trajectory, read: Callable[[Blob], bytes]) -> None:
        self.runner, self.trajectory, self._read = runner, trajectory, read
        self._wrong: dict[int, bool] = {}

    def wrong(self, interval: int) -> bool:
        """Whether the checkpoint after `interval` is not what a replay gives, in its state, its rows or its trace.

        Where the interval's own beginning is lost, it can't be defended, and counts as wrong.
        """
        if interval not in self._wrong:
            self._wrong[interval] = self._is_wrong(interval)
        return self._wrong[interval]

    def _is_wrong(self, interval: int) -> bool:
        before = self._kept(interval)
        before = self._again(interval) if before is None else before
        if before is None:
            return True
        after = self.trajectory.checkpoints[interval + 1]
        segment = self.runner.interval(before, *self.runner.spec.bounds(interval))
        found = state_root(segment.state).hex(), segment.batches.hex(), segment.trace.hex()
        return found != (after.state_root, after.batches, after.trace)

    def state(self, checkpoint: int) -> State:
        """The state that was committed to: as it was kept, else computed again. Raises BlobMissing if neither can be had."""
        kept = self._kept(checkpoint)
        found = self._again(checkpoint) if kept is None else kept
        if found is None:
            blob = self.trajectory.checkpoints[checkpoint].blob
            raise BlobMissing("A checkpoint of this solver's is lost.", checkpoint=checkpoint, sha256=blob.sha256)
        return found

    def _kept(self, checkpoint: int) -> State | None:
        """As it lies in the store, if that is the committed one."""
        listed = self.trajectory.checkpoints[checkpoint]
        try:
            state = decode_state(self._read(listed.blob), self.runner.ports)
        except (BlobMissing, BlobRefused):
            return None
        return state if state_root(state).hex() == listed.state_root else None

    def _again(self, checkpoint: int) -> State | None:
        """As a replay of the interval before gives it, if that is the committed one."""
        before = self._kept(checkpoint - 1) if checkpoint else None
        if before is None:
            return None
        state = self.runner.interval(before, *self.runner.spec.bounds(checkpoint - 1)).state
        return state if state_root(state).hex() == self.trajectory.checkpoints[checkpoint].state_root else None
