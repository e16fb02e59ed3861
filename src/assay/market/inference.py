"""A model over a dataset as a task: what comes out is the answers, one entry per row, in the dataset's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from assay.errors import UsageError
from assay.program import adopt, load, sheet
from assay.store import Store
from assay.words.units import ceil_div

from .package import Package, Plan, package

__all__ = ["Inference", "package_inference"]


@dataclass(frozen=True, kw_only=True)
class Inference:
    """A model to be run over every row of a dataset; `task()` in a file for `assay submit FILE.py` may return one.

    `model` is an ONNX file (its path, or its bytes) for any batch size or for `batch_size`; `dataset` holds an array for
    each of its inputs, of equal first axis. `results` names the outputs to be delivered, by default all; `outputs` those
    that are computed, by default all (see `assay.program.adopt` and `sheet`). A checkpoint is taken every `interval`
    steps (0: chosen from the counted cost).
    """

    name: str
    model: bytes | Path = field(repr=False)
    dataset: dict[str, np.ndarray] = field(repr=False)
    batch_size: int
    outputs: Sequence[str] | None = None
    results: Sequence[str] | None = None
    interval: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if len({len(column) for column in self.dataset.values()}) != 1:
            raise UsageError("the columns of a dataset must have as many rows as each other", job=self.name)
        if not 1 <= self.batch_size <= self.rows or self.interval < 0:
            raise UsageError(
                f"batch_size must be at least 1 and at most the {self.rows} rows, interval at least 0", job=self.name
            )

    @property
    def rows(self) -> int:
        """Number of rows, and of entries in each result."""
        return len(next(iter(self.dataset.values())))

    @property
    def steps(self) -> int:
        """Steps until every row was drawn; the last one draws some rows again where the batch does not divide them."""
        return ceil_div(self.rows, self.batch_size)


def package_inference(job: Inference, store: Store) -> Package:
    """Make a task of `job` and put it into `store`. Raises RefusedError or UsageError for what does not fit."""
    shapes = {name: (job.batch_size, *column.shape[1:]) for name, column in job.dataset.items()}
    source = sheet(adopt(job.model, shapes, outputs=job.outputs), job.rows, results=job.results)
    blank = {name: np.zeros(port.shape, port.dtype.numpy) for name, port in load(source).state.items()}
    columns = {**job.dataset, "row": np.arange(job.rows)}
    return package(store, Plan(job.name, job.steps, job.batch_size, job.interval, job.seed), source, blank, columns)
