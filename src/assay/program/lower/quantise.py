"""Quantised operators: integers are exact, and every step of a scaling is rounded to binary32 on its own."""

from __future__ import annotations

from ..tensors import dtype_of
from ..types import DType
from .context import Context
from .elementwise import cast, same_type
from .node import Node, lowers
from .product import convolve, product
from .reduce import fold
from .value import Value

__all__: list[str] = []

_NARROW = (DType.INT8, DType.UINT8, DType.INT16, DType.UINT16)
"""Types whose every number binary32 has: a rounded quotient plus a zero point saturates as it should."""


def _spread(ctx: Context, node: Node, x: Value, given: Value) -> Value:
    """A scale or zero point under the rank of x: one number, one per entry of `axis`, or one per block of it."""
    if given.count == 1 and given.rank <= 1:
        return ctx.reshape(given, ())
    axis = node.axis(node.integer("axis", 1), x.rank)
    if given.rank == 1:
        return _along(node, x, given, axis)
    block = node.integer("block_size", 0)
    if block < 1:
        node.refuse(f"scales or zero points of shape {given.shape} without blocks")
    blocks = -(-x.shape[axis] // block)
    if given.shape != (*x.shape[:axis], blocks, *x.shape[axis + 1 :]):
        node.refuse(f"scales or zero points of shape {given.shape} in blocks of {block} for {x.shape}")
    width = min(block, x.shape[axis])
    repeated = given.insert(axis + 1).expand((*given.shape[: axis + 1], width, *given.shape[axis + 1 :]))
    merged = ctx.reshape(repeated, (*given.shape[:axis], blocks * width, *given.shape[axis + 1 :]))
    return merged.slice(axis, 0, x.shape[axis])


def _along(node: Node, x: Value, vector: Value, axis: int) -> Value:
    """A vector over one axis of x, under the rank of x."""
    if vector.shape != (x.shape[axis],):
        node.refuse(f"scales or zero points of shape {vector.shape} for axis {axis} of {x.shape}")
    for _ in range(axis + 1, x.rank):
        vector = vector.insert(vector.rank)
    return vector


def _quantised(ctx: Context, scaled: Value, zero: Value | None, dtype: DType) -> Value:
    """Rounded to an integer, moved by the zero point in binary32, saturated; NaN gives 0."""
    whole = ctx.map("round", scaled, dtype=DType.FLOAT32)
    if zero is not None:
        whole = ctx.map("add", whole, cast(ctx, zero, DType.FLOAT32), dtype=DType.FLOAT32)
    return cast(ctx, whole, dtype)


@lowers("QuantizeLinear")
def quantise(ctx: Context, node: Node) -> Value:
    """saturate(round(x / scale) + zero point); the quotient has the type of the scale, or of `precision`."""
    x, scale, zero = node[0], node[1], node.get(2)
    dtype = DType.UINT8 if zero is None else zero.dtype
    if node.integer("output_dtype", 0):
        wanted = dtype_of(node.integer("output_dtype"), f"the result of {node.label}")
        if zero is not None and wanted is not dtype:
            node.refuse(f"output_dtype {wanted} beside a zero point of {dtype}")
        dtype = wanted
    if dtype not in _NARROW:
        node.unsupported(f"quantised to {dtype}")
    if not scale.dtype.is_float:
        node.refuse(f"a scale of {scale.dtype}")
    precision = scale.dtype
    if node.integer("precision", 0):
        precision = dtype_of(node.integer("precision"), f"the precision of {node.label}")
    if not precision.is_float:
        node.refuse(f"a precision of {precision}")
    x = x if x.dtype.is_float else cast(ctx, x, DType.FLOAT32)
    scaled = ctx.map("div", x, _spread(ctx, node, x, scale), dtype=precision)
    return _quantised(ctx, scaled, None if zero is None else _spread(ctx, node, x, zero), dtype)


@lowers("DequantizeLinear")
def dequantise(ctx: Context, node: Node) -> Value:
    """(x - zero point) · scale: the difference in int32 (wrapping), then as binary32 times the scale."""
    x, scale, zero = node[0], node[1], node.get(2)
    if x.dtype not in (*_NARROW, DType.INT32):
        node.unsupported(f"dequantised from {x.dtype}")
    dtype = scale.dtype
    if node.integer("output_dtype", 0):
        dtype = dtype_of(node.integer("output_dtype"), f"the result of {node.label}")
    if not (scale.dtype.is_float and dtype.is_float):
        node.refuse(f"a scale of {scale.dtype} and a result of {dtype}")
    wide = _centred(ctx, node, x, None if zero is None else _spread(ctx, node, x, zero))
    return ctx.map("mul", cast(ctx, wide, DType.FLOAT32), _spread(ctx, node, x, scale), dtype=dtype)


def _centred(ctx: Context, node: Node, x: Value, zero: Value | None) -> Value:
    """x - zero point in int32."""
    if x.dtype not in (*_NARROW, DType.INT32):
        node.refuse(f"quantised values of {x.dtype}")
    wide = cast(ctx, x, DType.INT32)
    if zero is None:
        return wide
    same_type(node, x, zero)
    return ctx.map("sub", wide, cast(ctx, zero, DType.INT32), dtype=DType.INT32)


@lowers("DynamicQuantizeLinear")
def dynamic_quantise(ctx: Context, node: Node) -> list[Value]:
    """Scale (max(x, 0) - min(x, 0)) / 255, or 1 / 255 where x is all zero, and the zero point that it needs."""
    x = node[0]
    if x.dtype is not DType.FLOAT32 or not x.count:
        node.refuse(f"{x.dtype} of shape {x.shape}")
    every = tuple(range(x.rank))
    zero, most = ctx.scalar(0, DType.FLOAT32), ctx.scalar(255, DType.FLOAT32)
    flat = (x, every) if x.rank else (x.insert(0), (0,))
    low = ctx.map("min", fold(ctx, "min", *flat, False), zero)
    high = ctx.map("max", fold(ctx, "max", *flat, False), zero)
    extent = ctx.map("sub", high, low)
    extent = ctx.map("select", ctx.map("eq", high, low), ctx.scalar(1, DType.FLOAT32), extent, dtype=DType.FLOAT32)
    scale = ctx.map("div", extent, most)
    offset = ctx.map("sub", zero, ctx.map("div", low, scale), dtype=DType.FLOAT32)
    offset = ctx.map("max", ctx.map("min", offset, most), zero)
    point = cast(ctx, ctx.map("round", offset), DType.UINT8)
    return [_quantised(ctx, ctx.map("div", x, scale), point, DType.UINT8), scale, point]


def _rows(node: Node, x: Value, zero: Value | None) -> Value | None:
    """The zero point of a product's left side: one number, one per row, or of the same rank with one column."""
    if zero is not None and zero.rank == 1 and zero.count > 1 and x.rank > 1:
        return (
            zero.insert(1)
            if zero.shape[0] == x.shape[-2]
            else node.refuse(f"{zero.shape[0]} zero points for {x.shape}")
        )
    return zero


@lowers("MatMulInteger")
def matmul_integer(ctx: Context, node: Node) -> Value:
    """(a - zero point)·(b - zero point) in int32; the zero points may differ per row of a and column of b."""
    a, b = node[0], node[1]
    return product(ctx, node, _centred(ctx, node, a, _rows(node, a, node.get(2))), _centred(ctx, node, b, node.get(3)))


def _rescaled(ctx: Context, node: Node, total: Value, scales: tuple[Value, Value, Value], zero: Value) -> Value:
    """round(total as binary32 · ((first scale · second) / result's)) + zero point, saturated."""
    first, second, result = scales
    for scale in scales:
        if not scale.dtype.is_float:
            node.refuse(f"a scale of {scale.dtype}")
    if zero.dtype not in _NARROW:
        node.unsupported(f"quantised to {zero.dtype}")
    wide = [cast(ctx, s, DType.FLOAT32) for s in (first, second, result)]
    factor = ctx.map("div", ctx.map("mul", wide[0], wide[1]), wide[2])
    scaled = ctx.map("mul", cast(ctx, total, DType.FLOAT32), factor, dtype=DType.FLOAT32)
    return _quantised(ctx, scaled, zero, zero.dtype)


def _single(ctx: Context, value: Value) -> Value:
    """One number as a scalar, whatever its rank; anything else as it is."""
    return ctx.reshape(value, ()) if value.count == 1 else value


@lowers("QLinearMatMul")
def quantised_matmul(ctx: Context, node: Node) -> Value:
    """MatMulInteger, then scaled to the result's type."""
    a, b = node[0], node[3]
    scales, zeros = [], []
    for value, at in ((a, 1), (b, 4), (a, 6)):
        scale, zero = node[at], node[at + 1]
        if value is a:
            scale, zero = (_rows(node, a, v) or v for v in (scale, zero))
        scales.append(_single(ctx, scale))
        zeros.append(_single(ctx, zero))
    total = product(ctx, node, _centred(ctx, node, a, zeros[0]), _centred(ctx, node, b, zeros[1]))
    return _rescaled(ctx, node, total, (scales[0], scales[1], scales[2]), zeros[2])


def _filters(ctx: Context, node: Node, vector: Value, w: Value) -> Value:
    """A number, or one per output channel, under the rank of w."""
    return _single(ctx, vector) if vector.count == 1 else _along(node, w, vector, 0)


@lowers("ConvInteger")
def conv_integer(ctx: Context, node: Node) -> Value:
    """(x - zero point) convolved with (w - zero point) in int32; padding counts as the zero point."""
    x, w, first, second = node[0], node[1], node.get(2), node.get(3)
    x = _centred(ctx, node, x, None if first is None else _single(ctx, first))
    w = _centred(ctx, node, w, None if second is None else _filters(ctx, node, second, w))
    return convolve(ctx, node, x, w)


@lowers("QLinearConv")
def quantised_conv(ctx: Context, node: Node) -> Value:
    """ConvInteger, plus the int32 bias, then scaled to the result's type."""
    x, w, bias = node[0], node[3], node.get(8)
    total = convolve(
        ctx,
        node,
        _centred(ctx, node, x, _single(ctx, node[2])),
        _centred(ctx, node, w, _filters(ctx, node, node[5], w)),
    )
    scale = node[4] if node[4].count == 1 else _along(node, total, node[4], 1)
    if bias is not None:
        same_type(node, total, bias)
        total = ctx.map("add", total, _along(node, total, bias, 1), dtype=DType.INT32)
    scales = (_single(ctx, node[1]), _single(ctx, scale), _single(ctx, node[6]))
    return _rescaled(ctx, node, total, scales, _single(ctx, node[7]))
