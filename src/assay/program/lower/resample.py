"""Resize and Upsample: one axis at a time; where each result comes from, and its weights, follow from shapes alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..kernel import Order
from ..types import DType
from .context import Context
from .elementwise import cast
from .known import known_array, known_ints
from .node import Node, lowers
from .value import Value

__all__: list[str] = []

Array = np.ndarray[Any, Any]

_LARGEST = 2**22
"""Taps of one axis (results times taps per result)."""


@dataclass(frozen=True)
class Plan:
    """How a node resamples: attributes with their defaults filled in."""

    mode: str
    coordinates: str
    nearest: str
    cubic: float
    antialias: bool
    exclude: bool
    beyond: float


@dataclass(frozen=True)
class Axis:
    """One axis: its length before and after, the scale, and the region that tf_crop_and_resize takes."""

    number: int
    length: int
    result: int
    scale: float
    region: tuple[float, float]


def _source(node: Node, plan: Plan, axis: Axis) -> Array:
    """Source coordinates in binary64. Only correctly rounded operations take part, so they are the same everywhere."""
    y = np.arange(axis.result, dtype=np.float64)
    width = axis.scale * axis.length
    how = plan.coordinates
    if how == "asymmetric":
        return y / axis.scale
    if how == "half_pixel" or (how == "pytorch_half_pixel" and width != 1):
        return (y + 0.5) / axis.scale - 0.5
    if how == "pytorch_half_pixel":
        return np.full(axis.result, -0.5)
    if how == "half_pixel_symmetric":
        return axis.length / 2 * (1 - axis.result / width) + (y + 0.5) / axis.scale - 0.5
    if how == "tf_half_pixel_for_nn":
        return (y + 0.5) / axis.scale
    if how == "align_corners":
        return np.zeros(axis.result) if width == 1 else y * (axis.length - 1) / (width - 1)
    if how == "tf_crop_and_resize":
        start, end = axis.region
        if width == 1:
            return np.full(axis.result, (end - start) * (axis.length - 1) / 2 + start * (axis.length - 1))
        return y * (end - start) * (axis.length - 1) / (width - 1) + start * (axis.length - 1)
    node.refuse(f"coordinate_transformation_mode {how!r}")


def _cubic(distance: Array, a: float) -> Array:
    """Keys' cubic convolution kernel at |distance|."""
    x = np.abs(distance)
    inner = ((a + 2) * x - (a + 3)) * x * x + 1
    outer = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, inner, np.where(x < 2, outer, 0.0))


def _taps(node: Node, plan: Plan, axis: Axis, source: Array) -> tuple[Array, Array]:
    """Indices (results, taps), not yet clamped, and their weights in binary64."""
    low = np.floor(source)
    ratio = np.where(source == low, 1.0, source - low)
    first = np.where(source == low, low - 1, low)  # of the pair around the source, which lies in (first, first + 1]
    scale = min(axis.scale, 1.0) if plan.antialias else 1.0
    reach = 1 if plan.mode == "linear" else 2
    start = math.floor(-reach / scale) + 1
    count = 2 - 2 * start
    if axis.result * count > _LARGEST:
        node.unsupported(f"{axis.result} results of {count} taps along axis {axis.number}", attribute="scales")
    offsets = np.arange(start, start + count, dtype=np.float64)
    distance = (offsets[None, :] - ratio[:, None]) * scale
    weights = np.clip(1 - np.abs(distance), 0, 1) if plan.mode == "linear" else _cubic(distance, plan.cubic)
    if plan.antialias:
        weights = weights / _row_sums(weights)
    indices = first[:, None] + offsets[None, :]
    if plan.exclude:
        weights = np.where((indices < 0) | (indices >= axis.length), 0.0, weights)
        total = _row_sums(weights)
        weights = weights / np.where(total == 0, 1.0, total)
    return indices, weights


def _row_sums(weights: Array) -> Array:
    """Sums from left to right, which numpy's own sum does not promise."""
    total = np.zeros((len(weights), 1))
    for column in weights.T:
        total[:, 0] += column
    return total


def _nearest(node: Node, plan: Plan, source: Array) -> Array:
    low = np.floor(source)
    part = source - low
    above = {
        "round_prefer_floor": part > 0.5,
        "round_prefer_ceil": part >= 0.5,
        "floor": np.zeros(len(source), bool),
        "ceil": part > 0,
    }.get(plan.nearest)
    if above is None:
        node.refuse(f"nearest_mode {plan.nearest!r}")
    return np.asarray(low + above)


def _clamped(indices: Array, axis: Axis) -> Array:
    return np.clip(indices, 0, axis.length - 1).astype(np.int64)


def _resampled(ctx: Context, node: Node, x: Value, plan: Plan, axis: Axis) -> Value:
    """One axis: a gather, or for each element a product chain over its taps."""
    source = _source(node, plan, axis)
    shape = (*x.shape[: axis.number], axis.result, *x.shape[axis.number + 1 :])
    if plan.mode == "nearest":
        loop = ctx.loop(shape)
        places = loop.identity()
        index = loop.read(ctx.constant(_clamped(_nearest(node, plan, source), axis)), [places[axis.number]])
        places[axis.number] = loop.axis(indirect=0)
        result = loop.emit("copy", [index, loop.read(x, places, 0)], x.dtype)
    else:
        indices, weights = _taps(node, plan, axis, source)
        loop = ctx.loop(shape, (weights.shape[1],))
        places, tap = loop.identity(), [loop.axis(axis.number), loop.axis(fold=0)]
        index = loop.read(ctx.constant(_clamped(indices, axis)), tap)
        factor = loop.read(ctx.constant(weights.astype(np.float32)), tap)
        places[axis.number] = loop.axis(indirect=0)
        read = loop.read(cast(ctx, x, DType.FLOAT32), places, 0)
        result = loop.emit("fma", [index, factor, read], DType.FLOAT32, order=Order.CHAIN)
    if plan.coordinates != "tf_crop_and_resize":
        return result
    outside = (source < 0) | (source > axis.length - 1)
    mask = ctx.constant(outside.reshape((-1, *(1,) * (x.rank - axis.number - 1))))
    return ctx.map("select", mask, ctx.scalar(plan.beyond, result.dtype), result, dtype=result.dtype)


