"""PyTorch -> program. The only package that imports torch, and only when a function of it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .records import SGD, Adam, AdamW, Constant, Job, WarmupCosine

if TYPE_CHECKING:
    from .forward import inference, inference_onnx
    from .training import initial_state, training_step, training_step_onnx

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Constant",
    "Job",
    "WarmupCosine",
    "inference",
    "inference_onnx",
    "initial_state",
    "training_step",
    "training_step_onnx",
]

_LAZY = {
    "inference": ".forward",
    "inference_onnx": ".forward",
    "initial_state": ".training",
    "training_step": ".training",
    "training_step_onnx": ".training",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(_LAZY[name], __name__), name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        from assay.errors import CaptureError

        raise CaptureError("capturing a PyTorch model needs torch", hint='pip install "assay[torch]"') from error
