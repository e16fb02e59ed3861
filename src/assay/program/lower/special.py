"""Operators of their own kind: determinants, boxes, and optionals that are plain tensors here."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..types import DType
from .context import Context
from .known import known_array
from .node import Node, lowers
from .value import Value

__all__: list[str] = []

Array = np.ndarray[Any, Any]

_ROWS = 6
"""Largest matrix whose determinant is written out: its minors number 2^rows."""


@lowers("Det")
def determinant(ctx: Context, node: Node) -> Value:
    """Laplace expansion from the last row up, columns from the left, in binary32; up to 6 rows."""
    x = node[0]
    if x.rank < 2 or x.shape[-1] != x.shape[-2] or not x.shape[-1] or not x.dtype.is_float:
        node.refuse(f"{x.dtype} of shape {x.shape}")
    size = x.shape[-1]
    if size > _ROWS:
        node.unsupported(f"a matrix of {size} rows; up to {_ROWS} are covered", limit=_ROWS)

    def element(row: int, column: int) -> Value:
        return x.slice(x.rank - 2, row, 1).slice(x.rank - 1, column, 1).drop(x.rank - 1).drop(x.rank - 2)

    minors: dict[tuple[int, ...], Value] = {(column,): element(size - 1, column) for column in range(size)}
    for row in reversed(range(size - 1)):
        larger: dict[tuple[int, ...], Value] = {}
        for columns in _subsets(size, size - row):
            total: Value | None = None
            for place, column in enumerate(columns):
                rest = columns[:place] + columns[place + 1 :]
                term = ctx.map("mul", element(row, column), minors[rest], dtype=DType.FLOAT32)
                if total is not None:
                    term = ctx.map("sub" if place % 2 else "add", total, term, dtype=DType.FLOAT32)
                total = term
            assert total is not None
            larger[columns] = total
        minors = larger
    result = minors[tuple(range(size))]
    return result if result.dtype is x.dtype else ctx.map("cast", result, dtype=x.dtype)


def _subsets(count: int, size: int) -> list[tuple[int, ...]]:
    """Increasing tuples of `size` numbers below `count`."""
    chosen = [tuple(n for n in range(count) if bits >> n & 1) for bits in range(2**count)]
    return sorted(c for c in chosen if len(c) == size)


@lowers("NonMaxSuppression")
def non_max_suppression(ctx: Context, node: Node) -> Value:
    """(batch, class, box) of what is kept, best first; all inputs must be constants, since they decide the result's shape."""
    boxes, scores = (known_array(ctx, node, n).astype(np.float32) for n in (0, 1))
    limits = [None if node.get(n) is None or not node[n].count else known_array(ctx, node, n) for n in (2, 3, 4)]
    if boxes.ndim != 3 or boxes.shape[2] != 4 or scores.ndim != 3 or scores.shape[::2] != boxes.shape[:2]:
        node.refuse(f"boxes of shape {boxes.shape} and scores of shape {scores.shape}")
    most = 0 if limits[0] is None else max(0, int(limits[0].reshape(-1)[0]))
    overlap = np.float32(0 if limits[1] is None else limits[1].reshape(-1)[0])
    corners = _corners(boxes, bool(node.integer("center_point_box", 0)))
    kept: list[tuple[int, int, int]] = []
    for batch, group in np.ndindex(scores.shape[:2]):
        row = scores[batch, group]
        order = sorted((n for n in range(len(row)) if row[n] == row[n]), key=lambda n: (-row[n], n))
        if limits[2] is not None:
            order = [n for n in order if row[n] > np.float32(limits[2].reshape(-1)[0])]
        chosen: list[int] = []
        for box in order:
            if len(chosen) < most and not _overlaps(corners[batch], box, chosen, overlap):
                chosen.append(box)
        kept += [(batch, group, box) for box in chosen]
    return ctx.constant(np.array(kept, np.int64).reshape(-1, 3))


def _corners(boxes: Array, centred: bool) -> Array:
    """(low, high) corners per box, as (batch, box, 2, 2), in binary32."""
    if centred:
        half = boxes[..., 2:] / np.float32(2)
        return np.stack([boxes[..., :2] - half, boxes[..., :2] + half], axis=-2)
    first, second = boxes[..., :2], boxes[..., 2:]
    return np.stack([np.minimum(first, second), np.maximum(first, second)], axis=-2)


def _overlaps(corners: Array, box: int, others: list[int], limit: np.float32) -> bool:
    """Whether a box shares more than `limit` of a union with any of the others; empty boxes overlap nothing."""
    low, high = corners[box]
    lows, highs = corners[others, 0], corners[others, 1]
    with np.errstate(all="ignore"):
        sides = np.minimum(high, highs) - np.maximum(low, lows)
        common = sides[:, 0] * sides[:, 1]
        own = (high[0] - low[0]) * (high[1] - low[1])
        areas = (highs[:, 0] - lows[:, 0]) * (highs[:, 1] - lows[:, 1])
        union = own + areas - common
        counts = (sides > 0).all(axis=1) & (common > 0) & (own > 0) & (areas > 0) & (union > 0)
        return bool((counts & (common / union > limit)).any())


@lowers("OptionalHasElement")
def has_element(ctx: Context, node: Node) -> Value:
    """Whether the input is there: optionals themselves are not covered, so it is a tensor or absent."""
    return ctx.full(node.get(0) is not None, DType.BOOL, ())


@lowers("OptionalGetElement")
def get_element(ctx: Context, node: Node) -> Value:
    """The same value: optionals themselves are not covered, so the input is a tensor."""
    return node[0]
