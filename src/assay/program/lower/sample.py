"""Samples at positions that are computed: GridSample, AffineGrid, RoiAlign and DeformConv."""

from __future__ import annotations

from math import prod

import numpy as np

from ..kernel import Order
from ..types import DType
from .context import Context
from .elementwise import cast, same_type
from .formula import Real, polynomial
from .known import known_ints
from .node import Node, lowers
from .product import Window, window_of
from .reduce import fold
from .shape import concat
from .value import Value

__all__: list[str] = []

_F32 = DType.FLOAT32

_MOST_CELLS = 2**20
"""Samples of a region along one axis."""


def _gathered(ctx: Context, x: Value, at: list[Value], lead: int) -> Value:
    """x (lead axes, channels, spatial axes) at spatial indices that each have the lead axes and then those of the result.

    The result has the lead axes, the channels, and the rest; beyond the ends it is 0.
    """
    rest = at[0].shape[lead:]
    loop = ctx.loop((*x.shape[: lead + 1], *rest))
    own = [loop.axis(a) for a in range(lead)]
    after = [loop.axis(lead + 1 + a) for a in range(len(rest))]
    operands = [loop.read(index, [*own, *after]) for index in at]
    places = [*own, loop.axis(lead), *(loop.axis(indirect=n) for n in range(len(at)))]
    return loop.emit("copy", [*operands, loop.read(x, places, 0)], x.dtype)


def _interpolated(ctx: Context, x: Value, taps: list[list[tuple[Value, Real]]], lead: int, at: list[Value]) -> Real:
    """The weighted sum over taps of the first axis of what the other axes give: a product, then a chain of fma."""
    if not taps:
        return Real(ctx, _gathered(ctx, x, at, lead))
    total: Real | None = None
    for index, weight in taps[0]:
        inner = _interpolated(ctx, x, taps[1:], lead, [*at, index])
        factor = Real(ctx, weight.value.insert(lead))  # the same for all channels
        total = inner * factor if total is None else inner.fma(factor, total)
    assert total is not None
    return total


def _shifted(ctx: Context, index: Value, by: int) -> Value:
    return index if not by else ctx.map("add", index, ctx.scalar(by, DType.INT64), dtype=DType.INT64)


def _linear(ctx: Context, x: Real) -> list[tuple[Value, Real]]:
    """Both neighbours; positions that int64 does not hold lie outside anyway."""
    low = x.op("floor")
    ratio, index = x - low, low.whole()
    return [(index, 1.0 - ratio), (_shifted(ctx, index, 1), ratio)]


def _cubic(ctx: Context, x: Real) -> list[tuple[Value, Real]]:
    """Four neighbours with Keys' weights, a = -0.75."""
    low = x.op("floor")
    r, index = x - low, low.whole()
    inner = [polynomial(t, 1.25, -2.25, 0.0, 1.0) for t in (r, 1.0 - r)]
    outer = [polynomial(t, -0.75, 3.75, -6.0, 3.0) for t in (r + 1.0, 2.0 - r)]
    weights = (outer[0], inner[0], inner[1], outer[1])
    return [(_shifted(ctx, index, n - 1), weight) for n, weight in enumerate(weights)]


def _reflected(x: Real, low: float, high: float) -> Real:
    """x mirrored at both borders until it lies between them."""
    extent = high - low
    if extent <= 0:
        return x.of(0.0)
    below = x.test("lt", low)
    over = (low - x).where(below, x - high)
    turns = (over / extent).op("trunc")
    rest = over - turns * extent
    even = (turns * 0.5).op("floor").test("eq", turns * 0.5)
    near, far = (low + rest).where(below, high - rest), (high - rest).where(below, low + rest)
    inside = x.ctx.map("and", x.test("ge", low), x.test("le", high))
    return x.where(inside, near.where(even, far))


def _padded(ctx: Context, index: Value, padding: str, length: int, border: tuple[float, float]) -> Value:
    """A neighbour's index under the padding mode; with zeros it may stay outside."""
    if padding == "border":
        low, high = ctx.scalar(0, DType.INT64), ctx.scalar(length - 1, DType.INT64)
        return ctx.map("min", ctx.map("max", index, low), high)
    if padding == "reflection":
        return _reflected(Real(ctx, index), *border).whole()
    return index


