"""Windows the other way round: Col2Im gathers overlapping blocks, MaxUnpool puts maxima back."""

from __future__ import annotations

from math import prod

from ..kernel import Order, Scatter
from ..types import DType
from .context import Context
from .known import known_ints
from .node import Node, lowers
from .product import window_of
from .reduce import initial_of
from .shape import concat
from .value import Value

__all__: list[str] = []


@lowers("Col2Im")
def column_to_image(ctx: Context, node: Node) -> Value:
    """For each pixel one add chain over the window's places, row-major, of the blocks that cover it; others read +0."""
    x, image, block = node[0], tuple(known_ints(ctx, node, 1)), tuple(known_ints(ctx, node, 2))
    if x.rank != 3 or not image or len(image) != len(block) or min(*image, *block) < 1:
        node.refuse(f"blocks of {block[:8]} of an image of {image[:8]} from shape {x.shape}")
    if len(image) > ctx.limits.rank or x.shape[1] % prod(block):
        node.refuse(f"{x.shape[1]} rows for blocks of {block[:8]}")
    window = window_of(node, image, block)
    counts = tuple(
        (d + b + e - extent) // s + 1
        for d, b, e, extent, s in zip(image, window.begin, window.end, window.extent, window.strides, strict=True)
    )
    if min(counts) < 1 or prod(counts) != x.shape[2]:
        node.refuse(f"{x.shape[2]} columns for {counts} blocks")
    channels, rank = x.shape[1] // prod(block), len(image)
    loop = ctx.loop((x.shape[0], channels, *image), block)
    places = [
        loop.axis({2 + n: 1}, {n: -window.dilations[n]}, window.begin[n], divisor=window.strides[n])
        for n in range(rank)
    ]
    blocks = ctx.reshape(x, (x.shape[0], channels, *block, *counts))
    axes = [loop.axis(0), loop.axis(1), *(loop.axis(fold=n) for n in range(rank)), *places]
    read = loop.read(blocks, axes, outside=0)
    return loop.emit("add", [read], x.dtype, order=Order.CHAIN, initial=initial_of("add", x.dtype))


@lowers("MaxUnpool")
def max_unpool(ctx: Context, node: Node) -> Value:
    """Zeros with each element at its flat index, later ones last; an index outside writes nothing; zeros follow at the end."""
    x, indices = node[0], node[1]
    if indices.dtype is not DType.INT64 or indices.shape != x.shape or x.rank < 3:
        node.refuse(f"indices of {indices.dtype} and shape {indices.shape} for {x.shape}")
    size, rank = node.integers("kernel_shape"), x.rank - 2
    strides, pads = node.integers("strides", (1,) * rank), node.integers("pads", (0,) * 2 * rank)
    if not len(size) == len(strides) == rank or len(pads) != 2 * rank:
        node.refuse(f"kernel_shape, strides or pads do not fit {rank} spatial axes")
    spatial = tuple(
        (d - 1) * s - pads[n] - pads[rank + n] + k
        for n, (d, s, k) in enumerate(zip(x.shape[2:], strides, size, strict=True))
    )
    if min(spatial) < 1:
        node.refuse(f"a result of {spatial}")
    shape = (*x.shape[:2], *spatial)
    base = ctx.materialise(ctx.full(0, x.dtype, shape))
    loop = ctx.loop(x.shape)
    operands = [loop.read(indices, loop.identity()), loop.read(x, loop.identity())]
    target = Scatter(base.tensor, (prod(shape),), (loop.axis(indirect=0),))
    result = ctx.scatter("copy", base, target, operands, loop.domain)
    return _enlarged(ctx, node, result, known_ints(ctx, node, 2)) if node.get(2) is not None else result


def _enlarged(ctx: Context, node: Node, value: Value, wanted: list[int]) -> Value:
    if len(wanted) != value.rank or any(w < d for w, d in zip(wanted, value.shape, strict=True)):
        node.refuse(f"output_shape {wanted[:8]} for {value.shape}")
    for axis, extent in enumerate(wanted):
        missing = extent - value.shape[axis]
        if missing:
            shape = (*value.shape[:axis], missing, *value.shape[axis + 1 :])
            value = concat(ctx, [value, ctx.full(0, value.dtype, shape)], axis)
    return value
