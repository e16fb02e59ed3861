"""The table of translations: one function per ATen operator, from values of the ONNX graph to values of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx

from assay.errors import CaptureError
from assay.program.types import DType

from ..graph import Graph, Value

__all__ = ["TRANSLATIONS", "Call", "dtype_of", "refuse", "translates"]

Result = Value | Sequence[Value | None]
Translation = Callable[..., Result]

TRANSLATIONS: dict[str, Translation] = {}


@dataclass(frozen=True)
class Call:
    """One call of an ATen operator: the graph to extend, the fx node, and how to draw random numbers.

    A `wide` call computes in float32 where torch says bfloat16.
    """

    graph: Graph
    node: fx.Node
    uniform: Callable[[tuple[int, ...]], Value]
    wide: bool = False

    @property
    def declared(self) -> DType:
        """Element type of the (first) result in torch."""
        return dtype_of(self._first().dtype, self.node)

    @property
    def dtype(self) -> DType:
        """Element type of the (first) result."""
        return self._widened(self.declared)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the (first) result."""
        return tuple(int(n) for n in self._first().shape)

    def promoted(self) -> DType:
        """The type in which torch compares the first two arguments."""
        a, b = (x.meta["val"] if isinstance(x, fx.Node) else x for x in self.node.args[:2])
        return self._widened(dtype_of(torch.result_type(a, b), self.node))

    def operand(self, x: Value | float, dtype: DType | None = None) -> Value:
        """`x` as a value of `dtype`, by default the result's type."""
        dtype = dtype or self.dtype
        return self.graph.cast(x, dtype) if isinstance(x, Value) else self.graph.scalar(x, dtype)

    def _widened(self, dtype: DType) -> DType:
        return DType.FLOAT32 if self.wide and dtype is DType.BFLOAT16 else dtype

    def _first(self) -> Any:
        val = self.node.meta["val"]
        return next(v for v in val if v is not None) if isinstance(val, (tuple, list)) else val


def translates(*names: str) -> Callable[[Translation], Translation]:
    """Register a translation `f(call, *args, **kwargs)` of the ATen overloads `names`, such as "add.Tensor"."""

    def register(function: Translation) -> Translation:
        for name in names:
            key = name if name.startswith("prims.") else f"aten.{name}"
            if key in TRANSLATIONS:
                raise KeyError(key)
            TRANSLATIONS[key] = function
        return function

    return register


def dtype_of(dtype: torch.dtype, node: fx.Node) -> DType:
    """The element type of exact-1 that `dtype` is. Raises CaptureError for float64, complex and the like."""
    try:
        return DType(str(dtype).removeprefix("torch."))
    except ValueError:
        raise refuse(
            node, f"computes in {dtype}", hint="exact-1 computes in float32; cast the model and its inputs."
        ) from None


def refuse(node: fx.Node, what: str, *, hint: str | None = None) -> CaptureError:
    """The error that names the operator of `node` and the line of the user's model; to be raised by the caller."""
    line, operator = node.meta.get("stack_trace") or None, str(node.target).removesuffix(".default")
    where = f"{line}: " if line else ""
    return CaptureError(f"{where}operator {operator} {what}", hint=hint, operator=operator, line=line)
