"""Folds of whole axes, and the places of extremes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from assay.program.types import DType

from ..graph import Value
from .registry import Call, refuse, translates

Dims = Sequence[int] | int | None


def _axes(x: Value, dims: Dims) -> list[int]:
    if isinstance(dims, int):
        dims = [dims]
    return [x.axis(d) for d in dims] if dims else list(range(x.rank))


def _fold(op: str, *names: str, empty_is_all: bool = True) -> None:
    @translates(*names)
    def call(c: Call, x: Value, dims: Dims = None, keepdim: bool = False, **options: object) -> Value:
        if dims == [] and not empty_is_all:
            return c.operand(x)
        return c.graph.reduce(op, c.operand(x), _axes(x, dims), keepdim)


_fold("ReduceSum", "sum.default", "sum.dim_IntList")
_fold("ReduceMean", "mean.default", "mean.dim")
_fold("ReduceMax", "amax.default")
_fold("ReduceMin", "amin.default")
_fold("ReduceProd", "prod.default", "prod.dim_int")
_fold("ReduceMax", "max.default")
_fold("ReduceMin", "min.default")


@translates("any.default", "any.dim", "any.dims")
def any_(c: Call, x: Value, dims: Dims = None, keepdim: bool = False) -> Value:
    """Whether one element is not zero."""
    return _truth(c, "ReduceMax", x, dims, keepdim)


@translates("all.default", "all.dim", "all.dims")
def all_(c: Call, x: Value, dims: Dims = None, keepdim: bool = False) -> Value:
    """Whether no element is zero."""
    return _truth(c, "ReduceMin", x, dims, keepdim)


def _truth(c: Call, op: str, x: Value, dims: Dims, keepdim: bool) -> Value:
    ones = c.graph.cast(c.graph.cast(x, DType.BOOL), DType.INT32)
    return c.graph.cast(c.graph.reduce(op, ones, _axes(x, dims), keepdim), DType.BOOL)


@translates("var.correction", "var.dim")
def var(c: Call, x: Value, dims: Dims = None, correction: float | None = 1, keepdim: bool = False) -> Value:
    """Mean squared distance from the mean, over the count minus `correction`; two passes."""
    return var_mean(c, x, dims, correction=correction, keepdim=keepdim)[0]


@translates("var_mean.correction")
def var_mean(
    c: Call, x: Value, dims: Dims = None, *, correction: float | None = 1, keepdim: bool = False
) -> tuple[Value, Value]:
    """Variance and mean."""
    g, axes = c.graph, _axes(x, dims)
    mean = g.reduce("ReduceMean", x, axes, True)
    distance = g.emit("Sub", x, mean)
    total = g.reduce("ReduceSum", g.emit("Mul", distance, distance), axes, keepdim)
    count = prod(x.shape[a] for a in axes) - (1 if correction is None else correction)
    return g.emit("Div", total, c.operand(float(max(count, 0)))), g.reshape(mean, total.shape)


def _extreme(op: str, name: str) -> None:
    @translates(f"arg{name}.default")
    def place(c: Call, x: Value, dim: int | None = None, keepdim: bool = False) -> Value:
        if dim is None:
            x, dim = c.graph.reshape(x, [x.size]), 0
        return c.graph.reshape(_place(c, op, x, x.axis(dim)), c.shape)

    @translates(f"{name}.dim")
    def both(c: Call, x: Value, dim: int, keepdim: bool = False) -> tuple[Value, Value]:
        if not x.rank:
            raise refuse(c.node, "over a scalar is not covered")
        index = c.graph.reshape(_place(c, op, x, x.axis(dim)), c.shape)
        return c.graph.reduce(op.replace("Arg", "Reduce"), x, [dim], keepdim), index


def _place(c: Call, op: str, x: Value, axis: int) -> Value:
    shape = [n for a, n in enumerate(x.shape) if a != axis]
    return c.graph.emit(op, x, dtype=DType.INT64, shape=shape, axis=axis, keepdims=0)


_extreme("ArgMax", "max")
_extreme("ArgMin", "min")


@translates("cumsum.default")
def cumsum(c: Call, x: Value, dim: int, **options: object) -> Value:
    """Running sums: at each place, the fold over what lies at or before it."""
    g, x = c.graph, c.operand(x)
    if not x.rank:
        return x
    axis, n = x.axis(dim), x.shape[x.axis(dim)]
    perm = [a for a in range(x.rank) if a != axis] + [axis]
    last = g.unsqueeze(g.transpose(x, perm), [x.rank - 1])
    before = g.emit("LessOrEqual", g.arange(n), g.unsqueeze(g.arange(n), [1]), dtype=DType.BOOL)
    terms = g.emit("Where", before, last, c.operand(0), dtype=x.dtype)
    sums = g.reduce("ReduceSum", terms, [x.rank], False)
    return g.transpose(sums, [perm.index(a) for a in range(x.rank)])
