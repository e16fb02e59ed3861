"""The scalar that a training step lowers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from assay.errors import CaptureError

__all__ = ["LossFunction", "named", "positional"]

LossFunction = Callable[[Tensor, Mapping[str, Tensor]], Tensor]


def named(loss: str | LossFunction) -> LossFunction:
    """`loss` as a function (outputs, batch) -> scalar; "cross_entropy" and "mse" compare with the column y."""
    if callable(loss):
        return loss
    if loss not in _NAMED:
        raise CaptureError(f'loss "{loss}" is not covered', hint='Use "cross_entropy", "mse" or a callable.', loss=loss)
    return _NAMED[loss]


def cross_entropy(outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Mean of -log softmax(outputs)[y], in nats.

    `y` holds class numbers (any integer type) of the shape of `outputs` without its class axis: the last axis if that
    fits, else axis 1 as in torch. A `y` of floats holds class probabilities of the same shape as `outputs`.
    """
    y = _target(batch)
    if y.is_floating_point():
        return F.cross_entropy(outputs, y)
    shape = tuple(outputs.shape)
    last, second = tuple(y.shape) == shape[:-1], tuple(y.shape) == shape[:1] + shape[2:]
    if last and second and outputs.dim() > 2:
        raise CaptureError(
            f"outputs {shape} and y {tuple(y.shape)} leave open which axis holds the classes",
            hint="Give a callable loss.",
        )
    if not last and not second:
        raise CaptureError(f"cross_entropy cannot compare outputs {shape} with y {tuple(y.shape)}")
    if last:
        outputs, y = outputs.reshape(-1, shape[-1]), y.reshape(-1)
    return F.cross_entropy(outputs, y.to(torch.int64))


def mse(outputs: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Mean of the squared difference between `outputs` and `y`, which have the same shape."""
    y = _target(batch)
    if y.shape != outputs.shape:
        raise CaptureError(f"mse cannot compare outputs {tuple(outputs.shape)} with y {tuple(y.shape)}")
    return F.mse_loss(outputs, y.to(outputs.dtype))


def positional(batch: Mapping[str, Tensor]) -> tuple[list[Tensor], dict[str, Tensor]]:
    """The model's arguments among the columns of a batch.

    `x` is the first positional argument, or x0, x1, ... are all of them; a column `x_<name>` is the keyword argument
    <name>. Every other column is for the loss alone.
    """
    numbered = sorted((int(name[1:]), name) for name in batch if name[:1] == "x" and name[1:].isdigit())
    names = ["x"] if "x" in batch else [name for _, name in numbered]
    keywords = {name[2:]: tensor for name, tensor in batch.items() if name.startswith("x_")}
    if not names and not keywords:
        raise CaptureError("the batch has no input column", hint="Name the model's input x.", columns=sorted(batch))
    return [batch[name] for name in names], keywords


def _target(batch: Mapping[str, Tensor]) -> Tensor:
    if "y" not in batch:
        raise CaptureError("the batch has no column y for the loss", hint="Name the target y.", columns=sorted(batch))
    return batch["y"]


_NAMED: dict[str, LossFunction] = {"cross_entropy": cross_entropy, "mse": mse}
