"""SUBMIT: package a task, price it, and say how long each of its states may last."""

from .inference import Inference, package_inference
from .package import Evaluation, Package, Plan, package, read_task
from .quote import DEFAULT_RATE, Quote, Windows, quote
from .terms import terms, work

__all__ = [
    "DEFAULT_RATE",
    "Evaluation",
    "Inference",
    "Package",
    "Plan",
    "Quote",
    "Windows",
    "package",
    "package_inference",
    "quote",
    "read_task",
    "terms",
    "work",
]