@lowers("GridSample")
def grid_sample(ctx: Context, node: Node) -> Value:
    """Positions from the grid in binary32; neighbours gathered, combined along the last axis first, each by mul and fma."""
    x, grid = node[0], node[1]
    spatial = x.shape[2:]
    rank = len(spatial)
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(node.text("mode", "linear"), node.text("mode", "linear"))
    padding, corners = node.text("padding_mode", "zeros"), bool(node.integer("align_corners", 0))
    if mode not in ("linear", "cubic", "nearest") or padding not in ("zeros", "border", "reflection"):
        node.refuse(f"mode {mode!r}, padding_mode {padding!r}")
    if rank < 1 or grid.rank != rank + 2 or grid.shape[-1] != rank or grid.shape[0] != x.shape[0]:
        node.refuse(f"a grid of shape {grid.shape} for {x.shape}")
    if rank > 3 or not (x.dtype.is_float and grid.dtype.is_float):
        node.unsupported(f"{rank} spatial axes of {x.dtype}, a grid of {grid.dtype}")
    if not x.count or not grid.count:
        return ctx.full(0, x.dtype, (*x.shape[:2], *grid.shape[1:-1]))
    taps = []
    for n, length in enumerate(spatial):
        along = Real(ctx, grid.slice(grid.rank - 1, rank - 1 - n, 1).drop(grid.rank - 1))
        at = (along + 1.0) * 0.5 * float(length - 1) if corners else ((along + 1.0) * float(length) - 1.0) * 0.5
        border = (0.0, length - 1.0) if corners else (-0.5, length - 0.5)
        at = at.op("round") if mode == "nearest" else at
        if padding == "border":  # far enough out that nothing changes, near enough for int64
            at = at.clamp(-4.0, length + 3.0)
        elif padding == "reflection":
            at = _reflected(at, *border)
        found = [(at.whole(), at.of(1.0))] if mode == "nearest" else (_linear if mode == "linear" else _cubic)(ctx, at)
        taps.append([(_padded(ctx, i, padding, length, border), w) for i, w in found])
    if mode == "nearest":
        return _gathered(ctx, x, [axis[0][0] for axis in taps], 1)
    return cast(ctx, _interpolated(ctx, x, taps, 1, []).value, x.dtype)


@lowers("AffineGrid")
def affine_grid(ctx: Context, node: Node) -> Value:
    """theta times (x, y[, z], 1), one product chain each; positions are start + i·step in binary32."""
    theta, size = node[0], known_ints(ctx, node, 1)
    rank = len(size) - 2
    if rank not in (2, 3) or min(size) < 1 or theta.shape != (size[0], rank, rank + 1) or not theta.dtype.is_float:
        node.refuse(f"theta of {theta.dtype} and shape {theta.shape} for size {size[:8]}")
    shape, columns = tuple(size[2:]), []
    for n in reversed(range(rank)):
        length = shape[n]
        loop = ctx.loop((length,))
        place = Real(ctx, loop.emit("cast", [loop.coordinate(loop.axis(0))], _F32))
        if node.integer("align_corners", 0):
            step, start = (np.float32(2) / np.float32(length - 1) if length > 1 else np.float32(0)), np.float32(-1)
        else:
            step = np.float32(2) / np.float32(length)
            start = np.float32(-1) + step / np.float32(2)
        column = (place * float(step) + float(start)).value
        for _ in range(rank - 1 - n):
            column = column.insert(column.rank)
        columns.append(column.expand(shape).insert(rank))
    base = concat(ctx, [*columns, ctx.full(1, _F32, (*shape, 1))], rank)
    loop = ctx.loop((size[0], *shape, rank), (rank + 1,))
    spatial = [loop.axis(1 + a) for a in range(rank)]
    reads = [
        loop.read(theta, [loop.axis(0), loop.axis(1 + rank), loop.axis(fold=0)]),
        loop.read(base, [*spatial, loop.axis(fold=0)]),
    ]
    return loop.emit("fma", reads, theta.dtype, order=Order.CHAIN)