def _plan(node: Node) -> Plan:
    """Attributes; before version 11 the coordinates are asymmetric and the nearest is below."""
    old = node.op == "Upsample" or node.version < 11
    mode = node.text("mode", "nearest")
    if mode not in ("nearest", "linear", "cubic"):
        node.refuse(f"mode {mode!r}")
    antialias = bool(node.integer("antialias", 0))
    if antialias and mode == "nearest":
        node.refuse("antialias with mode 'nearest'")
    return Plan(
        mode,
        "asymmetric" if old else node.text("coordinate_transformation_mode", "half_pixel"),
        "floor" if old else node.text("nearest_mode", "round_prefer_floor"),
        node.real("cubic_coeff_a", -0.75),
        antialias,
        bool(node.integer("exclude_outside", 0)),
        node.real("extrapolation_value", 0.0),
    )


def _given(ctx: Context, node: Node, position: int) -> Array | None:
    """An optional input; one without elements counts as absent."""
    value = node.get(position)
    if value is None or not value.count:
        return None
    return known_array(ctx, node, position).reshape(-1)


def _scales(ctx: Context, node: Node, rank: int) -> tuple[list[float] | None, list[int] | None]:
    """Scales or sizes, from wherever the version keeps them."""
    if node.op == "Upsample" and node.version < 9:
        given = node.attribute("scales", 6)  # FLOATS
        return [float(s) for s in given.floats] if given else node.absent("scales"), None
    if node.op == "Upsample" or node.version < 11:
        return [float(s) for s in known_array(ctx, node, 1).reshape(-1)], None
    scales, sizes = _given(ctx, node, 2), _given(ctx, node, 3)
    if (scales is None) == (sizes is None):
        node.refuse("either scales or sizes must be given")
    if sizes is not None:
        return None, known_ints(ctx, node, 3)
    assert scales is not None
    return [float(s) for s in scales], None


def _axes(ctx: Context, node: Node, x: Value, plan: Plan) -> list[Axis]:
    """The axes that change, in the order in which they are resampled."""
    chosen = [node.axis(a, x.rank) for a in node.integers("axes", range(x.rank))]
    scales, sizes = _scales(ctx, node, x.rank)
    count = len(scales if sizes is None else sizes)  # type: ignore[arg-type]
    if len(chosen) != count or len(set(chosen)) != count or 0 in x.shape:
        node.refuse(f"{count} scales or sizes for axes {chosen} of {x.shape}")
    lengths = [x.shape[a] for a in chosen]
    if sizes is not None:
        scales = [size / length for size, length in zip(sizes, lengths, strict=True)]
        policy = node.text("keep_aspect_ratio_policy", "stretch")
        if policy in ("not_larger", "not_smaller"):
            scale = min(scales) if policy == "not_larger" else max(scales)
            scales, sizes = [scale] * count, [int(scale * length + 0.5) for length in lengths]
        elif policy != "stretch":
            node.refuse(f"keep_aspect_ratio_policy {policy!r}")
    assert scales is not None
    if not all(0 < s < math.inf and s * d <= ctx.limits.dimension for s, d in zip(scales, lengths, strict=True)):
        node.refuse(f"scales {scales[:8]}")
    if sizes is None:
        sizes = [int(scale * length) for scale, length in zip(scales, lengths, strict=True)]
    if min(sizes, default=1) < 1:
        node.unsupported(f"a result of {sizes[:8]}")
    regions = _regions(ctx, node, plan, count)
    return [
        Axis(*parts) for parts in zip(chosen, lengths, sizes, scales, regions, strict=True) if _changes(Axis(*parts))
    ]


def _changes(axis: Axis) -> bool:
    return axis.scale != 1.0 or axis.result != axis.length or axis.region != (0.0, 1.0)


def _regions(ctx: Context, node: Node, plan: Plan, count: int) -> Sequence[tuple[float, float]]:
    if plan.coordinates != "tf_crop_and_resize":
        return [(0.0, 1.0)] * count
    roi = _given(ctx, node, 1)
    if roi is None or len(roi) != 2 * count or not np.isfinite(roi).all():
        node.refuse("tf_crop_and_resize without a region")
    return [(float(roi[n]), float(roi[count + n])) for n in range(count)]


@lowers("Resize", "Upsample")
def resize(ctx: Context, node: Node) -> Value:
    """Axis by axis: a gather, or a product chain over taps with weights from binary64, in binary32; the type comes last."""
    x, plan = node[0], _plan(node)
    if plan.mode != "nearest" and not x.dtype.is_float:
        node.unsupported(f"mode {plan.mode!r} on {x.dtype}", attribute="mode")
    result = x
    for axis in _axes(ctx, node, x, plan):
        if axis.result > _LARGEST:
            node.unsupported(f"{axis.result} results along axis {axis.number}", attribute="scales")
        result = _resampled(ctx, node, result, plan, axis)
    return cast(ctx, result, x.dtype)
