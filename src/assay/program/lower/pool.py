"""Pooling: folds over a moving window, one chain per output element."""

from __future__ import annotations

import math
from math import prod

import numpy as np

from ..kernel import Axis, Order
from ..types import DType
from .context import Context, bits_of
from .loop import Loop
from .node import Node, lowers
from .product import Window, window_of
from .reduce import fold, initial_of, mean
from .value import Shape, Value

__all__ = ["image_of", "places_of", "pool_window"]

_MAX_COUNTS = 2**20
"""Longest output axis for which AveragePool counts the elements of each window."""


def pool_window(node: Node, spatial: Shape) -> tuple[Window, Shape]:
    """The window and the output extent. Windows that would start in the padding at the end are left out."""
    window = window_of(node, spatial, node.integers("kernel_shape"))
    out = []
    for d, b, e, s, extent in zip(spatial, window.begin, window.end, window.strides, window.extent, strict=True):
        room = d + b + e - extent
        if room < 0:
            node.refuse(f"the window is larger than the padded input {spatial}")
        steps = room // s + 1
        if node.integer("ceil_mode", 0):
            steps = -(-room // s) + 1
            steps -= (steps - 1) * s >= d + b
        out.append(steps)
    return window, tuple(out)


def places_of(loop: Loop, window: Window, first: int) -> list[Axis]:
    """Coordinates of the window's elements; the loop's domain continues with the window where it has no fold."""
    rank = len(window.size)
    axes = []
    for n in range(rank):
        stride, dilation = window.strides[n], window.dilations[n]
        if loop.fold:
            axes.append(loop.axis({2 + n: stride}, {first + n: dilation}, -window.begin[n]))
        else:
            axes.append(loop.axis({2 + n: stride, 2 + rank + n: dilation}, offset=-window.begin[n]))
    return axes


def image_of(node: Node) -> tuple[Value, Shape]:
    x = node[0]
    if x.rank < 3:
        node.refuse(f"shape {x.shape} has no spatial axes")
    return x, x.shape[2:]


@lowers("MaxPool")
def max_pool(ctx: Context, node: Node) -> Value | list[Value]:
    """A max fold; padding never wins. With Indices: the first element equal to the maximum."""
    x, spatial = image_of(node)
    window, out = pool_window(node, spatial)
    lowest = initial_of("max", x.dtype)
    outside = bits_of(-math.inf, x.dtype) if x.dtype.is_float else lowest
    loop = ctx.loop((*x.shape[:2], *out), window.size)
    read = loop.read(x, [loop.axis(0), loop.axis(1), *places_of(loop, window, 0)], outside)
    result = loop.emit("max", [read], x.dtype, order=Order.CHAIN, initial=lowest)
    return [result, _indices(ctx, node, x, window, result)] if node.wants(1) else result


def _indices(ctx: Context, node: Node, x: Value, window: Window, top: Value) -> Value:
    """Flat position in x of the first maximum; the largest int64 where it is NaN or all is padding."""
    if not x.dtype.is_float:
        node.unsupported(f"Indices of {x.dtype}")
    rank = len(window.size)
    loop = ctx.loop((*top.shape, *window.size))
    places = [loop.axis(0), loop.axis(1), *places_of(loop, window, 0)]
    element = loop.read(x, places, bits_of(math.nan, x.dtype))
    equal = loop.emit("eq", [element, loop.read(top, [loop.axis(a) for a in range(2 + rank)])], DType.BOOL)
    order = [0, 1, *range(2, 2 + rank)]
    if node.integer("storage_order", 0):
        order = [0, 1, *reversed(range(2, 2 + rank))]
    weights, weight = [0] * x.rank, 1
    for a in reversed(order):
        weights[a], weight = weight, weight * x.shape[a]
    flat = loop.axis(
        {n: sum(w * p.strides[n] for w, p in zip(weights, places, strict=True)) for n in range(2 + 2 * rank)},
        offset=sum(w * p.offset for w, p in zip(weights, places, strict=True)),
    )
    nowhere = ctx.full(np.iinfo(np.int64).max, DType.INT64, equal.shape)
    choose = [loop.read(equal, loop.identity()), loop.coordinate(flat), loop.read(nowhere, loop.identity())]
    candidates = loop.emit("select", choose, DType.INT64)
    loop = ctx.loop(top.shape, window.size)
    every = [loop.axis(a) for a in range(2 + rank)] + [loop.axis(fold=a) for a in range(rank)]
    initial = initial_of("min", DType.INT64)
    return loop.emit("min", [loop.read(candidates, every)], DType.INT64, order=Order.CHAIN, initial=initial)


@lowers("AveragePool")
def average_pool(ctx: Context, node: Node) -> Value:
    """An add fold over the window, padding reads +0; then div by the number of elements that count."""
    x, spatial = image_of(node)
    window, out = pool_window(node, spatial)
    loop = ctx.loop((*x.shape[:2], *out), window.size)
    read = loop.read(x, [loop.axis(0), loop.axis(1), *places_of(loop, window, 0)], outside=0)
    total = loop.emit("add", [read], x.dtype, order=Order.CHAIN, initial=initial_of("add", x.dtype))
    if node.integer("count_include_pad", 0):
        limits = [(-b, d + e) for d, b, e in zip(spatial, window.begin, window.end, strict=True)]
    else:
        limits = [(0, d) for d in spatial]
    return ctx.map("div", total, _counts(ctx, node, window, out, limits), dtype=x.dtype)


def _counts(ctx: Context, node: Node, window: Window, out: Shape, limits: list[tuple[int, int]]) -> Value:
    """How many elements of each window lie within `limits`, as binary32; one number where all are equal."""
    if max(out) > _MAX_COUNTS:
        node.unsupported(f"an output of {max(out)} elements along one axis")
    axes = []
    for n, (low, high) in enumerate(limits):
        start = np.arange(out[n], dtype=np.int64) * window.strides[n] - window.begin[n]
        first = np.maximum(0, -((start - low) // window.dilations[n]))
        last = np.minimum(window.size[n], -((start - high) // window.dilations[n]))
        axes.append(np.maximum(0, last - first))
    if all((counts == counts[0]).all() for counts in axes):
        return ctx.scalar(prod(int(counts[0]) for counts in axes), DType.FLOAT32)
    total = ctx.constant(axes[0].astype(np.float32))
    for counts in axes[1:]:
        total = ctx.map("mul", total.insert(total.rank), ctx.constant(counts.astype(np.float32)), dtype=DType.FLOAT32)
    return total


@lowers("GlobalAveragePool", "GlobalMaxPool")
def global_pool(ctx: Context, node: Node) -> Value:
    """ReduceMean or ReduceMax over the spatial axes."""
    x, spatial = image_of(node)
    axes = tuple(range(2, 2 + len(spatial)))
    return mean(ctx, x, axes, True) if node.op == "GlobalAveragePool" else fold(ctx, "max", x, axes, True)
