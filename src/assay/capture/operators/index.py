"""Reads and writes at places that are computed: embeddings, gathers, scatters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.program.types import DType

from ..graph import Graph, Value, broadcast_shapes
from .registry import Call, refuse, translates

INT64 = DType.INT64


@translates("embedding.default")
def embedding(c: Call, weight: Value, index: Value, *rest: object) -> Value:
    """Rows of `weight`."""
    return c.graph.emit("Gather", weight, c.graph.cast(index, INT64), shape=c.shape, axis=0)


@translates("embedding_dense_backward.default")
def embedding_backward(c: Call, grad: Value, index: Value, rows: int, padding: int, by_frequency: bool) -> Value:
    """Gradients added to the rows that were read, in the order of the reads; row `padding` gets none."""
    if by_frequency:
        raise refuse(c.node, "with scale_grad_by_freq is not covered")
    g, width = c.graph, grad.shape[-1]
    index = g.reshape(g.cast(index, INT64), [index.size, 1])
    grad = g.reshape(grad, [index.size, width])
    if padding >= 0:
        drop = g.emit("Equal", index, g.scalar(padding, INT64), dtype=DType.BOOL)
        grad = g.emit("Where", drop, c.operand(0.0), grad, dtype=grad.dtype)
    zeros = g.full([rows, width], 0, grad.dtype)
    return g.emit("ScatterND", zeros, index, grad, shape=zeros.shape, reduction="add")


@translates("index_select.default")
def index_select(c: Call, x: Value, dim: int, index: Value) -> Value:
    """Slices along `dim`."""
    return c.graph.emit("Gather", x, c.graph.cast(index, INT64), shape=c.shape, axis=x.axis(dim))


@translates("gather.default")
def gather(c: Call, x: Value, dim: int, index: Value, **options: object) -> Value:
    """x with its coordinate along `dim` taken from `index`."""
    a = x.axis(dim)
    for b in range(x.rank):
        if b != a:
            x = c.graph.slice(x, b, 0, index.shape[b])
    return c.graph.emit("GatherElements", x, c.graph.cast(index, INT64), shape=index.shape, axis=a)


@translates("scatter.src", "scatter.value")
def scatter(c: Call, x: Value, dim: int, index: Value, source: Value | float) -> Value:
    """x with elements along `dim` replaced at `index`."""
    return _scatter(c, x, dim, index, source, "none")


@translates("scatter_add.default")
def scatter_add(c: Call, x: Value, dim: int, index: Value, source: Value) -> Value:
    """x with `source` added along `dim` at `index`, in row-major order."""
    return _scatter(c, x, dim, index, source, "add")


def _scatter(c: Call, x: Value, dim: int, index: Value, source: Value | float, reduction: str) -> Value:
    g = c.graph
    if isinstance(source, Value):
        for a in range(source.rank):
            source = g.slice(source, a, 0, index.shape[a])
    else:
        source = g.full(index.shape, source, c.dtype)
    index = g.cast(index, INT64)
    return g.emit(
        "ScatterElements", c.operand(x), index, c.operand(source), shape=x.shape, axis=x.axis(dim), reduction=reduction
    )


@translates("as_strided.default")
def as_strided(c: Call, x: Value, sizes: Sequence[int], strides: Sequence[int], offset: int | None = None) -> Value:
    """Element offset + strides·i of a contiguous x."""
    source, g = c.node.args[0].meta["val"], c.graph  # type: ignore[union-attr]
    if not source.is_contiguous():
        raise refuse(c.node, "of a tensor that is not contiguous is not covered", hint="Use view, reshape or permute.")
    places = np.full((), offset or 0, np.int64)
    for n, stride in zip(sizes, strides, strict=True):
        places = places[..., None] + np.arange(n) * stride
    if places.size == x.size and bool((places.reshape(-1) == np.arange(x.size)).all()):
        return g.reshape(x, sizes)
    return g.emit("Gather", g.reshape(x, [x.size]), g.constant(places), shape=sizes, axis=0)


@translates("index.Tensor", "_unsafe_index.Tensor")
def index(c: Call, x: Value, indices: Sequence[Value | None]) -> Value:
    """numpy's advanced indexing with integer tensors."""
    g, indexed, perm = c.graph, _indexed(c, indices), _front(x, indices)
    x = g.transpose(x, perm)
    where = _coordinates(c, indexed, x.shape)
    found = g.emit("GatherND", x, where, shape=[*where.shape[:-1], *x.shape[len(indexed) :]])
    return g.transpose(found, _places(indices, where.rank - 1, found.rank))


