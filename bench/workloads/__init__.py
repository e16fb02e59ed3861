"""The models that the engine is measured with, one function per workload."""

from __future__ import annotations

from .language import decode, gpt, llama, minilm
from .vision import cnn, mlp, resnet18
from .workload import Inference, Training, Workload

__all__ = ["WORKLOADS", "Inference", "Training", "Workload"]

WORKLOADS = {make.__name__: make for make in (mlp, cnn, resnet18, gpt, llama, minilm, decode)}
"""Functions that make a workload, by name."""
