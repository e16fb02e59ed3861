"""From files or arrays to a TaskSpec whose blobs lie in a store, ready to be posted."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from assay.errors import ConfigError, NotFoundError, RefusedError
from assay.program import Program, load
from assay.proof import Dataset, decode_state, encode_state, program_root, state_root
from assay.store import Store
from assay.words import Audit, Blob, Record, TaskSpec, canonical, parse
from assay.words.units import ceil_div

from .quote import MAX_AUDIT

__all__ = ["Evaluation", "Package", "Plan", "package", "read_task"]


TRACE_VALUES = 8
"""Fewest values that an interval's trace is made of."""


class Evaluation(Record, frozen=True):
    """How the submitter judges the trained model: an inference program over a held-out set."""

    program: str
    dataset: str
    label: str = "y"


WORK_PER_CHECKPOINT, WORK_PER_BYTE = 3 * 10**9, 1600
"""Scalar operations between two checkpoints: at least so many, plus so many per byte of the state."""


class Plan(Record, frozen=True):
    """The part of a task file that is neither program nor data."""

    name: str
    steps: int
    batch_size: int
    interval: int = 0
    seed: int = 0
    audit: Audit | None = None


class TaskFile(Plan, frozen=True):
    """TASK.toml: a plan plus the files it speaks of, relative to itself."""

    program: str = "program.onnx"
    initial: str = "initial.safetensors"
    dataset: str = "dataset.safetensors"
    evaluate: Evaluation | None = None


@dataclass(frozen=True)
class Package:
    """A task that can be posted: its spec (`blob` in the store), its program, and how to judge the result."""

    spec: TaskSpec
    blob: Blob
    program: Program = field(repr=False)
    inference: Program | None = field(default=None, repr=False)
    held_out: dict[str, np.ndarray] | None = field(default=None, repr=False)
    label: str = "y"

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """Everything that a solver needs, largest last."""
        needed = (self.blob, self.spec.program, self.spec.initial, self.spec.dataset)
        return tuple(sorted(needed, key=lambda blob: blob.size))


def default_interval(program: Program, steps: int) -> int:
    """Steps between two checkpoints where nobody says: a tenth of the steps, or more where that would cost too much.

    A checkpoint costs its writer some milliseconds and a few nanoseconds per byte of the state; the work between two of
    them, counted in scalar operations, is a large multiple of that (bench/proof.py measures the rest).
    """
    state = sum(port.nbytes for port in program.state.values())
    least = ceil_div(WORK_PER_CHECKPOINT + WORK_PER_BYTE * state, max(1, program.cost.operations))
    return min(steps, max(ceil_div(steps, 10), least))