@translates("index_put.default", "_unsafe_index_put.default")
def index_put(
    c: Call, x: Value, indices: Sequence[Value | None], values: Value, accumulate: bool = False, unsafe: bool = False
) -> Value:
    """x with the elements at `indices` replaced by `values`, or `values` added to them in order."""
    g, values = c.graph, c.operand(values)
    if not accumulate and values.size == 1 and (mask := _mask(g, x, indices)):
        return g.emit("Where", mask, g.reshape(values, ()), x, shape=x.shape, dtype=x.dtype)
    indexed, perm = _indexed(c, indices), _front(x, indices)
    moved = g.transpose(x, perm)
    where = _coordinates(c, indexed, moved.shape)
    shape = [*where.shape[:-1], *moved.shape[len(indexed) :]]
    places = _places(indices, where.rank - 1, len(shape))
    updates = g.transpose(g.expand(values, [shape[a] for a in places]), _inverse(places))
    mode = "add" if accumulate else "none"
    return g.transpose(g.emit("ScatterND", moved, where, updates, shape=moved.shape, reduction=mode), _inverse(perm))


def _indexed(c: Call, indices: Sequence[Value | None]) -> list[Value]:
    found = [i for i in indices if i is not None]
    if any(i.dtype is DType.BOOL for i in found):
        raise refuse(c.node, "with a mask is not covered: a shape would depend on data", hint="Use torch.where.")
    return found


def _mask(g: Graph, x: Value, indices: Sequence[Value | None]) -> Value | None:
    """The one boolean index, shaped to broadcast over x; None if the indices are something else."""
    if len(indices) != 1 or indices[0] is None or indices[0].dtype is not DType.BOOL:
        return None
    return g.reshape(indices[0], [*indices[0].shape, *[1] * (x.rank - indices[0].rank)])


def _front(x: Value, indices: Sequence[Value | None]) -> list[int]:
    """The permutation of x's axes that puts the indexed ones first."""
    axes = [a for a, i in enumerate(indices) if i is not None]
    return axes + [a for a in range(x.rank) if a not in axes]


def _places(indices: Sequence[Value | None], count: int, rank: int) -> list[int]:
    """Where torch has the `count` axes of the index: in place of the indexed axes if those are adjacent, else first."""
    axes = [a for a, i in enumerate(indices) if i is not None]
    first = axes[0] if axes == list(range(axes[0], axes[0] + len(axes))) else 0
    return [*range(count, count + first), *range(count), *range(count + first, rank)]


def _inverse(perm: Sequence[int]) -> list[int]:
    return [list(perm).index(a) for a in range(len(perm))]


def _coordinates(c: Call, indices: list[Value], shape: tuple[int, ...]) -> Value:
    """int64 (*broadcast, len(indices)), counted from the front."""
    g, full = c.graph, broadcast_shapes(*(i.shape for i in indices))
    columns = []
    for index, length in zip(indices, shape, strict=False):
        index, n = g.cast(index, INT64), g.scalar(length, INT64)
        negative = g.emit("Less", index, g.scalar(0, INT64), dtype=DType.BOOL)
        index = g.emit("Where", negative, g.emit("Add", index, n), index, dtype=INT64)
        columns.append(g.unsqueeze(g.expand(index, full), [len(full)]))
    return g.concat(columns, len(full))
