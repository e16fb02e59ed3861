"""The plain records that describe a training: optimizer, schedule, job. Nothing here loads torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import cos, pi
from typing import Any

import numpy as np

__all__ = ["SGD", "Adam", "AdamW", "Constant", "Job", "Optimizer", "Schedule", "WarmupCosine"]


@dataclass(frozen=True, kw_only=True)
class SGD:
    """torch.optim.SGD: stochastic gradient descent with momentum, Nesterov momentum and L2 weight decay."""

    lr: float
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    @property
    def moments(self) -> tuple[str, ...]:
        """Names of the tensors that it keeps per parameter."""
        return ("momentum",) if self.momentum else ()


@dataclass(frozen=True, kw_only=True)
class Adam:
    """torch.optim.Adam; its weight decay is L2, added to the gradient."""

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    @property
    def moments(self) -> tuple[str, ...]:
        """Names of the tensors that it keeps per parameter."""
        return ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """torch.optim.AdamW; its weight decay is decoupled: p·(1 - lr·weight_decay)."""

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 1e-2

    @property
    def moments(self) -> tuple[str, ...]:
        """Names of the tensors that it keeps per parameter."""
        return ("exp_avg", "exp_avg_sq")


Optimizer = SGD | Adam | AdamW


@dataclass(frozen=True)
class Constant:
    """The optimizer's learning rate at every step."""

    def at(self, step: int, lr: float) -> float:
        """The learning rate of the 0-based `step`, where `lr` is the optimizer's."""
        return lr


@dataclass(frozen=True, kw_only=True)
class WarmupCosine:
    """Linear warm-up, then half a cosine down to `floor` times the optimizer's learning rate.

    lr·(step + 1) / warmup                                     for step < warmup
    lr·(floor + (1 - floor)·(1 + cos(pi·u)) / 2)                after, u = min(1, (step - warmup) / (steps - warmup))
    """

    warmup: int
    steps: int
    floor: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.warmup < self.steps:
            from assay.errors import UsageError

            raise UsageError("warm-up must be shorter than the whole schedule", warmup=self.warmup, steps=self.steps)

    def at(self, step: int, lr: float) -> float:
        """The learning rate of the 0-based `step`, where `lr` is the optimizer's."""
        if step < self.warmup:
            return lr * (step + 1) / self.warmup
        u = min(1.0, (step - self.warmup) / (self.steps - self.warmup))
        return lr * (self.floor + (1 - self.floor) * (1 + cos(pi * u)) / 2)


Schedule = Constant | WarmupCosine


@dataclass(frozen=True, kw_only=True)
class Job:
    """A training as its author writes it in Python; `assay submit FILE.py` calls the file's `task()`, which returns one.

    `module` is the torch.nn.Module with its initial weights. `dataset` holds the columns (x, y, ...) as arrays of equal
    first axis, one row per sample; `held_out` likewise, never trained on. A step trains on `batch_size` rows.
    `loss` is "cross_entropy", "mse" or a callable (outputs, batch) -> scalar; `seed` feeds the order of the rows and
    dropout; a checkpoint is taken every `interval` steps (0: chosen from the counted cost). `precision` is "float32", or
    "bfloat16" for weights and activations stored in it.
    """

    name: str
    module: Any
    loss: str | Callable[[Any, Mapping[str, Any]], Any]
    optimizer: Any
    dataset: dict[str, np.ndarray[Any, Any]] = field(repr=False)
    held_out: dict[str, np.ndarray[Any, Any]] | None = field(default=None, repr=False)
    batch_size: int
    steps: int
    interval: int = 0
    seed: int = 0
    schedule: Schedule | None = None
    clip_norm: float | None = None
    precision: str = "float32"

    def __post_init__(self) -> None:
        from assay.errors import UsageError

        for split in (self.dataset, self.held_out or {}):
            if len({len(column) for column in split.values()}) > 1:
                raise UsageError("the columns of a dataset must have as many rows as each other", job=self.name)
        if min(self.batch_size, self.steps) < 1 or self.interval < 0:
            raise UsageError("batch_size and steps must be at least 1, interval at least 0", job=self.name)

    @property
    def rows(self) -> int:
        """Number of training rows."""
        return len(next(iter(self.dataset.values())))

    def example_batch(self) -> dict[str, np.ndarray[Any, Any]]:
        """The first `batch_size` rows (repeated if there are fewer): shapes and types of a batch."""
        rows = np.arange(self.batch_size) % self.rows
        return {name: column[rows] for name, column in self.dataset.items()}
