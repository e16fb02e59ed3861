"""What a task computes: load and check an ONNX model, lower it to primitive kernels, count its cost before it runs."""

from __future__ import annotations

from .adopt import adopt
from .encoding import NUMERICS, header_bytes, kernel_bytes, program_bytes
from .kernel import Axis, Const, Coordinate, Kernel, Operand, Order, Read, Scatter
from .limits import OPSETS, Limits
from .loader import load
from .program import Cost, Program
from .scalar import OPS, ScalarOp
from .sheet import sheet
from .types import DType, Port

__all__ = [
    "NUMERICS",
    "OPS",
    "OPSETS",
    "Axis",
    "Const",
    "Coordinate",
    "Cost",
    "DType",
    "Kernel",
    "Limits",
    "Operand",
    "Order",
    "Port",
    "Program",
    "Read",
    "ScalarOp",
    "Scatter",
    "adopt",
    "header_bytes",
    "kernel_bytes",
    "load",
    "program_bytes",
    "sheet",
]
