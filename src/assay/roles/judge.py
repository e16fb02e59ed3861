"""The submitter's own judgement of a trained model: accuracy on held-out rows, losses by its own replay."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from assay.engine import exact
from assay.errors import MismatchError, RefusedError
from assay.market import Package
from assay.proof import State, decode_state
from assay.words import Blob, Trajectory

from .session import Session

__all__ = ["accuracy", "first_and_last_loss"]


def accuracy(package: Package, state: State, threads: int = 1) -> float | None:
    """The fraction of held-out rows whose label has the largest output; None if the package has no held-out set.

    The inference program has a fixed batch: the last one is filled up with copies of the last row.
    """
    if package.inference is None or package.held_out is None:
        return None
    program = package.inference
    executable = exact.compile(program, threads=threads)
    labels = package.held_out[package.label]
    ((_, port),) = [(name, p) for name, p in program.batch.items() if name != package.label]
    batch_size = port.shape[0]
    column = port.name.removeprefix("batch/")
    weights = {f"state/{name}": state[name] for name in program.state}
    right = 0
    for start in range(0, len(labels), batch_size):
        rows = package.held_out[column][start : start + batch_size]
        filled = np.concatenate([rows, np.repeat(rows[-1:], batch_size - len(rows), axis=0)])
        outputs = executable.run({**weights, port.name: np.ascontiguousarray(filled)})
        result = next(iter(outputs.values()))
        right += int((result[: len(rows)].argmax(axis=-1) == labels[start : start + batch_size]).sum())
    return right / len(labels)


def first_and_last_loss(session: Session, package: Package, trajectory: Trajectory) -> tuple[float, float]:
    """The exact losses of the first and the last step, replayed here from the committed checkpoints.

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
        raise RefusedError("The program has no metric called loss.")
    return float(first.metrics[0]["loss"]), float(last.metrics[-1]["loss"])


def _state(session: Session, ports: Mapping[str, object], blob: Blob) -> State:
    return decode_state(session.fetcher.fetch(blob).read_bytes(), ports)  # type: ignore[arg-type]
