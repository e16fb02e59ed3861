"""What is not covered gets one clear error, with the operator and the line of the model."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from assay.capture import SGD, inference_onnx, training_step_onnx
from assay.errors import CaptureError

Function = Callable[[nn.Module, torch.Tensor], torch.Tensor]


class Model(nn.Module):
    def __init__(self, function: Function, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4, dtype=dtype)
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self, self.inner(x))


def branch(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    if x.sum() > 0:  # the line
        return x
    return -x


def item(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return x * x.max().item()  # the line


def nonzero(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return x[x > 0]  # the line


def sort(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    y = x * 2
    return torch.sort(y, -1).values  # the line


def inverse(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return torch.linalg.inv(x)  # the line


def double(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return (x.double() * 2).float()  # the line


def imaginary(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return torch.fft.fft(x).real  # the line


def normal(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return x + torch.randn_like(x)  # the line


def uneven(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return F.adaptive_avg_pool2d(x[None, None], 3)  # the line


def backward_only(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return x.prod(-1)  # the line


def mistake(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return x @ torch.zeros(5, 5)  # the line


WORDS = {
    branch: "control flow", item: "control flow", nonzero: "control flow|mask|nonzero", sort: "aten.sort",
    inverse: "aten.linalg_inv|aten._linalg", double: "float64", imaginary: "complex|fft", normal: "aten.randn_like|aten.normal",
    uneven: "adaptive_avg_pool2d", backward_only: "cumprod", mistake: "shape|size|a and b",
}  # fmt: skip


def marked_line(function: Function) -> str:
    lines, first = inspect.getsourcelines(function)
    return f"{__file__}:{first + next(i for i, text in enumerate(lines) if '# the line' in text)}"


def capture(module: nn.Module, x: Any = None, **options: Any) -> bytes:
    batch = {"x": torch.zeros(4, 4) if x is None else x}
    return training_step_onnx(module, lambda o, b: o.float().sum(), SGD(lr=0.1), batch, **options)


@pytest.mark.parametrize("function", WORDS, ids=lambda f: f.__name__)
def test_error_names_operator_and_line(function):
    with pytest.raises(CaptureError, match=WORDS[function]) as caught:
        capture(Model(function))
    assert caught.value.message.startswith(marked_line(function) + ": ")
    assert caught.value.evidence["line"] == marked_line(function)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("function", [branch, sort, double], ids=lambda f: f.__name__)
def test_inference_errors_do_too(function):
    with pytest.raises(CaptureError, match=WORDS[function]) as caught:
        inference_onnx(Model(function), torch.zeros(4, 4))
    assert caught.value.evidence["line"] == marked_line(function)


def test_types_that_are_not_covered():
    with pytest.raises(CaptureError, match=r"inner\.weight is torch\.float64"):
        capture(Model(lambda m, x: x, torch.float64))
    with pytest.raises(CaptureError, match=r"inner\.weight is torch\.bfloat16"):
        capture(Model(lambda m, x: x, torch.bfloat16))
    with pytest.raises(CaptureError, match=r"column x is torch\.float64"):
        capture(Model(lambda m, x: x), np.zeros((4, 4)))
    with pytest.raises(CaptureError, match=r"column x is torch\.complex64"):
        capture(Model(lambda m, x: x), torch.zeros(4, 4, dtype=torch.complex64))


def test_batches_and_losses_that_do_not_fit():
    module, x = Model(lambda m, x: x), np.zeros((4, 4), np.float32)

    def step(loss: Any, **batch: Any) -> bytes:
        return training_step_onnx(module, loss, SGD(lr=0.1), batch)

    for loss, batch, words in [
        ("cross_entropy", {"x": x}, "no column y"),
        ("mse", {"y": x}, "no input column"),
        ("mse", {"x": x, "y": x[:, :1]}, "mse cannot compare"),
        ("cross_entropy", {"x": x, "y": np.zeros(3, np.int64)}, "cross_entropy cannot compare"),
        ("cross_entropy", {"x": np.zeros((2, 4, 4), np.float32), "y": np.zeros((2, 4), np.int64)}, "which axis"),
        ("hinge", {"x": x}, "hinge"),
        (lambda o, b: o, {"x": x}, "not one float32 number"),
        (lambda o, b: b["x"].sum(), {"x": x}, "does not depend"),
    ]:
        with pytest.raises(CaptureError, match=words):
            step(loss, **batch)


def test_modules_that_do_not_fit():
    with pytest.raises(CaptureError, match="is not a torch"):
        capture(lambda x: x)  # type: ignore[arg-type]
    with pytest.raises(CaptureError, match="no parameter is trained"):
        capture(Model(lambda m, x: x).requires_grad_(False))
    with pytest.raises(CaptureError, match="has no shape yet"):
        capture(nn.LazyLinear(3))
    module = Model(lambda m, x: x)
    module.register_buffer("seen", torch.zeros(4), persistent=False)
    module.function = lambda m, x: x + m.seen.add_(1)
    with pytest.raises(CaptureError, match="buffer seen"):
        capture(module)
