"""Train a task interval by interval; roots, files and uploads are made beside the training, not between its steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from assay.errors import RefusedError
from assay.program import Port
from assay.proof import (
    OnStep,
    Segment,
    State,
    build_trajectory,
    decode_state,
    new_checkpoint,
    public_metric,
    state_root,
)
from assay.store import CheckpointWriter, Store
from assay.words import Blob, Checkpoint, TaskSpec, Trajectory

from .journal import Entry, Journal

__all__ = ["Worker", "train"]


class Worker(Protocol):
    """Whoever computes intervals: an honest `Runner`, or in the adversary tests something else."""

    def interval(self, state: State, start: int, stop: int, on_step: OnStep | None = None) -> Segment:
        """Steps start..stop-1 from `state`."""


def train(
    spec: TaskSpec,
    worker: Worker,
    ports: Mapping[str, Port],
    initial: State,
    journal: Journal,
    store: Store,
    publish: Callable[[Blob], None],
    on_step: Callable[[int, float | None], None],
) -> Trajectory:
    """Compute every interval that `journal` does not have yet, and return the whole trajectory.

    A checkpoint is in the store, published and in the journal before the next one is begun to be written, so that a
    solver that is killed goes on from the last one. Nothing waits for the disk until the end: what a power cut takes is
    cut off here and computed again. `ports` is the program's state (`Program.state`), `on_step` gets
    the number of finished steps and the loss. Raises RefusedError if `initial` is not what the spec names.
    """
    if not journal.entries:
        start = state_root(initial)
        if start.hex() != spec.initial_root:
            # Every verifier would call the result wrong, and the submitter would have model and money.
            raise RefusedError("The initial state is not the one that the spec names.", found=start.hex())
        journal.append(Entry(new_checkpoint(0, start, spec.initial)))
    whole = (store.verify(entry.checkpoint.blob) for entry in journal.entries[1:])
    journal.cut(1 + next((k for k, good in enumerate(whole) if not good), len(journal.entries) - 1))
    state = initial
    if len(journal.entries) > 1:
        state = decode_state(store.get(journal.entries[-1].checkpoint.blob), ports)
    segments: dict[int, Segment] = {}

    def keep(made: Checkpoint) -> None:
        publish(made.blob)
        segment = segments.pop(made.step)
        losses = tuple(public_metric(float(step["loss"])) for step in segment.metrics if "loss" in step)
        journal.append(Entry(made, segment.digest.hex(), losses))

    def tell(step: int, metrics: Mapping[str, Any]) -> None:
        on_step(step + 1, float(metrics["loss"]) if "loss" in metrics else None)

    with CheckpointWriter(store, on_written=keep) as writer:
        for k in range(len(journal.entries) - 1, spec.intervals):
            segment = worker.interval(state, *spec.bounds(k), tell)
            segments[segment.stop] = segment
            writer.submit(segment.stop, segment.state, segment.batches, segment.trace)
            state = segment.state
    journal.sync()
    return build_trajectory(spec, (entry.checkpoint for entry in journal.entries))
