"""Operators that only move elements: windows where possible, one copying kernel where not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import prod

from ..tensors import check_shape
from ..types import DType
from .context import Context, broadcast
from .elementwise import same_type
from .known import known_ints
from .node import Node, lowers
from .value import Shape, Value

__all__ = ["concat", "slice_bounds"]

_MAX_OPERANDS = 32


@lowers("Identity")
def identity(ctx: Context, node: Node) -> Value:
    """The same value."""
    return node[0]


@lowers("Transpose")
def transpose(ctx: Context, node: Node) -> Value:
    """Axes in another order; reversed by default."""
    order = node.integers("perm", tuple(reversed(range(node[0].rank))))
    if sorted(order) != list(range(node[0].rank)):
        node.refuse(f"perm {order} for {node[0].rank} axes")
    return node[0].transpose(order)


@lowers("Reshape")
def reshape(ctx: Context, node: Node) -> Value:
    """0 keeps an extent (unless allowzero), one -1 is inferred."""
    x, wanted = node[0], known_ints(ctx, node, 1)
    return ctx.reshape(x, resolve(node, x.shape, wanted))


def resolve(node: Node, shape: Shape, wanted: Sequence[int]) -> Shape:
    """The extents that Reshape's second input stands for."""
    if len(wanted) > 64 or min(wanted, default=0) < -1 or list(wanted).count(-1) > 1:
        node.refuse(f"cannot reshape to {list(wanted)[:64]}")
    result = list(wanted)
    if not node.integer("allowzero", 0):
        for a, extent in enumerate(result):
            if extent == 0:
                if a >= len(shape):
                    node.refuse(f"cannot reshape {shape} to {list(wanted)}")
                result[a] = shape[a]
    if -1 in result:
        rest = prod(d for d in result if d != -1)
        if not rest or prod(shape) % rest:
            node.refuse(f"cannot reshape {shape} to {list(wanted)}")
        result[result.index(-1)] = prod(shape) // rest
    if prod(result) != prod(shape):
        node.refuse(f"cannot reshape {shape} to {list(wanted)}")
    return tuple(result)


@lowers("Flatten")
def flatten(ctx: Context, node: Node) -> Value:
    """Two axes: those before `axis` and the rest."""
    x, axis = node[0], node.integer("axis", 1)
    if not -x.rank <= axis <= x.rank:
        node.refuse(f"axis {axis} of a tensor with {x.rank} axes")
    axis += x.rank if axis < 0 else 0
    return ctx.reshape(x, (prod(x.shape[:axis]), prod(x.shape[axis:])))


def _axes(ctx: Context, node: Node) -> list[int] | None:
    """Axes from the second input, or before version 13 from an attribute; None where neither is given."""
    if node.version < 13:
        return list(node.integers("axes")) if node.has("axes") else None
    return known_ints(ctx, node, 1) if node.get(1) is not None else None


@lowers("Squeeze")
def squeeze(ctx: Context, node: Node) -> Value:
    """Without the given axes of length 1, or without all of them."""
    x = node[0]
    wanted = _axes(ctx, node)
    axes: Sequence[int] = [a for a, d in enumerate(x.shape) if d == 1] if wanted is None else node.axes(wanted, x.rank)
    for axis in reversed(axes):
        if x.shape[axis] != 1:
            node.refuse(f"axis {axis} of {x.shape} is not of length 1")
        x = x.drop(axis)
    return x


@lowers("Unsqueeze")
def unsqueeze(ctx: Context, node: Node) -> Value:
    """With new axes of length 1 at positions of the result."""
    x, wanted = node[0], _axes(ctx, node)
    if wanted is None or len(wanted) > ctx.limits.rank:
        node.refuse(f"{len(wanted or ())} new axes")
    for axis in node.axes(wanted, x.rank + len(wanted)):
        x = x.insert(axis)
    return x


@lowers("Expand")
def expand(ctx: Context, node: Node) -> Value:
    """Broadcast against a shape."""
    x, wanted = node[0], tuple(known_ints(ctx, node, 1))
    if len(wanted) > ctx.limits.rank or min(wanted, default=0) < 0:
        node.refuse(f"cannot expand to {wanted[:64]}")
    return x.expand(broadcast(x.shape, wanted))


def slice_bounds(start: int, end: int, step: int, extent: int) -> tuple[int, int]:
    """First position and count of an ONNX slice, which counts and clamps negative positions as Python does."""
    places = range(extent)[start:end:step]
    return (places.start if len(places) else 0), len(places)


