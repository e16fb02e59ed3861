"""Tensors along a time axis: reversal per example, caches that are written in place, convolution with a state."""

from __future__ import annotations

from ..kernel import Scatter
from ..types import DType
from .context import Context
from .elementwise import cast, same_type
from .node import Node, lowers
from .product import convolve
from .shape import concat
from .value import Value

__all__: list[str] = []


@lowers("ReverseSequence")
def reverse_sequence(ctx: Context, node: Node) -> Value:
    """Of each example the first `length` steps in reverse order, the rest as it is."""
    x, lengths = node[0], node[1]
    batch, time = node.integer("batch_axis", 1), node.integer("time_axis", 0)
    if x.rank < 2 or {batch, time} != {0, 1} or lengths.shape != (x.shape[batch],) or lengths.dtype is not DType.INT64:
        node.refuse(f"lengths of shape {lengths.shape} for axes {time} and {batch} of {x.shape}")
    steps = x.shape[time]
    lengths = ctx.map("min", lengths, ctx.scalar(steps, DType.INT64))
    loop = ctx.loop((x.shape[batch], steps))
    length = loop.read(lengths, [loop.axis(0)])
    last = loop.emit("sub", [length, loop.coordinate(loop.axis(1, offset=1))], DType.INT64)
    inside = ctx.map("ge", last, ctx.scalar(0, DType.INT64))
    forward = loop.emit("copy", [loop.coordinate(loop.axis(1))], DType.INT64)
    index = ctx.map("select", inside, last, forward, dtype=DType.INT64)
    loop = ctx.loop(x.shape)
    places = loop.identity()
    read = loop.read(index, [places[batch], places[time]])
    places[time] = loop.axis(indirect=0)
    return loop.emit("copy", [read, loop.read(x, places, 0)], x.dtype)


@lowers("TensorScatter")
def tensor_scatter(ctx: Context, node: Node) -> Value:
    """The cache with the update written from each example's index on; circular indices are taken modulo the axis' length."""
    cache, update, start = node[0], node[1], node.get(2)
    same_type(node, cache, update)
    axis = node.axis(node.integer("axis", -2), cache.rank)
    mode = node.text("mode", "linear")
    if axis == 0 or update.rank != cache.rank or mode not in ("linear", "circular"):
        node.refuse(f"mode {mode!r} along axis {axis}")
    if any((u > c) if a == axis else (u != c) for a, (u, c) in enumerate(zip(update.shape, cache.shape, strict=True))):
        node.refuse(f"an update of shape {update.shape} for {cache.shape}")
    if start is None:
        start = ctx.full(0, DType.INT64, cache.shape[:1])
    if start.shape != cache.shape[:1] or start.dtype is not DType.INT64:
        node.refuse(f"write indices of {start.dtype} and shape {start.shape}")
    loop = ctx.loop((cache.shape[0], update.shape[axis]))
    index = loop.emit("add", [loop.read(start, [loop.axis(0)]), loop.coordinate(loop.axis(1))], DType.INT64)
    if mode == "circular":
        index = ctx.map("mod", index, ctx.scalar(cache.shape[axis], DType.INT64), dtype=DType.INT64)
    base = ctx.materialise(cache)
    loop = ctx.loop(update.shape)
    places = loop.identity()
    operands = [loop.read(index, [places[0], places[axis]]), loop.read(update, loop.identity())]
    places[axis] = loop.axis(indirect=0)
    return ctx.scatter("copy", base, Scatter(base.tensor, cache.shape, tuple(places)), operands, loop.domain)


@lowers("CausalConvWithState")
def causal_conv(ctx: Context, node: Node) -> list[Value]:
    """Conv per channel over state and input side by side, then silu in binary32 if asked for; the last steps are the state."""
    x, w, past = node[0], node[1], node.get(3)
    same_type(node, x, w)
    if x.rank != 3 or w.rank != 3 or w.shape[:2] != (x.shape[1], 1) or not w.shape[2]:
        node.refuse(f"shapes {x.shape} and {w.shape} do not match")
    state = (*x.shape[:2], w.shape[2] - 1)
    past = ctx.full(0, x.dtype, state) if past is None else past
    same_type(node, x, past)
    if past.shape != state:
        node.refuse(f"a state of shape {past.shape}, expected {state}")
    padded = concat(ctx, [past, x], 2)
    result = convolve(ctx, node, padded, w, group=x.shape[1])
    bias = node.get(2)
    if bias is not None:
        same_type(node, x, bias)
        if bias.shape != (x.shape[1],):
            node.refuse(f"bias of shape {bias.shape}")
        result = ctx.map("add", result, bias.insert(1), dtype=x.dtype)
    activation = node.text("activation", "none")
    if activation in ("silu", "swish"):
        wide = cast(ctx, result, DType.FLOAT32)
        result = cast(ctx, ctx.map("mul", wide, ctx.map("sigmoid", wide)), x.dtype)
    elif activation != "none":
        node.refuse(f"activation {activation!r}")
    return [result, padded.slice(2, padded.shape[2] - state[2], state[2])]
