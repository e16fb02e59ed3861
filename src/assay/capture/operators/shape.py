"""Views, permutations, pieces and joints of tensors."""

from __future__ import annotations

from collections.abc import Sequence

from assay.program.types import DType

from ..graph import Value
from .registry import Call, refuse, translates


@translates(
    "view.default", "_unsafe_view.default", "reshape.default", "squeeze.default", "squeeze.dim", "squeeze.dims",
    "unsqueeze.default", "flatten.using_ints", "_reshape_alias.default", "view_copy.default",
)  # fmt: skip
def reshape(c: Call, x: Value, *rest: object) -> Value:
    """The same elements, row-major, under the result's shape."""
    return c.graph.reshape(x, c.shape)


@translates("permute.default")
def permute(c: Call, x: Value, dims: Sequence[int]) -> Value:
    """Axis dims[a] becomes axis a."""
    return c.graph.transpose(x, [x.axis(d) for d in dims])


@translates("t.default")
def t(c: Call, x: Value) -> Value:
    """A matrix transposed; a vector or scalar as it is."""
    return c.graph.transpose(x, list(reversed(range(x.rank))))


@translates("transpose.int")
def transpose(c: Call, x: Value, a: int, b: int) -> Value:
    """Two axes swapped."""
    perm = list(range(x.rank))
    if perm:
        a, b = x.axis(a), x.axis(b)
        perm[a], perm[b] = perm[b], perm[a]
    return c.graph.transpose(x, perm)


@translates("expand.default")
def expand(c: Call, x: Value, *rest: object, **options: object) -> Value:
    """Axes of length 1 (and new leading ones) repeated."""
    return c.graph.expand(x, c.shape)


@translates("prims.broadcast_in_dim.default")
def broadcast_in_dim(c: Call, x: Value, shape: Sequence[int], dims: Sequence[int]) -> Value:
    """Axis a of x becomes axis dims[a]; the axes in between are new."""
    inner = [x.shape[list(dims).index(a)] if a in dims else 1 for a in range(len(shape))]
    return c.graph.expand(c.graph.reshape(x, inner), shape)


@translates("repeat.default")
def repeat(c: Call, x: Value, repeats: Sequence[int]) -> Value:
    """The tensor laid side by side."""
    x = c.graph.reshape(x, [1] * (len(repeats) - x.rank) + list(x.shape))
    return c.graph.emit("Tile", x, c.graph.integers(repeats), shape=c.shape)


