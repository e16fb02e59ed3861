"""Tensors made from nothing: fills, ranges, constants of the module."""

from __future__ import annotations

from typing import Any

from assay.program.types import DType

from ..graph import Value
from .registry import Call, refuse, translates

Options = Any


@translates("full.default", "full_like.default", "new_full.default")
def full(c: Call, _like: object, number: float, **options: Options) -> Value:
    """A tensor filled with one number."""
    return c.graph.full(c.shape, number, c.dtype)


@translates("scalar_tensor.default")
def scalar_tensor(c: Call, number: float, **options: Options) -> Value:
    """A number as a tensor of shape ()."""
    return c.graph.scalar(number, c.dtype)


@translates(
    "zeros.default", "zeros_like.default", "new_zeros.default", "empty.memory_format", "empty_like.default",
    "empty_permuted.default", "empty_strided.default", "new_empty.default", "new_empty_strided.default",
    "efficientzerotensor.default", "_efficientzerotensor.default",
)  # fmt: skip
def zeros(c: Call, *rest: object, **options: Options) -> Value:
    """Zeros; memory that torch leaves undefined is zero too."""
    return c.graph.full(c.shape, 0, c.dtype)


@translates("ones.default", "ones_like.default", "new_ones.default")
def ones(c: Call, *rest: object, **options: Options) -> Value:
    """Ones."""
    return c.graph.full(c.shape, 1, c.dtype)


@translates("fill.Scalar")
def fill(c: Call, x: Value, number: float) -> Value:
    """A number in the shape of x."""
    return c.graph.full(c.shape, number, c.dtype)


@translates("fill.Tensor")
def fill_tensor(c: Call, x: Value, number: Value) -> Value:
    """A scalar tensor in the shape of x."""
    return c.graph.expand(c.operand(number), c.shape)


@translates("arange.start_step", "arange.start", "arange.default")
def arange(c: Call, *limits: float, **options: Options) -> Value:
    """start, start + step, ...: as many as the result has."""
    start, step = (limits[0] if len(limits) > 1 else 0), (limits[2] if len(limits) > 2 else 1)
    if int(start) != start or int(step) != step:
        raise refuse(c.node, "with a fractional start or step is not covered", hint="Scale a range of integers.")
    return c.graph.cast(c.graph.arange(c.shape[0], int(start), int(step)), c.dtype)


@translates("eye.default", "eye.m")
def eye(c: Call, *rest: object, **options: Options) -> Value:
    """The identity matrix."""
    rows, columns = (c.graph.arange(n) for n in c.shape)
    same = c.graph.emit("Equal", c.graph.unsqueeze(rows, [1]), columns, dtype=DType.BOOL)
    return c.graph.cast(same, c.dtype)
