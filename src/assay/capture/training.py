"""A whole optimizer step as one program: forward, loss, backward, clipping, schedule, update."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from assay.errors import CaptureError
from assay.program.program import BATCH, METRIC, NEXT, STATE, Program

from . import loss as losses
from . import optimizer as rules
from .parts import Parts, check_constants, columns, mode, split
from .precision import FLOAT32, MASTER, Precision, precision_of, to_numpy
from .records import Constant, Optimizer, Schedule
from .trace import gradients, trace
from .translate import translate

__all__ = ["Timing", "initial_state", "training_step", "training_step_onnx"]

MODEL, OPTIMIZER = "model.", "optimizer."
_PROBED = 8
Loss = str | losses.LossFunction


@dataclass
class Timing:
    """Seconds that a capture took; pass one as `timing` to have it filled."""

    trace: float = 0.0
    translate: float = 0.0


def training_step(
    module: nn.Module,
    loss: Loss,
    optimizer: Any,
    example_batch: Mapping[str, Any],
    *,
    schedule: Schedule | None = None,
    clip_norm: float | None = None,
    precision: str = FLOAT32,
) -> Program:
    """Capture one training step of `module` as a program.

    `loss` is "cross_entropy", "mse" or a callable (outputs, batch) -> scalar tensor. `optimizer` is an SGD, Adam or
    AdamW record, or a fresh torch.optim object of these types. `example_batch` holds the columns of a batch as tensors
    or arrays: `x` (or x0, x1, ..., and x_<keyword>) for the model, `y` for the named losses; only shapes and types
    matter. `schedule` is Constant() or WarmupCosine(...); `clip_norm` bounds the 2-norm of all gradients. `precision` is
    "float32", or "bfloat16" for weights and activations stored in it (see precision.py).

    The program's state is that of `initial_state`; its metrics are `loss` (float32 scalar, before the update) and
    `probe` (element 0 of the first 8 gradients, before clipping); its value `learning_rate` feeds the updates. It has
    the input `seed` if dropout is active. The model keeps its training and evaluation modes, except that a model in
    evaluation mode is captured in training mode.

    Raises CaptureError that names the operator and the line of the model.
    """
    from assay.program import load

    model = training_step_onnx(
        module, loss, optimizer, example_batch, schedule=schedule, clip_norm=clip_norm, precision=precision
    )
    return load(model)


def training_step_onnx(
    module: nn.Module,
    loss: Loss,
    optimizer: Any,
    example_batch: Mapping[str, Any],
    *,
    schedule: Schedule | None = None,
    clip_norm: float | None = None,
    precision: str = FLOAT32,
    timing: Timing | None = None,
) -> bytes:
    """The ONNX model of `training_step`; the same arguments give the same bytes under the same torch version."""
    timing = timing or Timing()
    parts = split(module)
    step = _Step(module, parts, losses.named(loss), rules.settings(optimizer), rules.trained(optimizer, parts.parameters),
                 columns(example_batch), schedule or Constant(), clip_norm, precision_of(precision))  # fmt: skip
    started = time.perf_counter()
    with mode(module, training=True):
        graph = trace(step, step.arguments())
    timing.trace = time.perf_counter() - started
    started = time.perf_counter()
    check_constants(graph, step.constants_at, list(parts.constants))
    model = translate(
        graph, step.sources(), step.results, name="training_step", marked={"learning_rate": "learning_rate"}
    )
    timing.translate = time.perf_counter() - started
    return model


def initial_state(module: nn.Module, optimizer: Any, *, precision: str = FLOAT32) -> dict[str, np.ndarray[Any, Any]]:
    """The state before step 0: `model.<name>` with the module's values, `optimizer.<moment>.<name>` with zeros.

    Under precision "bfloat16" parameters are rounded to it, and `optimizer.master.<name>` has the module's values.
    Tied parameters appear once, under the first of their names. Buffers that are not persistent are constants of the
    program and no state.
    """
    parts, rule = split(module), rules.settings(optimizer)
    names = rules.trained(optimizer, parts.parameters)
    return {name: to_numpy(tensor) for name, tensor in _state(parts, rule, names, precision_of(precision)).items()}


def _state(parts: Parts, rule: Optimizer, trained: list[str], precision: Precision) -> dict[str, Tensor]:
    """The tensors of the state before step 0, in name order."""
    state = {MODEL + name: tensor for name, tensor in (precision.stored(parts.parameters) | parts.buffers).items()}
    moments = {f"{m}.{name}": torch.zeros_like(parts.parameters[name]) for name in trained for m in rule.moments}
    moments |= precision.masters(parts.parameters, trained)
    return dict(sorted((state | {OPTIMIZER + name: tensor for name, tensor in moments.items()}).items()))


class _Step:
    """The function that is traced: flat tensors in, flat tensors out, in the order of `sources` and `results`."""

    def __init__(
        self, module: nn.Module, parts: Parts, loss: losses.LossFunction, rule: Optimizer, trained: list[str],
        batch: dict[str, Tensor], schedule: Schedule, clip_norm: float | None, precision: Precision,
    ) -> None:  # fmt: skip
        self.module, self.parts, self.loss, self.rule, self.trained = module, parts, loss, rule, trained
        self.batch, self.schedule, self.clip_norm = batch, schedule, clip_norm
        self.precision, self.state = precision, _state(parts, rule, trained, precision)
        self.results = [*(NEXT + name for name in self.state), METRIC + "loss", METRIC + "probe", "learning_rate"]
        self.constants_at = len(self.results)

    def sources(self) -> list[str | Tensor]:
        """A port or a constant per argument."""
        ports = [*(STATE + name for name in self.state), *(BATCH + name for name in self.batch), "step"]
        return [*ports, *self.parts.constants.values()]

    def arguments(self) -> list[Tensor]:
        """Example values, one per source."""
        step = torch.zeros((), dtype=torch.int64)
        given = [*self.state.values(), *self.batch.values(), step, *self.parts.constants.values()]
        return [tensor.detach() for tensor in given]

    def __call__(self, *flat: Tensor) -> list[Tensor]:
        names = [*self.state, *self.batch, "step", *self.parts.constants]
        state = dict(zip(self.state, flat, strict=False))
        batch = dict(zip(self.batch, flat[len(self.state) :], strict=False))
        step = flat[len(self.state) + len(self.batch)]
        constants = dict(zip(self.parts.constants, flat[len(names) - len(self.parts.constants) :], strict=True))
        values = {name: state[MODEL + name] for name in self.parts.parameters}
        leaves = {name: values[name].detach().requires_grad_() for name in self.trained}
        buffers = {name: state[MODEL + name] for name in self.parts.buffers}
        given = {**values, **leaves, **buffers, **constants}
        with torch.enable_grad():
            loss = self._loss(given, batch)
            found = zip(self.trained, gradients(loss, list(leaves.values())), strict=True)
        grads = {name: g.detach().float() for name, g in found if g is not None}
        probe = torch.stack([g.reshape(-1)[0] for g in grads.values() if g.numel()][:_PROBED])
        lr = rules.learning_rate(self.schedule, self.rule.lr, step)
        with torch.no_grad():
            after = self._update(values, grads, state, lr, step)
        after |= {MODEL + name: given[name] for name in self.parts.buffers}
        return [
            *(after[name] for name in self.state),
            loss.detach(),
            probe,
            lr,
            *(given[n] for n in self.parts.constants),
        ]

    def _loss(self, given: dict[str, Tensor], batch: dict[str, Tensor]) -> Tensor:
        args, keywords = losses.positional(batch)
        # functional_call writes what the model assigned to its buffers back into `given`
        with self.precision.forward():
            outputs = functional_call(self.module, given, tuple(args), keywords, tie_weights=True)
            loss = self.precision.widened(self.loss(self.precision.widened(outputs), batch))
        if not isinstance(loss, Tensor) or loss.numel() != 1 or loss.dtype != torch.float32:
            raise CaptureError("the loss is not one float32 number", hint="Return a scalar tensor, such as a mean.")
        if not loss.requires_grad:
            raise CaptureError("the loss does not depend on any trained parameter")
        return loss.reshape(())

    def _update(
        self, values: dict[str, Tensor], grads: dict[str, Tensor], state: dict[str, Tensor], lr: Tensor, step: Tensor
    ) -> dict[str, Tensor]:
        if self.clip_norm is not None:
            clipped = rules.clip(list(grads.values()), self.clip_norm)
            grads = dict(zip(grads, clipped, strict=True))
        moments = {name.removeprefix(OPTIMIZER): t for name, t in state.items() if name.startswith(OPTIMIZER)}
        masters = {name: moments.pop(f"{MASTER}.{name}", values[name]) for name in values}
        masters, moments = rules.update(self.rule, masters, grads, moments, lr, step)
        after = {MODEL + name: tensor.to(values[name].dtype) for name, tensor in masters.items()}
        after |= {OPTIMIZER + name: tensor for name, tensor in moments.items()}
        kept = (name for name in masters if f"{OPTIMIZER}{MASTER}.{name}" in state)
        return after | {f"{OPTIMIZER}{MASTER}.{name}": masters[name] for name in kept}
