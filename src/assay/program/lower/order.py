"""Ranks and selections: TopK and Hardmax by counting comparisons; what selects by value only from constants."""

from __future__ import annotations

import numpy as np

from ..kernel import Scatter
from ..tensors import check_shape
from ..types import DType
from .context import Context
from .elementwise import cast
from .known import known_array, known_ints
from .node import Node, lowers
from .normalise import matrix_form
from .reduce import fold, position
from .value import Value

__all__ = ["rank_of"]


def _sortable(ctx: Context, x: Value) -> Value:
    """An integer that grows with x: of a float, its bits with those of negative numbers reversed; -0 counts as +0."""
    if not x.dtype.is_float:
        return x
    bits = ctx.map(
        "bitcast", ctx.map("add", cast(ctx, x, DType.FLOAT32), ctx.scalar(0, DType.FLOAT32)), dtype=DType.INT32
    )
    sign = ctx.map("shr", bits, ctx.scalar(31, DType.INT32), dtype=DType.INT32)
    return ctx.map("xor", bits, ctx.map("and", sign, ctx.scalar(2**31 - 1, DType.INT32)), dtype=DType.INT32)


def rank_of(ctx: Context, x: Value, largest: bool) -> Value:
    """For each element of the last axis, how many come before it (int32); of equal ones the earlier comes first.

    NaN is larger than every number. Counts n² comparisons per row of n elements.
    """
    key, n = _sortable(ctx, x), x.shape[-1]
    check_shape("the comparisons of a ranking", DType.INT32, (*x.shape, n), ctx.limits)
    before = "gt" if largest else "lt"
    rows = x.shape[:-1]
    loop = ctx.loop((*rows, n, n))
    outer = [loop.axis(a) for a in range(len(rows))]
    own, other = loop.axis(len(rows)), loop.axis(len(rows) + 1)
    if key.dtype.bits < 64:  # the position, too, fits into one comparison
        places = ctx.constant(np.arange(n, dtype=np.int64)[:: -1 if largest else 1].copy())
        high = ctx.map("mul", cast(ctx, key, DType.INT64), ctx.scalar(2**31, DType.INT64), dtype=DType.INT64)
        both = ctx.map("add", high, places, dtype=DType.INT64)
        hit = loop.emit(before, [loop.read(both, [*outer, other]), loop.read(both, [*outer, own])], DType.BOOL)
    else:
        pair = [loop.read(key, [*outer, other]), loop.read(key, [*outer, own])]
        equal = loop.emit("eq", pair, DType.BOOL)
        earlier = ctx.loop((n, n))
        first = earlier.emit(
            "lt", [earlier.coordinate(earlier.axis(1)), earlier.coordinate(earlier.axis(0))], DType.BOOL
        )
        hit = ctx.map("or", loop.emit(before, pair, DType.BOOL), ctx.map("and", equal, first))
    return fold(ctx, "add", cast(ctx, hit, DType.INT32), (len(rows) + 1,), False)


@lowers("TopK")
def top_k(ctx: Context, node: Node) -> list[Value]:
    """Each element to the place that its rank says: always sorted, of equal ones the earlier first, NaN above all numbers."""
    x = node[0]
    wanted = [node.integer("k")] if node.version < 10 else known_ints(ctx, node, 1)
    axis = node.axis(node.integer("axis", -1), x.rank)
    if len(wanted) != 1 or not 0 <= wanted[0] <= x.shape[axis] or x.dtype is DType.BOOL:
        node.refuse(f"the first {wanted[:4]} of {x.shape[axis]} {x.dtype} elements")
    if x.shape[axis] >= 2**31:
        node.unsupported(f"{x.shape[axis]} elements")
    order = (*(a for a in range(x.rank) if a != axis), axis)
    rows = x.transpose(order)
    rank = rank_of(ctx, rows, bool(node.integer("largest", 1)))
    loop = ctx.loop(rows.shape)
    index = loop.emit("copy", [loop.coordinate(loop.axis(x.rank - 1))], DType.INT64)
    back = tuple(int(a) for a in np.argsort(order))
    return [_placed(ctx, rank, value, wanted[0]).transpose(back) for value in (rows, index)]


