"""ONNX operators to primitive kernels: deterministic, one registered function per operator."""

from __future__ import annotations

from .context import Context
from .graph import Functions, Scope, lower_nodes, opset_versions
from .node import LOWERINGS
from .value import Value

__all__ = ["LOWERINGS", "Context", "Functions", "Scope", "Value", "lower_nodes", "opset_versions"]
