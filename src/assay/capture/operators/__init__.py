"""ATen operators, translated to ONNX: one module per kind. Importing this package fills the table."""

from __future__ import annotations

from . import convolution, create, elementwise, index, pooling, product, random, reduce, shape
from .registry import TRANSLATIONS, Call, dtype_of, refuse

__all__ = [
    "TRANSLATIONS",
    "Call",
    "convolution",
    "create",
    "dtype_of",
    "elementwise",
    "index",
    "pooling",
    "product",
    "random",
    "reduce",
    "refuse",
    "shape",
]
