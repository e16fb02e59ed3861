"""The arithmetic of shapes: small integer and bool tensors are computed while lowering, as exact-1 would.

Operators that only move elements need no entry here: a window on a constant is a constant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..tensors import DTYPES
from ..types import DType
from .context import KNOWN_ELEMENTS, Context, broadcast
from .node import Node
from .value import Value

__all__ = ["evaluate", "note"]

Array = np.ndarray[Any, Any]


def _div(x: Array, y: Array) -> Array:
    """Toward zero; x / 0 = 0; the smallest integer / -1 is itself."""
    if x.dtype.kind == "u":
        return np.where(y == 0, 0, x // np.where(y == 0, 1, y))
    safe = np.where((y == 0) | (y == -1), 1, y)
    floor = x // safe
    quotient = floor + ((x - floor * safe != 0) & ((x < 0) != (safe < 0)))
    return np.where(y == 0, 0, np.where(y == -1, -x, quotient))


def _mod(x: Array, y: Array) -> Array:
    return np.where(y == 0, 0, np.mod(x, np.where(y == 0, 1, y)))


_BINARY: dict[str, Callable[[Array, Array], Array]] = {
    "Add": np.add,
    "And": np.logical_and,
    "Div": _div,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Max": np.maximum,
    "Min": np.minimum,
    "Mod": _mod,
    "Mul": np.multiply,
    "Or": np.logical_or,
    "Sub": np.subtract,
}
_UNARY: dict[str, Callable[[Array], Array]] = {"Abs": np.abs, "Neg": np.negative, "Not": np.logical_not}
_REDUCE: dict[str, Callable[..., Array]] = {
    "ReduceMax": np.max,
    "ReduceMin": np.min,
    "ReduceProd": np.prod,
    "ReduceSum": np.sum,
}
_INTEGERS_ONLY = frozenset({"Add", "Sub", "Mul", "Div", "Mod", "Neg", "Abs", "Max", "Min", *_REDUCE})


def evaluate(ctx: Context, node: Node) -> Value | None:
    """The node's only result as a constant, where all inputs are small integer or bool constants; else None."""
    if not node.inputs or len(node.outputs) != 1:
        return None
    arrays: list[Array] = []
    for value in node.inputs:
        if value is None or value.dtype.is_float or value.count > KNOWN_ELEMENTS:
            return None
        known = ctx.known(value)
        if known is None:
            return None
        arrays.append(known)
    if node.op in _INTEGERS_ONLY and any(a.dtype.kind == "b" for a in arrays):
        return None
    with np.errstate(all="ignore"):
        result = _compute(node, arrays)
    return None if result is None or result.size > KNOWN_ELEMENTS else ctx.constant(result)


def _compute(node: Node, arrays: list[Array]) -> Array | None:
    x = arrays[0]
    same = all(a.dtype == x.dtype for a in arrays)
    if node.op in _BINARY and same and len(arrays) == 2 and not node.integer("fmod", 0):
        shape = broadcast(x.shape, arrays[1].shape)
        if np.prod(shape, dtype=object) > KNOWN_ELEMENTS:
            return None
        result = np.asarray(_BINARY[node.op](x, arrays[1]))
        return result if result.dtype.kind == "b" else result.astype(x.dtype)
    if node.op in _UNARY and len(arrays) == 1:
        return np.asarray(_UNARY[node.op](x)).astype(bool if node.op == "Not" else x.dtype)
    if node.op == "Where" and len(arrays) == 3 and x.dtype.kind == "b" and arrays[1].dtype == arrays[2].dtype:
        if np.prod(broadcast(*(a.shape for a in arrays)), dtype=object) > KNOWN_ELEMENTS:
            return None
        return np.where(*arrays)
    if node.op == "Cast" and len(arrays) == 1:
        dtype = DTYPES.get(node.integer("to"))
        return x.astype(dtype.numpy) if dtype is not None and not dtype.is_float else None
    if node.op == "Concat" and same and sum(a.size for a in arrays) <= KNOWN_ELEMENTS:
        return np.concatenate(arrays, node.axis(node.integer("axis"), x.ndim))
    if node.op == "Gather" and len(arrays) == 2:
        return _gather(node, x, arrays[1])
    if node.op in _REDUCE:
        return _reduce(node, arrays)
    return None


def _gather(node: Node, data: Array, indices: Array) -> Array | None:
    axis = node.axis(node.integer("axis", 0), data.ndim)
    extent = data.shape[axis]
    if indices.dtype.kind != "i" or ((indices < -extent) | (indices >= extent)).any():
        return None
    if indices.size * (data.size // max(1, extent)) > KNOWN_ELEMENTS:
        return None
    return np.take(data, indices, axis)


def _reduce(node: Node, arrays: list[Array]) -> Array | None:
    x = arrays[0]
    axes = [int(a) for a in arrays[1].reshape(-1)] if len(arrays) > 1 else list(node.integers("axes", ()))
    if (not axes and node.integer("noop_with_empty_axes", 0)) or not x.size:
        return None
    over = node.axes(axes, x.ndim) if axes else tuple(range(x.ndim))
    keep = bool(node.integer("keepdims", 1))
    return np.asarray(_REDUCE[node.op](x, axis=over, keepdims=keep)).astype(x.dtype)


_FLOAT: dict[str, Callable[..., Array]] = {
    "Abs": np.abs,
    "Add": np.add,
    "Ceil": np.ceil,
    "Div": np.divide,
    "Floor": np.floor,
    "Identity": np.asarray,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Reciprocal": np.reciprocal,
    "Relu": lambda x: np.where(x > 0, x, np.where(np.isnan(x), x, np.zeros_like(x))),
    "Round": np.rint,
    "Sqrt": np.sqrt,
    "Sub": np.subtract,
}
_COMPARE = frozenset({"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"})


def note(ctx: Context, node: Node, result: Value) -> None:
    """Remember the elements of a small result that follows from constants, where floats take part in it.

    The kernels stay as they are: what is remembered only decides shapes and trip counts further on.
    """
    if result.count > KNOWN_ELEMENTS or ctx.known(result) is not None:
        return
    arrays = [ctx.known(value) for value in node.inputs]
    if not arrays or any(array is None for array in arrays):
        return
    wide = [np.asarray(a, np.float32) if DType.of(a).is_float else a for a in arrays if a is not None]
    with np.errstate(all="ignore"):
        found = _wide(node, wide, result.dtype)
        if found is not None and found.shape == result.shape:
            ctx.note(result, found.astype(result.dtype.numpy))


def _wide(node: Node, arrays: list[Array], dtype: DType) -> Array | None:
    x = arrays[0]
    if node.op in ("Cast", "CastLike"):
        return _cast(x, dtype)
    if any(a.dtype != np.float32 for a in arrays):
        return None
    if node.op in _FLOAT:
        return np.asarray(_FLOAT[node.op](*arrays))
    return np.asarray(_BINARY[node.op](*arrays)) if node.op in _COMPARE else None


def _cast(x: Array, dtype: DType) -> Array:
    """As exact-1 casts: floats to integers toward zero, saturating, NaN as 0."""
    if dtype is DType.BOOL:
        return np.asarray(x != 0)
    if dtype.is_float or x.dtype.kind != "f":
        return x.astype(np.float32 if dtype.is_float else dtype.numpy)
    info = np.iinfo(dtype.numpy)
    whole = [0 if v != v else int(max(-(2.0**65), min(2.0**65, v))) for v in x.reshape(-1).tolist()]
    return np.array([max(info.min, min(info.max, v)) for v in whole], dtype.numpy).reshape(x.shape)
