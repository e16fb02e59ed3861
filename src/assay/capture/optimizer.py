"""The optimizers' update rules as torch functions of float32 tensors, and the reading of torch.optim objects.

The rules are those of torch.optim (torch 2.9 to 2.13, `foreach=False`), with every scalar in binary32. Where torch
computes 1 - beta^t with Python's doubles, a binary32 subtraction would cancel, so it is computed as
2u / (1 + u) with u = tanh(-t·ln(beta) / 2), which is equal and loses no digits.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log, pi
from typing import Any

import torch
from torch import Tensor

from assay.errors import CaptureError

from .records import SGD, Adam, AdamW, Constant, Optimizer, Schedule, WarmupCosine

__all__ = ["clip", "learning_rate", "settings", "trained", "update"]

Moments = dict[str, Tensor]

_READ: dict[type[torch.optim.Optimizer], tuple[type[Optimizer], tuple[str, ...]]] = {
    torch.optim.SGD: (SGD, ("lr", "momentum", "nesterov", "weight_decay")),
    torch.optim.Adam: (Adam, ("lr", "betas", "eps", "weight_decay")),
    torch.optim.AdamW: (AdamW, ("lr", "betas", "eps", "weight_decay")),
}
_OFF = {"maximize": False, "amsgrad": False, "dampening": 0}
"""Settings of torch.optim that have no counterpart here and must have their default."""


def settings(optimizer: Any) -> Optimizer:
    """The record that describes `optimizer`, which is such a record or a fresh torch.optim object with one group."""
    if isinstance(optimizer, Optimizer):
        return optimizer
    if type(optimizer) not in _READ:
        raise CaptureError(
            f"optimizer {type(optimizer).__name__} is not covered",
            hint="Use SGD, Adam or AdamW.",
            optimizer=str(type(optimizer)),
        )
    record, fields = _READ[type(optimizer)]
    if len(optimizer.param_groups) != 1:
        raise CaptureError("an optimizer with several parameter groups is not covered", hint="Use one parameter group.")
    if optimizer.state:
        raise CaptureError(
            "the optimizer has already stepped", hint="Pass a fresh optimizer; its state starts at zero."
        )
    group = dict(optimizer.param_groups[0])
    if "decoupled_weight_decay" in group and group["decoupled_weight_decay"] and record is Adam:
        record = AdamW
    for name, off in _OFF.items():
        if group.get(name, off) != off:
            raise CaptureError(f"optimizer setting {name}={group[name]} is not covered", hint=f"Leave {name} at {off}.")
    return record(**{name: _plain(group[name]) for name in fields})


def trained(optimizer: Any, parameters: dict[str, Tensor]) -> list[str]:
    """Names of the parameters that are trained: those that require a gradient and that the optimizer was given."""
    names = [name for name, p in parameters.items() if p.requires_grad]
    if isinstance(optimizer, torch.optim.Optimizer):
        given = {id(p) for group in optimizer.param_groups for p in group["params"]}
        names = [name for name in names if id(parameters[name]) in given]
    if not names:
        raise CaptureError("no parameter is trained", hint="Give the optimizer parameters that require a gradient.")
    return names


def learning_rate(schedule: Schedule, lr: float, step: Tensor) -> Tensor:
    """The learning rate at the int64 scalar `step`, a float32 scalar."""
    if isinstance(schedule, Constant):
        return torch.full((), lr)
    if not isinstance(schedule, WarmupCosine):
        raise CaptureError(f"schedule {type(schedule).__name__} is not covered", hint="Use Constant or WarmupCosine.")
    s = schedule
    u = torch.clamp((step - s.warmup).to(torch.float32) / float(s.steps - s.warmup), min=0.0, max=1.0)
    falling = lr * (s.floor + (1 - s.floor) / 2) + (lr * (1 - s.floor) / 2) * torch.cos(u * pi)
    if not s.warmup:
        return falling
    return torch.where(step < s.warmup, (step + 1).to(torch.float32) * (lr / s.warmup), falling)


def clip(gradients: list[Tensor], max_norm: float) -> list[Tensor]:
    """torch.nn.utils.clip_grad_norm_ with the 2-norm: every gradient times min(1, max_norm / (norm + 1e-6))."""
    total = torch.stack([(g * g).sum() for g in gradients]).sum().sqrt()
    coefficient = torch.clamp(max_norm / (total + 1e-6), max=1.0)
    return [g * coefficient for g in gradients]


def update(
    rule: Optimizer, values: dict[str, Tensor], gradients: dict[str, Tensor], moments: Moments, lr: Tensor, step: Tensor
) -> tuple[dict[str, Tensor], Moments]:
    """Parameters and moments after a step. `gradients` has some of the names of `values`; the others stay as they are.

    Moments are named "<moment>.<parameter>"; `lr` is a float32 scalar, `step` the 0-based int64 scalar.
    """
    one = _sgd(rule, lr) if isinstance(rule, SGD) else _adam(rule, lr, (step + 1).to(torch.float32))
    values, moments = dict(values), dict(moments)
    for name, g in gradients.items():
        before = [moments[f"{m}.{name}"] for m in rule.moments]
        values[name], *after = one(values[name], g, *before)
        moments |= {f"{m}.{name}": tensor for m, tensor in zip(rule.moments, after, strict=True)}
    return values, moments


def _sgd(rule: SGD, lr: Tensor) -> Callable[..., tuple[Tensor, ...]]:
    def one(p: Tensor, g: Tensor, *moments: Tensor) -> tuple[Tensor, ...]:
        if rule.weight_decay:
            g = g + rule.weight_decay * p
        if rule.momentum:
            moments = (rule.momentum * moments[0] + g,)
            g = g + rule.momentum * moments[0] if rule.nesterov else moments[0]
        return p - lr * g, *moments

    return one


def _adam(rule: Adam | AdamW, lr: Tensor, t: Tensor) -> Callable[..., tuple[Tensor, ...]]:
    (b1, b2), decoupled = rule.betas, isinstance(rule, AdamW) and rule.weight_decay
    size, root = lr / _one_minus_power(b1, t), _one_minus_power(b2, t).sqrt()
    keep = 1 - lr * rule.weight_decay if decoupled else None

    def one(p: Tensor, g: Tensor, m: Tensor, v: Tensor) -> tuple[Tensor, ...]:
        if keep is not None:
            p = p * keep
        elif rule.weight_decay:
            g = g + rule.weight_decay * p
        m = m + (1 - b1) * (g - m)
        v = b2 * v + (1 - b2) * (g * g)
        return p - size * (m / (v.sqrt() / root + rule.eps)), m, v

    return one


def _one_minus_power(beta: float, t: Tensor) -> Tensor:
    """1 - beta^t for t >= 1, a float32 scalar, correct to a few ulp."""
    if beta == 0:
        return torch.ones(())
    u = torch.tanh(t * (-log(beta) / 2))
    return 2 * u / (1 + u)


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return float(value)
    return tuple(float(x) for x in value) if isinstance(value, (tuple, list)) else value
