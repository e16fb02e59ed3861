"""The tensors of a module and of a batch, and the module's modes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from assay.errors import CaptureError

__all__ = ["Parts", "check_constants", "columns", "mode", "split"]


@dataclass(frozen=True)
class Parts:
    """The tensors of a module by name, each once: parameters, buffers that are state, buffers that are constants."""

    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]
    constants: dict[str, Tensor]

    @property
    def state(self) -> dict[str, Tensor]:
        """Parameters and state buffers."""
        return {**self.parameters, **self.buffers}


def split(module: nn.Module) -> Parts:
    """The parts of `module`. Raises CaptureError for parameters that are not float32 and buffers that exact-1 lacks."""
    if not isinstance(module, nn.Module):
        raise CaptureError(f"{type(module).__name__} is not a torch.nn.Module")
    parameters, buffers = dict(module.named_parameters()), dict(module.named_buffers())
    for name, p in parameters.items():
        if isinstance(p, nn.parameter.UninitializedTensorMixin):
            raise CaptureError(
                f"parameter {name} has no shape yet", hint="Run the lazy module once first.", parameter=name
            )
        if p.dtype != torch.float32:
            raise CaptureError(
                f"parameter {name} is {p.dtype}", hint="exact-1 trains in float32: call model.float().", parameter=name
            )
    for name, b in buffers.items():
        if b.dtype == torch.float64 or b.is_complex():
            raise CaptureError(f"buffer {name} is {b.dtype}", hint="Store it as float32.", buffer=name)
    kept = set(module.state_dict())
    return Parts(
        parameters,
        {name: b for name, b in buffers.items() if name in kept},
        {name: b for name, b in buffers.items() if name not in kept},
    )


def columns(batch: Mapping[str, Any]) -> dict[str, Tensor]:
    """The columns of an example batch as tensors, in name order."""
    tensors = {name: torch.as_tensor(batch[name]) for name in sorted(batch)}
    for name, tensor in tensors.items():
        if tensor.dtype == torch.float64 or tensor.is_complex():
            raise CaptureError(f"column {name} is {tensor.dtype}", hint="Store it as float32.", column=name)
    return tensors


@contextlib.contextmanager
def mode(module: nn.Module, *, training: bool) -> Iterator[None]:
    """Every submodule in the given mode, unless `module` itself has it already; all modes restored at the end."""
    before = {part: part.training for part in module.modules()}
    if module.training != training:
        module.train(training)
    try:
        yield
    finally:
        for part, was in before.items():
            part.training = was


def check_constants(graph: fx.GraphModule, first: int, names: Sequence[str]) -> None:
    """Raise CaptureError if the model wrote to a buffer that is no state: the results after `first` must be inputs."""
    results = list(graph.graph.nodes)[-1].args[0]
    for name, result in zip(names, results[first:], strict=True):
        if result.op != "placeholder":
            raise CaptureError(
                f"the model writes to the buffer {name}, which is not persistent",
                hint="Register it with persistent=True.",
                buffer=name,
            )
    list(graph.graph.nodes)[-1].args = (results[:first],)
