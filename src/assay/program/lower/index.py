"""Reads and writes at positions that come from integer tensors."""

from __future__ import annotations

import math

import numpy as np

from ..kernel import Axis, Operand, Order, Scatter
from ..types import DType
from .context import Context, bits_of
from .elementwise import same_type
from .known import known_ints
from .loop import Loop
from .node import Node, lowers
from .reduce import initial_of
from .value import Value

__all__: list[str] = []

_REDUCTIONS = {"none": "copy", "add": "add", "mul": "mul", "max": "max", "min": "min"}


def _beyond(dtype: DType) -> int:
    """What an index out of range reads: canonical NaN, the smallest signed or largest unsigned integer, False."""
    if dtype.is_float:
        return bits_of(math.nan, dtype)
    if dtype is DType.BOOL:
        return 0
    info = np.iinfo(dtype.numpy)
    return bits_of(info.min if dtype.is_signed else info.max, dtype)


def _wrapped(ctx: Context, node: Node, indices: Value, extents: list[int]) -> Value:
    """Indices with negative ones counted from the end; `extents` are one, or one per entry of the last axis."""
    if indices.dtype not in (DType.INT64, DType.INT32):
        node.refuse(f"indices of {indices.dtype}")
    known = ctx.known(indices)
    extent = np.array(extents if len(extents) > 1 else extents[0], np.int64)
    if known is not None:
        wide = known.astype(np.int64)
        return ctx.constant(np.where(wide < 0, wide + extent, wide))
    if indices.dtype is DType.INT32 and max(extents) >= 2**31:
        node.unsupported("int32 indices into a dimension that needs more")
    bound = ctx.constant(extent.astype(indices.dtype.numpy))
    wrapped = ctx.map("add", indices, bound, dtype=indices.dtype)
    negative = ctx.map("lt", indices, ctx.scalar(0, indices.dtype))
    return ctx.map("select", negative, wrapped, indices, dtype=indices.dtype)


def _take(loop: Loop, indices: Operand, data: Value, axes: list[Axis]) -> Value:
    read = loop.read(data, axes, _beyond(data.dtype))
    return loop.emit("copy", [indices, read], data.dtype)


@lowers("Gather")
def gather(ctx: Context, node: Node) -> Value:
    """Slices of the data at the indices; one constant index is a window."""
    data, indices = node[0], node[1]
    axis = node.axis(node.integer("axis", 0), data.rank)
    known = ctx.known(indices)
    extent = data.shape[axis]
    if known is not None and known.size == 1 and -extent <= int(known.reshape(())) < extent:
        window = data.slice(axis, int(known.reshape(())) % extent, 1).drop(axis)
        for _ in range(indices.rank):
            window = window.insert(axis)
        return window
    indices = _wrapped(ctx, node, indices, [extent])
    shape = (*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :])
    loop = ctx.loop(shape)
    places = [loop.axis(axis + n) for n in range(indices.rank)]
    before = [loop.axis(n) for n in range(axis)]
    after = [loop.axis(n + indices.rank - 1) for n in range(axis + 1, data.rank)]
    return _take(loop, loop.read(indices, places), data, [*before, loop.axis(indirect=0), *after])


@lowers("GatherElements")
def gather_elements(ctx: Context, node: Node) -> Value:
    """Element at the index along one axis, at the own position along the others."""
    data, indices = node[0], node[1]
    axis = node.axis(node.integer("axis", 0), data.rank)
    _check_elements(node, data, indices, axis)
    indices = _wrapped(ctx, node, indices, [data.shape[axis]])
    loop = ctx.loop(indices.shape)
    axes = loop.identity()
    places = [loop.axis(indirect=0) if a == axis else axes[a] for a in range(data.rank)]
    return _take(loop, loop.read(indices, axes), data, places)


def _check_elements(node: Node, data: Value, indices: Value, axis: int) -> None:
    if indices.rank != data.rank or any(
        i > d for a, (i, d) in enumerate(zip(indices.shape, data.shape, strict=True)) if a != axis
    ):
        node.refuse(f"indices of shape {indices.shape} for data of shape {data.shape}")


def _tuples(node: Node, data: Value, indices: Value, batch: int) -> int:
    """Length of the index tuples of a GatherND or ScatterND."""
    length = indices.shape[-1] if indices.rank else 0
    if not 0 <= batch < max(1, indices.rank) or not 1 <= length <= data.rank - batch:
        node.refuse(f"indices of shape {indices.shape} for data of shape {data.shape}")
    if data.shape[:batch] != indices.shape[:batch]:
        node.refuse(f"batch axes of {indices.shape} and {data.shape} differ")
    return length


