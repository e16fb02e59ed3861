"""Folds over whole axes: sums, extrema, means, and the positions of extrema."""

from __future__ import annotations

import math
from math import prod

import numpy as np

from ..kernel import Order
from ..types import DType
from .context import Context, bits_of
from .known import known_array
from .node import Node, lowers
from .value import Shape, Value

__all__ = ["fold", "initial_of", "mean", "position"]


def initial_of(op: str, dtype: DType) -> int:
    """The neutral element of a fold, as the bits of its accumulator (binary32 for all floats)."""
    accumulator = DType.FLOAT32 if dtype.is_float else dtype
    if op == "add":
        return bits_of(0, accumulator)
    if op == "mul":
        return bits_of(1, accumulator)
    lowest = op == "max"
    if dtype.is_float:
        return bits_of(-math.inf if lowest else math.inf, accumulator)
    if dtype is DType.BOOL:
        return int(not lowest)
    info = np.iinfo(dtype.numpy)
    return bits_of(info.min if lowest else info.max, dtype)


def fold(ctx: Context, op: str, value: Value, axes: Shape, keep: bool) -> Value:
    """Fold `axes` (increasing) of `value` with `op`: LANES if they contain the last axis, else CHAIN.

    `keep` leaves the axes with length 1.
    """
    kept = [a for a in range(value.rank) if a not in axes]
    shape = tuple(1 if a in axes else d for a, d in enumerate(value.shape) if keep or a not in axes)
    if not axes:
        return value
    loop = ctx.loop(tuple(value.shape[a] for a in kept), tuple(value.shape[a] for a in axes))
    read = loop.read(
        value,
        [loop.axis(fold=axes.index(a)) if a in axes else loop.axis(kept.index(a)) for a in range(value.rank)],
    )
    order = Order.LANES if value.rank - 1 in axes else Order.CHAIN
    return loop.emit(op, [read], value.dtype, shape=shape, order=order, initial=initial_of(op, value.dtype))


def mean(ctx: Context, value: Value, axes: Shape, keep: bool) -> Value:
    """The sum divided by the number of elements."""
    count = prod(value.shape[a] for a in axes)
    total = fold(ctx, "add", value, axes, keep)
    return ctx.map("div", total, ctx.real(count, value), dtype=value.dtype)


def _axes(ctx: Context, node: Node, rank: int) -> Shape:
    """The axes to reduce: an input since version 18 (ReduceSum: 13), an attribute before."""
    if node.get(1) is not None:
        known = known_array(ctx, node, 1)
        if known.ndim != 1:
            node.refuse("the axes are not a vector")
        values = [int(v) for v in known]
    else:
        values = list(node.integers("axes", ()))
    if not values:
        return () if node.integer("noop_with_empty_axes", 0) else tuple(range(rank))
    return node.axes(values, rank)


_FOLDS = {"ReduceMax": "max", "ReduceMin": "min", "ReduceProd": "mul"}


@lowers(
    "ReduceSum",
    "ReduceMean",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "ReduceSumSquare",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
)
def reduce(ctx: Context, node: Node) -> Value:
    """A fold, with the element-wise step that comes before or after it."""
    x, op, keep = node[0], node.op, bool(node.integer("keepdims", 1))
    axes = _axes(ctx, node, x.rank)
    if not x.rank and not (node.integer("noop_with_empty_axes", 0)):
        # A scalar is folded over one element, so that -0 and NaN come out as from any other fold.
        return reduce_over(ctx, op, x.insert(0), (0,), False)
    return reduce_over(ctx, op, x, axes, keep)


def reduce_over(ctx: Context, op: str, x: Value, axes: Shape, keep: bool) -> Value:
    """The reduction named by an ONNX operator, over given axes."""
    if op == "ReduceMean":
        return mean(ctx, x, axes, keep) if axes else x
    if op in ("ReduceSumSquare", "ReduceL2"):
        x = ctx.map("mul", x, x)
    elif op == "ReduceL1":
        x = ctx.map("abs", x)
    elif op == "ReduceLogSumExp":
        top = fold(ctx, "max", x, axes, True)
        total = fold(ctx, "add", ctx.map("exp", ctx.map("sub", x, top, dtype=x.dtype)), axes, True)
        result = ctx.map("add", ctx.map("log", total), top, dtype=x.dtype)
        return result if keep else _squeeze(result, axes)
    result = fold(ctx, _FOLDS.get(op, "add"), x, axes, keep)
    if op == "ReduceL2":
        return ctx.map("sqrt", result)
    return ctx.map("log", result) if op == "ReduceLogSum" else result


def _squeeze(value: Value, axes: Shape) -> Value:
    for axis in reversed(axes):
        value = value.drop(axis)
    return value


@lowers("ArgMax", "ArgMin")
def argument(ctx: Context, node: Node) -> Value:
    """Position of the first extremum (the last with select_last_index): fold, compare, choose, fold.

    Where the extremum is NaN nothing equals it, and the result is the largest int64 (smallest with
    select_last_index): an index out of every range.
    """
    x = node[0]
    axis = node.axis(node.integer("axis", 0), x.rank)
    last, keep = bool(node.integer("select_last_index", 0)), bool(node.integer("keepdims", 1))
    return position(ctx, x, axis, "max" if node.op == "ArgMax" else "min", last, keep)


def position(ctx: Context, x: Value, axis: int, op: str, last: bool, keep: bool) -> Value:
    """The first (or last) index along `axis` of the extreme value that a fold with `op` finds, as int64."""
    extremum = fold(ctx, op, x, (axis,), True)
    equal = ctx.map("eq", x, extremum.expand(x.shape))
    info = np.iinfo(np.int64)
    loop = ctx.loop(x.shape)
    choose = [
        loop.read(equal, loop.identity()),
        loop.coordinate(loop.axis(axis)),
        loop.read(ctx.full(info.min if last else info.max, DType.INT64, x.shape), loop.identity()),
    ]
    candidates = loop.emit("select", choose, DType.INT64)
    return fold(ctx, "max" if last else "min", candidates, (axis,), keep)