def package(
    store: Store,
    plan: Plan,
    source: bytes,
    initial: Mapping[str, np.ndarray],
    columns: Mapping[str, np.ndarray],
    **judging: Any,
) -> Package:
    """Check that program, state and data fit together, put them into `store`, and name the task.

    `columns` are arrays of equal first axis, one per `batch/` input of the program. Raises RefusedError if they don't fit.
    """
    program = load(source)
    if not program.is_training:
        raise RefusedError(
            "The program carries no state from step to step.",
            hint="Capture it with training_step; for inference give it an answer sheet: assay.program.sheet.",
        )
    state = decode_state(encode_state(initial), program.state)
    dataset = Dataset(dict(columns))
    _check_columns(program, dataset, plan.batch_size)
    interval = plan.interval or default_interval(program, plan.steps)
    intervals = -(-plan.steps // interval)
    spec = TaskSpec(
        name=plan.name,
        program=store.put(source),
        program_root=program_root(program).hex(),
        initial=store.put(encode_state(state)),
        initial_root=state_root(state).hex(),
        dataset=store.put(dataset.encode()),
        dataset_root=dataset.root.hex(),
        rows=dataset.rows,
        batch_size=plan.batch_size,
        seed=plan.seed,
        steps=plan.steps,
        interval=interval,
        audit=plan.audit or Audit(2, min(MAX_AUDIT, max(1, -(-intervals // 2)))),
    )
    encoded = _encoded(spec)
    _check_trace(program, spec)
    return Package(spec, store.put(encoded), program, **judging)


def _encoded(spec: TaskSpec) -> bytes:
    """The spec's bytes, if whoever reads them will take them for a spec."""
    try:
        data = canonical(spec)
        parse(TaskSpec, data)
    except (msgspec.MsgspecError, OverflowError) as reason:
        raise ConfigError(f"This is not a task: {reason}.", name=spec.name) from reason
    return data


def _check_trace(program: Program, spec: TaskSpec) -> None:
    """Verifiers prove that they have replayed by knowing the metrics' bits. Live views give each away but for some ten of
    them, and the commitment tells who guesses whether it is right: with few values, guessing is cheaper than replaying."""
    recorded = min(spec.interval, spec.steps) * sum(prod(port.shape) for port in program.metrics.values())
    if recorded < TRACE_VALUES:
        raise RefusedError(
            f"The program's metrics give {recorded} values per interval; to be safe from guessing it takes {TRACE_VALUES}.",
            hint="Raise the interval, or add a metric: training_step adds a probe of the gradients.",
            values=recorded,
        )


def _check_columns(program: Program, dataset: Dataset, batch_size: int) -> None:
    for name, port in program.batch.items():
        column = dataset.columns.get(name)
        if column is None:
            raise RefusedError(f"The program reads the column {name!r}, which the dataset does not have.", column=name)
        expected, found = (port.dtype.value, *port.shape), (column.dtype.name, batch_size, *column.shape[1:])
        if expected != found:
            raise RefusedError(
                f"A batch of {name!r} is {found[0]}{list(found[1:])}, the program wants {expected[0]}{list(port.shape)}.",
                column=name,
            )
    for name in dataset.columns.keys() - program.batch.keys():
        raise RefusedError(f"The dataset has the column {name!r}, which the program does not read.", column=name)


def _check_judging(trained: Program, inference: Program, held_out: Mapping[str, np.ndarray], label: str) -> None:
    """A judgement that can't be made should be known of before the training is paid for."""
    if any(trained.state.get(name) != port for name, port in inference.state.items()):
        raise RefusedError("The inference program wants another state than the one that is trained.")
    read = [name for name in inference.batch if name != label]
    if len(read) != 1 or len(inference.inputs) != len(inference.state) + len(inference.batch):
        raise RefusedError(f"The inference program has to read one column besides the label; it reads {read}.")
    port, column, labels = inference.batch[read[0]], held_out.get(read[0]), held_out.get(label)
    if column is None or (column.dtype, column.shape[1:]) != (port.dtype.numpy, port.shape[1:]):
        raise RefusedError(
            f"The held-out set has no column {read[0]!r} that the inference program takes.", column=read[0]
        )
    if labels is None or labels.ndim != 1:
        raise RefusedError(f"The held-out set has no column {label!r} with one label per row.", column=label)


def read_task(path: Path, store: Store) -> Package:
    """Package the task that a TASK.toml describes. Raises ConfigError or NotFoundError for what is wrong with it."""
    try:
        described = msgspec.convert(tomllib.loads(path.read_text()), TaskFile)
    except OSError as reason:
        raise NotFoundError(f"There is no task file {path}: {reason.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as reason:
        raise ConfigError(f"{path} is not a task file: {reason}", path=str(path)) from reason
    folder = path.parent

    def read(name: str) -> bytes:
        try:
            return (folder / name).read_bytes()
        except OSError as reason:
            raise NotFoundError(f"{path} names {name}, which can't be read: {reason.strerror}.") from reason

    plan = Plan(**{name: getattr(described, name) for name in Plan.__struct_fields__})
    source = read(described.program)
    program = load(source)
    judging: dict[str, Any] = {}
    if judge := described.evaluate:
        inference, held_out = load(read(judge.program)), Dataset.parse(read(judge.dataset)).columns
        _check_judging(program, inference, held_out, judge.label)
        judging = {"inference": inference, "held_out": held_out, "label": judge.label}
    initial = decode_state(read(described.initial), program.state)
    columns = Dataset.parse(read(described.dataset)).columns
    return package(store, plan, source, initial, columns, **judging)