def _region_samples(at: Real, length: int) -> tuple[list[tuple[Value, Real]], Value]:
    """Both neighbours of a position that is clamped to [0, length - 1], and where the position counts at all."""
    ctx = at.ctx
    inside = ctx.map("and", at.test("ge", -1.0), at.test("le", float(length)))
    at = at.clamp(0.0, length - 1.0)
    low = at.op("floor")
    ratio, index = at - low, low.whole()
    high = ctx.map("min", _shifted(ctx, index, 1), ctx.scalar(length - 1, DType.INT64))
    return [(index, 1.0 - ratio), (high, ratio)], inside


@lowers("RoiAlign")
def roi_align(ctx: Context, node: Node) -> Value:
    """sampling_ratio² bilinear samples per cell in binary32; avg: a fold divided by their number; max: over weighted corners."""
    x, rois, batches = node[0], node[1], node[2]
    same_type(node, x, rois)
    height, width = node.integer("output_height", 1), node.integer("output_width", 1)
    ratio, mode = node.integer("sampling_ratio", 0), node.text("mode", "avg")
    default = "half_pixel" if node.version >= 16 else "output_half_pixel"
    half = node.text("coordinate_transformation_mode", default) == "half_pixel"
    if (
        x.rank != 4
        or rois.rank != 2
        or rois.shape[1] != 4
        or batches.shape != rois.shape[:1]
        or mode not in ("avg", "max")
    ):
        node.refuse(f"regions of shape {rois.shape} of {x.shape}, mode {mode!r}")
    if ratio < 1:
        node.unsupported(
            "sampling_ratio 0, where the regions decide how many samples there are", attribute="sampling_ratio"
        )
    if min(height, width) < 1 or max(height, width) * ratio > _MOST_CELLS or not x.count:
        node.refuse(f"cells {height} x {width} with {ratio} samples of {x.shape}")
    scale, samples = node.real("spatial_scale", 1.0), []
    for n, (cells, length) in enumerate(((height, x.shape[2]), (width, x.shape[3]))):
        low, high = (Real(ctx, rois.slice(1, k, 1).insert(2)) * scale for k in (1 - n, 3 - n))
        if half:
            low, high = low - 0.5, high - 0.5
        extent = high - low if half else (high - low).op("max", 1.0)
        size = extent / float(cells)
        places = Real(ctx, ctx.constant(np.arange(cells, dtype=np.float32).reshape(1, cells, 1)))
        parts = Real(ctx, ctx.constant(np.arange(ratio, dtype=np.float32).reshape(1, 1, ratio) + np.float32(0.5)))
        samples.append(_region_samples(low + places * size + parts * size / float(ratio), length))
    return _cells(ctx, x, batches, samples, mode)


def _cells(
    ctx: Context, x: Value, batches: Value, samples: list[tuple[list[tuple[Value, Real]], Value]], mode: str
) -> Value:
    """(regions, channels, rows, columns) from positions (regions, rows, samples) and (regions, columns, samples)."""
    (rows, row_inside), (columns, column_inside) = samples
    regions, height, ratio = rows[0][0].shape
    width = columns[0][0].shape[1]
    loop = ctx.loop((regions, x.shape[1], height, width, ratio, ratio))
    corners: list[Real] = []
    for row, row_weight in rows:
        for column, column_weight in columns:
            operands = [
                loop.read(batches, [loop.axis(0)]),
                loop.read(row, [loop.axis(0), loop.axis(2), loop.axis(4)]),
                loop.read(column, [loop.axis(0), loop.axis(3), loop.axis(5)]),
            ]
            places = [loop.axis(indirect=0), loop.axis(1), loop.axis(indirect=1), loop.axis(indirect=2)]
            value = Real(ctx, loop.emit("copy", [*operands, loop.read(x, places, 0)], x.dtype))
            vertical = Real(ctx, row_weight.value.insert(1).insert(3).insert(5))
            horizontal = Real(ctx, column_weight.value.insert(1).insert(2).insert(4))
            corners.append(value * (vertical * horizontal))
    inside = ctx.map("and", row_inside.insert(1).insert(3).insert(5), column_inside.insert(1).insert(2).insert(4))
    total = corners[0]
    for corner in corners[1:]:
        total = total + corner if mode == "avg" else total.op("max", corner)
    total = total.where(inside, 0.0)
    if mode == "max":
        return cast(ctx, fold(ctx, "max", total.value, (4, 5), False), x.dtype)
    return cast(ctx, (Real(ctx, fold(ctx, "add", total.value, (4, 5), False)) / float(ratio * ratio)).value, x.dtype)