def _placed(ctx: Context, rank: Value, value: Value, count: int) -> Value:
    """`value` moved to its ranks along the last axis; what ranks beyond `count` is left out."""
    base = ctx.materialise(ctx.full(0, value.dtype, (*value.shape[:-1], count)))
    loop = ctx.loop(value.shape)
    axes = loop.identity()
    places = (*axes[:-1], loop.axis(indirect=0))
    operands = [loop.read(rank, axes), loop.read(value, axes)]
    return ctx.scatter("copy", base, Scatter(base.tensor, base.shape, places), operands, loop.domain)


@lowers("Hardmax")
def hardmax(ctx: Context, node: Node) -> Value:
    """1 at the first maximum along the axis, else 0; all 0 where the maximum is NaN."""
    x = node[0]
    wide, axis = matrix_form(ctx, node, x)
    found = position(ctx, wide, axis, "max", False, True)
    loop = ctx.loop(wide.shape)
    read = loop.read(found.expand(wide.shape), loop.identity())
    hit = loop.emit("eq", [read, loop.coordinate(loop.axis(axis))], DType.BOOL)
    return ctx.reshape(cast(ctx, hit, x.dtype), x.shape)


@lowers("NonZero")
def non_zero(ctx: Context, node: Node) -> Value:
    """Positions of what is not zero; the input must be a constant, since it decides the result's shape."""
    return ctx.constant(np.array(np.nonzero(known_array(ctx, node, 0)), np.int64))


@lowers("Compress")
def compress(ctx: Context, node: Node) -> Value:
    """The slices where the condition is true; the condition must be a constant, since it decides the result's shape."""
    x, condition = node[0], known_array(ctx, node, 1)
    if condition.dtype != bool or condition.ndim != 1:
        node.refuse(f"a condition of {condition.dtype} and shape {condition.shape}")
    if node.has("axis"):
        axis = node.axis(node.integer("axis"), x.rank)
    else:
        x, axis = ctx.reshape(x, (x.count,)), 0
    if len(condition) > x.shape[axis]:
        node.refuse(f"{len(condition)} conditions for {x.shape[axis]} slices")
    chosen = np.flatnonzero(condition).astype(np.int64)
    shape = (*x.shape[:axis], len(chosen), *x.shape[axis + 1 :])
    loop = ctx.loop(shape)
    places = loop.identity()
    index = loop.read(ctx.constant(chosen), [places[axis]])
    places[axis] = loop.axis(indirect=0)
    return loop.emit("copy", [index, loop.read(x, places, 0)], x.dtype)


@lowers("Unique")
def unique(ctx: Context, node: Node) -> list[Value]:
    """Distinct elements or slices with their positions and counts; the input must be a constant."""
    x = known_array(ctx, node, 0)
    axis = node.axis(node.integer("axis"), x.ndim) if node.has("axis") else None
    slices = x.reshape(-1) if axis is None else np.moveaxis(x, axis, 0)
    if not slices.size:
        node.unsupported("an input without elements")
    rows = [tuple(row.reshape(-1).tolist()) for row in slices.reshape(len(slices), -1)]
    first: dict[tuple[object, ...], int] = {}
    for at, row in enumerate(rows):
        first.setdefault(tuple("nan" if v != v else v for v in row), at)
    keys = list(first)
    if node.integer("sorted", 1):
        keys.sort(key=lambda row: tuple((v == "nan", 0 if v == "nan" else v) for v in row))
    number = {key: n for n, key in enumerate(keys)}
    inverse = [number[tuple("nan" if v != v else v for v in row)] for row in rows]
    indices = np.array([first[key] for key in keys], np.int64)
    taken = np.take(slices, indices, 0)
    values = taken if axis is None else np.moveaxis(taken, 0, axis)
    counts = np.bincount(inverse, minlength=len(keys)).astype(np.int64)
    return [ctx.constant(np.ascontiguousarray(a)) for a in (values, indices, np.array(inverse, np.int64), counts)]
