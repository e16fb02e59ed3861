"""What is measured: one training step or one forward pass, for torch and as a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from assay.capture import SGD, AdamW, inference_onnx, initial_state, training_step_onnx

__all__ = ["Inference", "Training", "Workload"]

Array = np.ndarray[Any, Any]
Runner = Callable[[], Any]


@dataclass(frozen=True)
class Training:
    """A whole training step on the columns x and y: forward, cross-entropy over the last axis, backward, update.

    The module comes from `make` under a fixed seed; `images` says that x has channels.
    """

    name: str
    make: Callable[[], nn.Module]
    optimizer: SGD | AdamW
    batch: Mapping[str, Tensor]
    images: bool = False
    training = True

    def module(self) -> nn.Module:
        """A fresh module in training mode."""
        torch.manual_seed(0)
        return self.make().train()

    def onnx(self) -> bytes:
        """The captured step."""
        return training_step_onnx(self.module(), "cross_entropy", self.optimizer, self.batch)

    def inputs(self) -> dict[str, Array]:
        """The program's inputs by port name."""
        state = initial_state(self.module(), self.optimizer)
        given = {f"state/{name}": value for name, value in state.items()}
        given |= {f"batch/{name}": column.numpy() for name, column in self.batch.items()}
        return given | {"step": np.array(0)}

    def torch_step(
        self, *, fused: bool = False, channels_last: bool = False, wrap: Callable[[Any], Any] | None = None
    ) -> Runner:
        """A training step as a torch user writes it; `wrap` is applied to the module (torch.compile). Returns the loss."""
        module, x, y = self.module(), self.batch["x"], self.batch["y"].flatten()
        if channels_last:
            module = module.to(memory_format=torch.channels_last)
            x = x.contiguous(memory_format=torch.channels_last)
        optimizer = self._torch_optimizer(module, fused)
        forward = wrap(module) if wrap else module

        def step() -> Tensor:
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(forward(x).flatten(0, -2), y)
            loss.backward()
            optimizer.step()
            return loss.detach()

        return step

    def _torch_optimizer(self, module: nn.Module, fused: bool) -> torch.optim.Optimizer:
        rule, parameters = self.optimizer, module.parameters()
        if isinstance(rule, SGD):
            return torch.optim.SGD(
                parameters, rule.lr, rule.momentum, nesterov=rule.nesterov, weight_decay=rule.weight_decay, fused=fused
            )
        return torch.optim.AdamW(parameters, rule.lr, rule.betas, rule.eps, rule.weight_decay, fused=fused)


@dataclass(frozen=True)
class Inference:
    """One forward pass. `eager`, where given, makes the module that torch runs instead (same arithmetic)."""

    name: str
    make: Callable[[], nn.Module]
    args: tuple[Tensor, ...]
    eager: Callable[[], nn.Module] | None = None
    images: bool = field(default=False, init=False)
    training = False

    def module(self) -> nn.Module:
        """A fresh module in evaluation mode."""
        torch.manual_seed(0)
        return self.make().eval()

    def onnx(self) -> bytes:
        """The captured forward pass."""
        return inference_onnx(self.module(), self.args)

    def inputs(self) -> dict[str, Array]:
        """The program's inputs by port name."""
        module = self.module()
        given = {f"state/model.{n}": p.detach().numpy().copy() for n, p in module.named_parameters()}
        kept = module.state_dict()
        given |= {f"state/model.{n}": b.numpy().copy() for n, b in module.named_buffers() if n in kept}
        columns = {"x": self.args[0]} if len(self.args) == 1 else {f"x{i}": arg for i, arg in enumerate(self.args)}
        return given | {f"batch/{name}": column.numpy().copy() for name, column in columns.items()}

    def torch_step(
        self, *, fused: bool = False, channels_last: bool = False, wrap: Callable[[Any], Any] | None = None
    ) -> Runner:
        """The forward pass in torch; returns its first output."""
        torch.manual_seed(0)
        module = (self.eager or self.make)().eval()
        forward, args = wrap(module) if wrap else module, tuple(arg.clone() for arg in self.args)

        def step() -> Tensor:
            with torch.inference_mode():
                found = forward(*args)
            return found[0] if isinstance(found, tuple) else found

        return step


Workload = Training | Inference
