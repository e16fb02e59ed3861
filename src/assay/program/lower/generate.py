"""Operators that make tensors from nothing but shapes and positions."""

from __future__ import annotations

import math

import numpy as np
from onnx import AttributeProto

from assay.errors import ProgramRefused

from ..tensors import check_shape, dtype_of, tensor_array
from ..types import DType
from .context import KNOWN_ELEMENTS, Context
from .elementwise import cast
from .known import known_array, known_ints
from .node import Node, lowers
from .value import Value

__all__ = ["constant_value"]

_CONSTANTS = {
    "value": (AttributeProto.TENSOR, "t", None),
    "value_float": (AttributeProto.FLOAT, "f", np.float32),
    "value_floats": (AttributeProto.FLOATS, "floats", np.float32),
    "value_int": (AttributeProto.INT, "i", np.int64),
    "value_ints": (AttributeProto.INTS, "ints", np.int64),
}
"""How a Constant may give its value: type of the attribute, its field, element type."""


def constant_value(ctx: Context, node: Node) -> Value:
    """The value of a Constant node."""
    given = [a for a in node.attributes if a.startswith("value") or a == "sparse_value"]
    if len(given) != 1:
        node.refuse("exactly one value must be given")
    name = given[0]
    if name not in _CONSTANTS:
        node.unsupported(f"a constant given as {name}")
    kind, field, dtype = _CONSTANTS[name]
    attribute = node.attribute(name, kind)
    assert attribute is not None
    if dtype is None:
        return ctx.constant(tensor_array(attribute.t, f"the value of {node.label}", ctx.limits))
    return ctx.constant(np.array(getattr(attribute, field), dtype))


lowers("Constant")(constant_value)


@lowers("Shape", "Size")
def shape_of(ctx: Context, node: Node) -> Value:
    """Extents, or their product: shapes are static, so these are constants."""
    shape = node[0].shape
    if node.op == "Size":
        return ctx.constant(np.array(math.prod(shape), np.int64))
    # ONNX counts and clamps negative bounds as Python does.
    return ctx.constant(np.array(shape[node.integer("start", 0) : node.integer("end", len(shape))], np.int64))


@lowers("ConstantOfShape")
def constant_of_shape(ctx: Context, node: Node) -> Value:
    """One value, repeated; takes no memory."""
    shape = tuple(known_ints(ctx, node, 0))
    attribute = node.attribute("value", AttributeProto.TENSOR)
    if attribute is None:
        return ctx.full(0, DType.FLOAT32, shape)
    element = tensor_array(attribute.t, f"the value of {node.label}", ctx.limits)
    if element.size != 1:
        node.refuse("the value is not one element")
    check_shape(f"the result of {node.label}", DType.of(element), shape, ctx.limits)
    return ctx.constant(element.reshape(())).expand(shape)


@lowers("Range")
def range_node(ctx: Context, node: Node) -> Value:
    """start + i·delta: integers as a constant or coordinates, floats as cast(i)·delta + start with two roundings."""
    parts = [known_array(ctx, node, n) for n in range(3)]
    if any(p.size != 1 for p in parts):
        node.refuse("a bound is not one number")
    dtype = node[0].dtype
    start, limit, delta = (p.reshape(()).item() for p in parts)
    if delta == 0 or not all(map(math.isfinite, (start, limit, delta))):
        node.refuse("a step of zero, or a bound that is not finite")
    count = len(range(start, limit, delta)) if dtype.is_integer else max(0, math.ceil((limit - start) / delta))
    check_shape(f"the result of {node.label}", dtype, (count,), ctx.limits)
    if count == 0:
        return ctx.constant(np.zeros(0, dtype.numpy))
    if dtype.is_integer and count <= KNOWN_ELEMENTS:
        return ctx.constant(np.array(range(start, limit, delta), dtype.numpy))
    if dtype.is_integer:
        return _positions(ctx, dtype, count, start, delta)
    loop = ctx.loop((count,))
    index = loop.emit("cast", [loop.coordinate(loop.axis(0))], DType.FLOAT32)
    steps = ctx.map("mul", index, ctx.scalar(delta, DType.FLOAT32))
    return cast(ctx, ctx.map("add", steps, ctx.scalar(start, DType.FLOAT32)), dtype)


def _positions(ctx: Context, dtype: DType, count: int, start: int, delta: int) -> Value:
    if max(abs(start), abs(delta)) >= 2**62:
        raise ProgramRefused("a range beyond 62 bits", start=start, delta=delta)
    loop = ctx.loop((count,))
    return loop.emit(
        "copy" if dtype is DType.INT64 else "cast", [loop.coordinate(loop.axis({0: delta}, offset=start))], dtype
    )


@lowers("EyeLike")
def eye_like(ctx: Context, node: Node) -> Value:
    """Ones on diagonal k."""
    x = node[0]
    if x.rank != 2:
        node.refuse(f"shape {x.shape}")
    dtype = dtype_of(node.integer("dtype"), f"the result of {node.label}") if node.has("dtype") else x.dtype
    loop = ctx.loop(x.shape)
    distance = loop.coordinate(loop.axis({0: -1, 1: 1}))
    wanted = loop.read(ctx.full(node.integer("k", 0), DType.INT64, x.shape), loop.identity())
    return cast(ctx, loop.emit("eq", [distance, wanted], DType.BOOL), dtype)


@lowers("OneHot")
def one_hot(ctx: Context, node: Node) -> Value:
    """values[1] at the index, values[0] elsewhere; indices in [-depth, depth)."""
    indices, values = node[0], node[2]
    depth = [int(v) for v in known_array(ctx, node, 1).reshape(-1) if abs(v) < 2**62]
    if len(depth) != 1 or depth[0] < 1 or values.shape != (2,):
        node.refuse("depth is one positive number, values are two")
    if indices.dtype is DType.BOOL:
        node.refuse(f"indices of {indices.dtype}")
    axis = node.axis(node.integer("axis", -1), indices.rank + 1)
    indices = cast(ctx, indices, DType.INT64)
    wrapped = ctx.map("add", indices, ctx.scalar(depth[0], DType.INT64), dtype=DType.INT64)
    negative = ctx.map("lt", indices, ctx.scalar(0, DType.INT64))
    indices = ctx.map("select", negative, wrapped, indices, dtype=DType.INT64).insert(axis)
    shape = (*indices.shape[:axis], depth[0], *indices.shape[axis + 1 :])
    loop = ctx.loop(shape)
    hit = loop.emit(
        "eq", [loop.read(indices.expand(shape), loop.identity()), loop.coordinate(loop.axis(axis))], DType.BOOL
    )
    on, off = values.slice(0, 1, 1), values.slice(0, 0, 1)
    return ctx.map("select", hit, on, off, dtype=values.dtype)
