"""The submitter's own judgement of a trained model: accuracy on held-out rows, losses by its own replay."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from assay.engine import exact
from assay.errors import MismatchError
from assay.market import Package
from assay.program import Port
from assay.program.program import BATCH, RESULT
from assay.proof import State, decode_state
from assay.words import Blob, Trajectory

from .session import Session

__all__ = ["accuracy", "first_and_last_loss", "judge"]


def judge(session: Session, package: Package, trajectory: Trajectory) -> dict[str, float | None]:
    """`loss_first`, `loss_last` and `accuracy` of a settled task, computed here."""
    first, last = first_and_last_loss(session, package, trajectory)
    state = _state(session, package.program.state, trajectory.checkpoints[-1].blob)
    return {"loss_first": first, "loss_last": last, "accuracy": accuracy(package, state, session.settings.threads)}


def accuracy(package: Package, state: State, threads: int = 1) -> float | None:
    """The fraction of held-out rows whose label has the largest output; None where there is no such thing.

    That is: a held-out set with one input column, one integer label per row, and an output with one axis of classes.

    The inference program has a fixed batch: the last one is filled up with copies of the last row.
    """
    if package.inference is None or package.held_out is None:
        return None
    program, labels = package.inference, package.held_out.get(package.label)
    inputs = [port for name, port in program.batch.items() if name != package.label]
    outputs = list(program.ports(RESULT).values())
    judged = labels is not None and labels.ndim == 1 and labels.dtype.kind in "iu"
    if labels is None or not judged or len(inputs) != 1 or len(outputs) != 1 or len(outputs[0].shape) != 2:
        return None
    port, executable = inputs[0], exact.compile(program, threads=threads)
    batch_size, column = port.shape[0], port.name.removeprefix(BATCH)
    weights = {f"state/{name}": state[name] for name in program.state}
    right = 0
    for start in range(0, len(labels), batch_size):
        rows = package.held_out[column][start : start + batch_size]
        filled = np.concatenate([rows, np.repeat(rows[-1:], batch_size - len(rows), axis=0)])
        (result,) = executable.run({**weights, port.name: np.ascontiguousarray(filled)}).values()
        right += int((result[: len(rows)].argmax(axis=-1) == labels[start : start + batch_size]).sum())
    return right / len(labels)


def first_and_last_loss(
    session: Session, package: Package, trajectory: Trajectory
) -> tuple[float | None, float | None]:
    """The exact losses of the first and the last step, replayed here from the committed checkpoints; None without a loss.

    Raises MismatchError if the last interval does not lead to the committed final state: trust nobody.
    """
    runner = session.runner(package.spec, package.program)
    first = runner.interval(_state(session, runner.ports, trajectory.checkpoints[0].blob), 0, 1)
    start, stop = package.spec.bounds(package.spec.intervals - 1)
    last = runner.interval(_state(session, runner.ports, trajectory.checkpoints[-2].blob), start, stop)
    reached = decode_state(session.fetcher.fetch(trajectory.checkpoints[-1].blob).read_bytes(), runner.ports)
    if any(last.state[name].tobytes() != reached[name].tobytes() for name in reached):
        raise MismatchError("The last interval does not lead to the final state.", step=stop)
    if "loss" not in first.metrics[0]:
        return None, None
    return float(first.metrics[0]["loss"]), float(last.metrics[-1]["loss"])


def _state(session: Session, ports: Mapping[str, Port], blob: Blob) -> State:
    return decode_state(session.fetcher.fetch(blob).read_bytes(), ports)
