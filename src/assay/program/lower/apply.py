"""Operators in terms of other operators: how the standard's function bodies are written down here.

The bodies are ours, and frozen: a program means the same whichever version of the onnx package is installed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from onnx import helper

from .context import Context
from .evaluate import evaluate, note
from .node import LOWERINGS, Node
from .value import Value

__all__ = ["Body"]


class Body:
    """Lowers operators as if `node` consisted of them, in the operator set of `node`."""

    def __init__(self, ctx: Context, node: Node) -> None:
        self.ctx = ctx
        self.node = node

    def __call__(self, op: str, *inputs: Value | None, **attributes: Any) -> Value:
        """The only result of an operator; integers that follow from constants are computed at once."""
        inner = self._node(op, inputs, attributes)
        known = evaluate(self.ctx, inner)
        if known is not None:
            return known
        result = LOWERINGS[op](self.ctx, inner)
        value = result if isinstance(result, Value) else result[0]
        note(self.ctx, inner, value)
        return value

    def modern(self, op: str, *inputs: Value | None, **attributes: Any) -> Value:
        """As a call, in version 13 of the operator set where `node` is of an older one."""
        node = replace(self.node, version=max(self.node.version, 13))
        return Body(self.ctx, node)(op, *inputs, **attributes)

    def _node(self, op: str, inputs: tuple[Value | None, ...], attributes: dict[str, Any]) -> Node:
        protos = {name: helper.make_attribute(name, value) for name, value in attributes.items()}
        return Node(op, self.node.name, self.node.version, inputs, (op,), protos)
