"""Inputs that decide shapes: they must be computable without running the program."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from .context import KNOWN_ELEMENTS, Context
from .node import Node
from .value import Value

__all__ = ["known_array", "known_ints", "undecided"]

Array = np.ndarray[Any, Any]


def known_ints(ctx: Context, node: Node, position: int) -> list[int]:
    """A required input that decides a shape: it must be computable without running the program."""
    value = node[position]
    if not value.dtype.is_integer:
        node.refuse(f"input {position} decides a shape, and is {value.dtype}")
    return [int(v) for v in known_array(ctx, node, position).reshape(-1)]


def known_array(ctx: Context, node: Node, position: int) -> Array:
    """The elements of a required input that must be computable without running the program."""
    known = ctx.known(node[position])
    if known is None:
        undecided(ctx, node, node[position], f"input {position} decides a shape, and is not a constant")
    return known


def undecided(ctx: Context, node: Node, value: Value, why: str) -> NoReturn:
    """Refuse because `value` is not known; the evidence `needs` lists the inputs that would make it known."""
    if value.count > KNOWN_ELEMENTS:
        node.unsupported(f"{why}: it has {value.count} elements", limit=KNOWN_ELEMENTS)
    node.unsupported(why, hint="Export the model with static shapes.", needs=ctx.sources(value))