@lowers("GatherND")
def gather_nd(ctx: Context, node: Node) -> Value:
    """Slices of the data at index tuples."""
    data, indices, batch = node[0], node[1], node.integer("batch_dims", 0)
    length = _tuples(node, data, indices, batch)
    indices = _wrapped(ctx, node, indices, list(data.shape[batch : batch + length]))
    rank = indices.rank - 1
    loop = ctx.loop((*indices.shape[:-1], *data.shape[batch + length :]))
    outer = [loop.axis(n) for n in range(rank)]
    tuples = [loop.read(indices, [*outer, loop.axis(offset=n)]) for n in range(length)]
    axes = [loop.axis(n) for n in range(batch)]
    axes += [loop.axis(indirect=n) for n in range(length)]
    axes += [loop.axis(rank + n) for n in range(data.rank - batch - length)]
    read = loop.read(data, axes, _beyond(data.dtype))
    return loop.emit("copy", [*tuples, read], data.dtype)


def _reduction(node: Node, data: Value, updates: Value) -> str:
    same_type(node, data, updates)
    op = _REDUCTIONS.get(node.text("reduction", "none"))
    if op is None:
        node.refuse(f"reduction {node.text('reduction')!r}")
    if data.dtype is DType.BOOL and op in ("add", "mul"):
        op = {"add": "or", "mul": "and"}[op]
    return op


@lowers("ScatterElements", "Scatter")
def scatter_elements(ctx: Context, node: Node) -> Value:
    """Updates written, or combined, at the index along one axis, in row-major order of the indices."""
    data, indices, updates = node[0], node[1], node[2]
    op = _reduction(node, data, updates)
    axis = node.axis(node.integer("axis", 0), data.rank)
    _check_elements(node, data, indices, axis)
    if updates.shape != indices.shape:
        node.refuse(f"updates of shape {updates.shape} for indices of shape {indices.shape}")
    indices = _wrapped(ctx, node, indices, [data.shape[axis]])
    base = ctx.materialise(data)
    loop = ctx.loop(indices.shape)
    axes = loop.identity()
    places = tuple(loop.axis(indirect=0) if a == axis else axes[a] for a in range(data.rank))
    operands = [loop.read(indices, axes), loop.read(updates, axes)]
    return ctx.scatter(op, base, Scatter(base.tensor, data.shape, places), operands, loop.domain)


@lowers("ScatterND")
def scatter_nd(ctx: Context, node: Node) -> Value:
    """Slices of updates written, or combined, at index tuples, in row-major order."""
    data, indices, updates = node[0], node[1], node[2]
    op = _reduction(node, data, updates)
    length = _tuples(node, data, indices, 0)
    domain = (*indices.shape[:-1], *data.shape[length:])
    if updates.shape != domain:
        node.refuse(f"updates of shape {updates.shape}, expected {domain}")
    indices = _wrapped(ctx, node, indices, list(data.shape[:length]))
    base = ctx.materialise(data)
    rank = indices.rank - 1
    loop = ctx.loop(domain)
    outer = [loop.axis(n) for n in range(rank)]
    operands = [loop.read(indices, [*outer, loop.axis(offset=n)]) for n in range(length)]
    operands.append(loop.read(updates, loop.identity()))
    axes = [loop.axis(indirect=n) for n in range(length)] + [loop.axis(rank + n) for n in range(data.rank - length)]
    return ctx.scatter(op, base, Scatter(base.tensor, data.shape, tuple(axes)), operands, domain)


@lowers("CumSum", "CumProd")
def cumulative(ctx: Context, node: Node) -> Value:
    """For each element one chain over the whole axis that reads +0 (CumProd: 1) before the beginning: n² operations."""
    x, axes = node[0], known_ints(ctx, node, 1)
    if len(axes) != 1:
        node.refuse("axis is not a scalar")
    axis = node.axis(axes[0], x.rank)
    extent, late = x.shape[axis], int(bool(node.integer("exclusive", 0)))
    if node.integer("reverse", 0):
        x = x.slice(axis, extent - 1, extent, -1)
    loop = ctx.loop(x.shape, (extent,))
    places = loop.identity()
    places[axis] = loop.axis({axis: 1}, {0: 1}, offset=1 - extent - late)
    op = "add" if node.op == "CumSum" else "mul"
    read = loop.read(x, places, outside=bits_of(op == "mul", x.dtype))
    result = loop.emit(op, [read], x.dtype, order=Order.CHAIN, initial=initial_of(op, x.dtype))
    return result.slice(axis, extent - 1, extent, -1) if node.integer("reverse", 0) else result