@lowers("Slice")
def slice_node(ctx: Context, node: Node) -> Value:
    """A window with steps of either sign."""
    x, starts, ends = node[0], known_ints(ctx, node, 1), known_ints(ctx, node, 2)
    axes = known_ints(ctx, node, 3) if node.get(3) is not None else list(range(len(starts)))
    steps = known_ints(ctx, node, 4) if node.get(4) is not None else [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        node.refuse("starts, ends, axes and steps do not match")
    places = [node.axis(a, x.rank) for a in axes]
    if len(set(places)) != len(places):
        node.refuse(f"repeated axes {axes}")
    for axis, start, end, step in zip(places, starts, ends, steps, strict=True):
        first, count = slice_bounds(start, end, step, x.shape[axis])
        x = x.slice(axis, first, count, step)
    return x


def concat(ctx: Context, values: Sequence[Value], axis: int) -> Value:
    """Side by side along `axis`: "first" over guarded reads, at most 32 at a time; parts without elements vanish."""
    full = [v for v in values if v.count]
    if not full:
        shape = (*values[0].shape[:axis], sum(v.shape[axis] for v in values), *values[0].shape[axis + 1 :])
        return ctx.full(0, values[0].dtype, shape)
    values = full
    while len(values) > 1:
        groups = [values[n : n + _MAX_OPERANDS] for n in range(0, len(values), _MAX_OPERANDS)]
        values = [_concat(ctx, group, axis) for group in groups]
    return values[0]


def _concat(ctx: Context, values: Sequence[Value], axis: int) -> Value:
    if len(values) == 1:
        return values[0]
    shape = list(values[0].shape)
    shape[axis] = sum(v.shape[axis] for v in values)
    loop, operands, start = ctx.loop(tuple(shape)), [], 0
    for value in values:
        axes = loop.identity()
        axes[axis] = loop.axis(axis, offset=-start)
        operands.append(loop.read(value, axes, outside=0))
        start += value.shape[axis]
    return loop.emit("first", operands, values[0].dtype)


@lowers("Concat")
def concat_node(ctx: Context, node: Node) -> Value:
    """All inputs side by side."""
    values = [node[n] for n in range(len(node.inputs))]
    same_type(node, *values)
    axis = node.axis(node.integer("axis"), values[0].rank)
    rest = {(v.rank, v.shape[:axis], v.shape[axis + 1 :]) for v in values}
    if len(rest) != 1:
        node.refuse(f"shapes {[v.shape for v in values[:8]]} do not match")
    return concat(ctx, values, axis)


@lowers("Split")
def split(ctx: Context, node: Node) -> list[Value]:
    """Windows next to each other: given sizes, or equal ones with a smaller last one."""
    x = node[0]
    axis = node.axis(node.integer("axis", 0), x.rank)
    extent, parts = x.shape[axis], len(node.outputs)
    if node.get(1) is not None:
        sizes = known_ints(ctx, node, 1)
    elif node.has("split"):
        sizes = list(node.integers("split"))
    else:
        parts = node.integer("num_outputs", parts)
        each = -(-extent // max(1, parts))
        sizes = [each] * (parts - 1) + [extent - each * (parts - 1)] if 0 < parts <= len(node.outputs) else []
    if len(sizes) != len(node.outputs) or min(sizes) < 0 or sum(sizes) != extent:
        node.refuse(f"cannot split {extent} into {sizes[:64]} for {len(node.outputs)} outputs")
    starts = accumulate(sizes, initial=0)
    return [x.slice(axis, start, size) for start, size in zip(starts, sizes, strict=False)]


@lowers("Pad")
def pad(ctx: Context, node: Node) -> Value:
    """Constant, edge, reflect or wrap; negative pads cut off."""
    x, pads = node[0], known_ints(ctx, node, 1)
    axes = [node.axis(a, x.rank) for a in known_ints(ctx, node, 3)] if node.get(3) is not None else list(range(x.rank))
    if len(pads) != 2 * len(axes) or len(set(axes)) != len(axes):
        node.refuse(f"{len(pads)} pads for {len(axes)} axes")
    before, after = [0] * x.rank, [0] * x.rank
    for n, axis in enumerate(axes):
        before[axis], after[axis] = pads[n], pads[n + len(axes)]
        if x.shape[axis] + min(0, before[axis]) + min(0, after[axis]) < 1:
            node.refuse(f"pads {pads} leave nothing of {x.shape}")
        cut = max(0, -before[axis])
        x = x.slice(axis, cut, x.shape[axis] - cut - max(0, -after[axis]))
    before, after = [max(0, p) for p in before], [max(0, p) for p in after]
    mode = node.text("mode", "constant")
    if mode == "constant":
        return _pad_constant(ctx, node, x, before, after)
    for axis in range(x.rank):
        if before[axis] or after[axis]:
            x = _pad_axis(ctx, node, x, axis, before[axis], after[axis], mode)
    return x


def _pad_constant(ctx: Context, node: Node, x: Value, before: list[int], after: list[int]) -> Value:
    value = node.get(2) or ctx.scalar(0, x.dtype)
    same_type(node, x, value)
    if value.count != 1:
        node.refuse("the padding value is not a scalar")
    if not any(before) and not any(after):
        return x
    loop = ctx.loop(tuple(b + d + a for b, d, a in zip(before, x.shape, after, strict=True)))
    axes = [loop.axis(n, offset=-b) for n, b in enumerate(before)]
    literal = ctx.literal(value)
    if literal is not None:
        return loop.emit("copy", [loop.read(x, axes, literal)], x.dtype)
    fill = loop.read(ctx.reshape(value, ()).expand(loop.domain), loop.identity())
    return loop.emit("first", [loop.read(x, axes, 0), fill], x.dtype)


def _pad_axis(ctx: Context, node: Node, x: Value, axis: int, before: int, after: int, mode: str) -> Value:
    extent = x.shape[axis]

    def edge(at: int, count: int) -> Value:
        shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
        return x.slice(axis, at, 1).expand(shape)

    if mode == "edge":
        left, right = edge(0, before), edge(extent - 1, after)
    elif mode == "reflect" and max(before, after) < extent:
        left, right = x.slice(axis, before, before, -1), x.slice(axis, extent - 2, after, -1)
    elif mode == "wrap" and max(before, after) <= extent:
        left, right = x.slice(axis, extent - before, before), x.slice(axis, 0, after)
    else:
        node.unsupported(f"mode {mode!r} with pads {before} and {after} of {extent} elements")
    return concat(ctx, [left, x, right], axis)


@lowers("CenterCropPad")
def center_crop_pad(ctx: Context, node: Node) -> Value:
    """Zeros around, or the middle of, the given axes; the smaller half of an odd difference comes first."""
    x, wanted = node[0], known_ints(ctx, node, 1)
    given = node.integers("axes", range(x.rank))
    axes = [node.axis(a, x.rank) for a in given]
    if len(wanted) != len(axes) or len(set(axes)) != len(axes) or min(wanted, default=1) < 0:
        node.refuse(f"shape {wanted[:16]} for axes {given[:16]}")
    before, after = [0] * x.rank, [0] * x.rank
    for axis, extent in zip(axes, wanted, strict=True):
        missing = max(0, extent - x.shape[axis])
        before[axis], after[axis] = missing // 2, missing - missing // 2
    if any(before) or any(after):
        loop = ctx.loop(tuple(b + d + a for b, d, a in zip(before, x.shape, after, strict=True)))
        places = [loop.axis(n, offset=-b) for n, b in enumerate(before)]
        x = loop.emit("copy", [loop.read(x, places, 0)], x.dtype)
    for axis, extent in zip(axes, wanted, strict=True):
        x = x.slice(axis, (x.shape[axis] - extent) // 2, extent)
    return x


@lowers("Tile")
def tile(ctx: Context, node: Node) -> Value:
    """Repeat each axis."""
    x, repeats = node[0], known_ints(ctx, node, 1)
    if len(repeats) != x.rank or min(repeats, default=1) < 1:
        node.refuse(f"repeats {repeats[:64]} for {x.rank} axes")
    result = tuple(r * d for r, d in zip(repeats, x.shape, strict=True))
    check_shape(f"the result of {node.label}", x.dtype, result, ctx.limits)
    for axis in reversed(range(x.rank)):
        x = x.insert(axis)
    return ctx.reshape(x.expand(tuple(e for pair in zip(repeats, node[0].shape, strict=True) for e in pair)), result)


@lowers("DepthToSpace", "SpaceToDepth")
def depth_space(ctx: Context, node: Node) -> Value:
    """Blocks of channels to blocks of pixels, and back; modes DCR and CRD."""
    x, block, mode = node[0], node.integer("blocksize"), node.text("mode", "DCR")
    if x.rank != 4 or block < 1 or mode not in ("DCR", "CRD"):
        node.refuse(f"shape {x.shape}, blocksize {block}, mode {mode!r}")
    n, c, h, w = x.shape
    if node.op == "DepthToSpace":
        if c % block**2:
            node.refuse(f"{c} channels in blocks of {block}")
        depth = c // block**2
        parts = (n, block, block, depth, h, w) if mode == "DCR" else (n, depth, block, block, h, w)
        order = (0, 3, 4, 1, 5, 2) if mode == "DCR" else (0, 1, 4, 2, 5, 3)
        return ctx.reshape(ctx.reshape(x, parts).transpose(order), (n, depth, h * block, w * block))
    if h % block or w % block:
        node.refuse(f"{h} x {w} pixels in blocks of {block}")
    split_ = ctx.reshape(x, (n, c, h // block, block, w // block, block))
    order = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
    return ctx.reshape(split_.transpose(order), (n, c * block**2, h // block, w // block))


@lowers("Trilu")
def trilu(ctx: Context, node: Node) -> Value:
    """The upper or lower triangle of the last two axes; zero elsewhere."""
    x = node[0]
    if x.rank < 2:
        node.refuse(f"shape {x.shape}")
    k = known_ints(ctx, node, 1)[0] if node.get(1) is not None else 0
    k = max(-(2**40), min(2**40, k))
    loop = ctx.loop(x.shape[-2:])
    distance = loop.coordinate(loop.axis({0: -1, 1: 1}))
    bound = loop.read(ctx.full(k, DType.INT64, loop.domain), loop.identity())
    mask = loop.emit("ge" if node.integer("upper", 1) else "le", [distance, bound], DType.BOOL)
    return ctx.map("select", mask, x, ctx.scalar(0, x.dtype), dtype=x.dtype)