def _shifted_places(ctx: Context, shifts: Value, window: Window) -> list[list[tuple[Value, Real]]]:
    """Neighbours of where a window's elements are moved to; shifts are (images, parts, *kernel, 2, *result)."""
    taps = []
    for n in range(2):
        loop = ctx.loop((*window.size, *shifts.shape[5:]))
        start = loop.coordinate(loop.axis({n: window.dilations[n], 2 + n: window.strides[n]}, offset=-window.begin[n]))
        base = Real(ctx, loop.emit("cast", [start], _F32))
        taps.append(_linear(ctx, Real(ctx, shifts.slice(4, n, 1).drop(4)) + base))
    return taps


@lowers("DeformConv")
def deform_conv(ctx: Context, node: Node) -> Value:
    """Bilinear samples in binary32 at shifted places (0 outside), times the mask; then the product chain of Conv, plus bias."""
    x, w, offset, bias, mask = node[0], node[1], node[2], node.get(3), node.get(4)
    dtype = same_type(node, x, w, offset)
    group, parts = node.integer("group", 1), node.integer("offset_group", 1)
    if x.rank != 4 or w.rank != 4 or offset.rank != 4:
        node.unsupported(f"shapes {x.shape}, {w.shape} and {offset.shape}: only two spatial axes are covered")
    images, channels, *spatial = x.shape
    filters, inner, *size = w.shape
    if min(group, parts) < 1 or channels != inner * group or filters % group or channels % parts or not dtype.is_float:
        node.refuse(f"weights of shape {w.shape} for {channels} channels in {group} groups, {parts} for offsets")
    window = window_of(node, tuple(spatial), tuple(size))
    out = tuple(
        (d + b + e - extent) // s + 1
        for d, b, e, extent, s in zip(spatial, window.begin, window.end, window.extent, window.strides, strict=True)
    )
    places = prod(size)
    if offset.shape != (images, parts * places * 2, *out) or min(out) < 1:
        node.refuse(f"offsets of shape {offset.shape}, expected {(images, parts * places * 2, *out)}")
    taps = _shifted_places(ctx, ctx.reshape(offset, (images, parts, *size, 2, *out)), window)
    grouped = ctx.reshape(x, (images, parts, channels // parts, *spatial))
    sampled = _interpolated(ctx, grouped, taps, 2, [])
    if mask is not None:
        same_type(node, x, mask)
        if mask.shape != (images, parts * places, *out):
            node.refuse(f"a mask of shape {mask.shape}")
        sampled = sampled * Real(ctx, ctx.reshape(mask, (images, parts, 1, *size, *out)))
    columns = ctx.reshape(sampled.value, (images, group, inner, *size, *out))
    loop = ctx.loop((images, group, filters // group, *out), (inner, *size))
    inside = [loop.axis(fold=n) for n in range(3)]
    reads = [
        loop.read(columns, [loop.axis(0), loop.axis(1), *inside, loop.axis(3), loop.axis(4)]),
        loop.read(ctx.reshape(w, (group, filters // group, inner, *size)), [loop.axis(1), loop.axis(2), *inside]),
    ]
    result = loop.emit("fma", reads, dtype, shape=(images, filters, *out), order=Order.CHAIN)
    if bias is None:
        return result
    same_type(node, x, bias)
    if bias.shape != (filters,):
        node.refuse(f"bias of shape {bias.shape} for {filters} channels")
    return ctx.map("add", result, bias.insert(1).insert(2), dtype=dtype)