@translates("slice.Tensor")
def slice_(c: Call, x: Value, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Value:
    """x[start:end:step] along `dim`."""
    a = x.axis(dim)
    return c.graph.slice(x, a, *_bounds(x.shape[a], start, end), step)


@translates("select.int")
def select(c: Call, x: Value, dim: int, index: int) -> Value:
    """x[index] along `dim`."""
    a = x.axis(dim)
    i = index % x.shape[a]
    return c.graph.reshape(c.graph.slice(x, a, i, i + 1), c.shape)


@translates("slice_scatter.default")
def slice_scatter(
    c: Call, x: Value, source: Value, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Value:
    """x with x[start:end:step] along `dim` replaced by `source`."""
    g, a = c.graph, x.axis(dim)
    first, last = _bounds(x.shape[a], start, end)
    if step == 1:
        parts = [g.slice(x, a, 0, first), c.operand(source), g.slice(x, a, last, x.shape[a])]
        return g.concat([p for p in parts if p.shape[a]], a)
    rows = g.arange(source.shape[a], first, step)
    index = g.expand(g.reshape(rows, [rows.size if i == a else 1 for i in range(x.rank)]), source.shape)
    return g.emit("ScatterElements", x, index, c.operand(source), shape=x.shape, axis=a)


@translates("select_scatter.default")
def select_scatter(c: Call, x: Value, source: Value, dim: int, index: int) -> Value:
    """x with x[index] along `dim` replaced by `source`."""
    a = x.axis(dim)
    i = index % x.shape[a]
    return slice_scatter(c, x, c.graph.unsqueeze(source, [a]), a, i, i + 1)


@translates("select_backward.default")
def select_backward(c: Call, grad: Value, sizes: Sequence[int], dim: int, index: int) -> Value:
    """Zeros with `grad` at [index] along `dim`."""
    return select_scatter(c, c.graph.full(sizes, 0, grad.dtype), grad, dim, index)


@translates("slice_backward.default")
def slice_backward(
    c: Call, grad: Value, sizes: Sequence[int], dim: int, start: int | None, end: int | None, step: int
) -> Value:
    """Zeros with `grad` at [start:end:step] along `dim`."""
    return slice_scatter(c, c.graph.full(sizes, 0, grad.dtype), grad, dim, start, end, step)


@translates("cat.default")
def cat(c: Call, parts: Sequence[Value], dim: int = 0) -> Value:
    """The parts one after the other; torch skips an empty vector among them."""
    kept = [c.operand(p) for p in parts if p.shape != (0,)] or [c.operand(parts[0])]
    return c.graph.concat(kept, kept[0].axis(dim))


@translates("stack.default")
def stack(c: Call, parts: Sequence[Value], dim: int = 0) -> Value:
    """The parts along a new axis."""
    a = dim % (parts[0].rank + 1)
    return c.graph.concat([c.graph.unsqueeze(c.operand(p), [a]) for p in parts], a)


@translates("split.Tensor", "split_copy.Tensor")
def split(c: Call, x: Value, size: int, dim: int = 0) -> list[Value]:
    """Pieces of `size`, the last one perhaps shorter."""
    length = x.shape[x.axis(dim)]
    return split_with_sizes(c, x, [min(size, length - i) for i in range(0, length, size)] or [0], dim)


@translates("split_with_sizes.default", "split_with_sizes_copy.default")
def split_with_sizes(c: Call, x: Value, sizes: Sequence[int], dim: int = 0) -> list[Value]:
    """Pieces of the given sizes."""
    a, starts = x.axis(dim), [sum(sizes[:i]) for i in range(len(sizes))]
    return [c.graph.slice(x, a, start, start + size) for start, size in zip(starts, sizes, strict=True)]


@translates("unbind.int")
def unbind(c: Call, x: Value, dim: int = 0) -> list[Value]:
    """The slices along `dim`, without it."""
    a = x.axis(dim)
    shape = [n for i, n in enumerate(x.shape) if i != a]
    return [c.graph.reshape(c.graph.slice(x, a, i, i + 1), shape) for i in range(x.shape[a])]


@translates("constant_pad_nd.default")
def constant_pad_nd(c: Call, x: Value, pad: Sequence[int], value: float = 0) -> Value:
    """A border of a constant; `pad` counts (before, after) pairs from the last axis; negative ones crop."""
    g, before, after = c.graph, [0] * x.rank, [0] * x.rank
    for i in range(len(pad) // 2):
        before[x.rank - 1 - i], after[x.rank - 1 - i] = pad[2 * i], pad[2 * i + 1]
    for a in range(x.rank):
        x = g.slice(x, a, max(0, -before[a]), x.shape[a] - max(0, -after[a]))
    borders = [max(0, n) for n in before + after]
    if not any(borders):
        return x
    return g.emit("Pad", x, g.integers(borders), c.operand(value), shape=c.shape, mode="constant")


@translates("flip.default")
def flip(c: Call, x: Value, dims: Sequence[int]) -> Value:
    """The elements along `dims` in reverse."""
    for a in (x.axis(d) for d in dims):
        x = c.graph.emit("Gather", x, c.graph.arange(x.shape[a], x.shape[a] - 1, -1), shape=x.shape, axis=a)
    return x


@translates("roll.default")
def roll(c: Call, x: Value, shifts: Sequence[int], dims: Sequence[int] = ()) -> Value:
    """The elements along each axis moved in a circle."""
    if not dims:
        raise refuse(c.node, "without axes is not covered", hint="Say along which axes to roll.")
    for shift, dim in zip(shifts, dims, strict=True):
        a = x.axis(dim)
        cut = -shift % max(x.shape[a], 1)
        parts = [c.graph.slice(x, a, cut, x.shape[a]), c.graph.slice(x, a, 0, cut)]
        x = c.graph.concat([p for p in parts if p.shape[a]], a)
    return x


@translates("tril.default")
def tril(c: Call, x: Value, diagonal: int = 0) -> Value:
    """The lower triangle, zeros elsewhere."""
    return c.graph.emit("Trilu", x, c.graph.scalar(diagonal, DType.INT64), shape=x.shape, upper=0)


@translates("triu.default")
def triu(c: Call, x: Value, diagonal: int = 0) -> Value:
    """The upper triangle, zeros elsewhere."""
    return c.graph.emit("Trilu", x, c.graph.scalar(diagonal, DType.INT64), shape=x.shape, upper=1)


def _bounds(length: int, start: int | None, end: int | None) -> tuple[int, int]:
    first, last, _ = slice(start, end).indices(length)
    return first, max(first, last)
