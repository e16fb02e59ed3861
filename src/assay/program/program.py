"""A program: an ONNX file, and the list of primitive kernels that it is lowered to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from .kernel import Kernel
from .types import Port

__all__ = ["Cost", "Program"]

BATCH, METRIC, NEXT, RESULT, STATE = "batch/", "metric/", "next/", "result/", "state/"


class Cost(msgspec.Struct, frozen=True):
    """What running a program once takes: scalar operations, bytes read and written, peak bytes alive."""

    operations: int
    bytes_moved: int
    peak_bytes: int


@dataclass(frozen=True)
class Program:
    """The unfused kernel list with its ports and constants.

    Inputs are named `state/<tensor>`, `batch/<column>`, `step` (int64, shape ()) and `seed` (uint64, shape ());
    outputs are `next/<tensor>` (one per state tensor, same type), `metric/<name>` for a training step and
    `result/<name>` for inference. `outputs` maps each name to the tensor that holds it: a kernel's output, an input
    or a constant. Kernels are in execution order; each output is written once.
    """

    source: bytes = field(repr=False)
    inputs: tuple[Port, ...]
    outputs: tuple[tuple[Port, str], ...]
    constants: dict[str, np.ndarray[Any, Any]] = field(repr=False)
    kernels: tuple[Kernel, ...] = field(repr=False)
    cost: Cost

    def ports(self, prefix: str) -> dict[str, Port]:
        """Inputs and outputs whose name starts with `prefix`, keyed by the rest of the name."""
        found = [p for p in (*self.inputs, *(port for port, _ in self.outputs)) if p.name.startswith(prefix)]
        return {p.name[len(prefix) :]: p for p in found}

    @property
    def state(self) -> dict[str, Port]:
        """The state tensors by name."""
        return self.ports(STATE)

    @property
    def batch(self) -> dict[str, Port]:
        """The batch columns by name; the first axis is the batch."""
        return self.ports(BATCH)

    @property
    def metrics(self) -> dict[str, Port]:
        """The metrics by name."""
        return self.ports(METRIC)

    @property
    def is_training(self) -> bool:
        """Whether it carries a state from step to step."""
        return bool(self.ports(NEXT))
