"""Norms of order p over windows, axes and channels."""

from __future__ import annotations

from ..kernel import Order
from ..types import DType
from .context import Context
from .elementwise import cast
from .node import Node, lowers
from .pool import image_of, places_of, pool_window
from .reduce import fold, initial_of
from .value import Value

__all__: list[str] = []


def _raised(ctx: Context, x: Value, p: int) -> Value:
    """|x|^p: abs, x·x, or pow of the absolute value."""
    if p == 2:
        return ctx.map("mul", x, x)
    size = ctx.map("abs", x)
    return size if p == 1 else ctx.map("pow", size, ctx.scalar(p, DType.FLOAT32), dtype=x.dtype)


def _root(ctx: Context, x: Value, p: int) -> Value:
    """The p-th root: nothing for 1, sqrt for 2, else pow with 1/p in binary32."""
    if p == 1:
        return x
    return ctx.map("sqrt", x) if p == 2 else ctx.map("pow", x, ctx.scalar(1 / p, DType.FLOAT32), dtype=x.dtype)


def _order(node: Node, x: Value, default: int = 2) -> int:
    p = node.integer("p", default)
    if p < 1 or p >= 2**24 or not x.dtype.is_float:
        node.refuse(f"a norm of order {p} of {x.dtype}")
    return p


@lowers("LpPool")
def lp_pool(ctx: Context, node: Node) -> Value:
    """|x|^p, an add fold over the window where padding reads +0, then the p-th root."""
    x, spatial = image_of(node)
    p = _order(node, x)
    window, out = pool_window(node, spatial)
    loop = ctx.loop((*x.shape[:2], *out), window.size)
    powers = _raised(ctx, x, p)
    read = loop.read(powers, [loop.axis(0), loop.axis(1), *places_of(loop, window, 0)], outside=0)
    return _root(ctx, loop.emit("add", [read], x.dtype, order=Order.CHAIN, initial=initial_of("add", x.dtype)), p)


@lowers("GlobalLpPool")
def global_lp_pool(ctx: Context, node: Node) -> Value:
    """|x|^p, an add fold over the spatial axes, then the p-th root."""
    x, spatial = image_of(node)
    p = _order(node, x)
    axes = tuple(range(2, 2 + len(spatial)))
    return _root(ctx, fold(ctx, "add", _raised(ctx, x, p), axes, True), p)


@lowers("LpNormalization")
def lp_norm(ctx: Context, node: Node) -> Value:
    """x divided by its norm of order 1 or 2 along the axis; 0 where that norm is 0."""
    x = node[0]
    p = _order(node, x)
    if p > 2:
        node.refuse(f"p is {p}")
    norm = _root(ctx, fold(ctx, "add", _raised(ctx, x, p), (node.axis(node.integer("axis", -1), x.rank),), True), p)
    zero = ctx.scalar(0, DType.FLOAT32)
    result = ctx.map("div", x, norm, dtype=x.dtype)
    return ctx.map("select", ctx.map("eq", norm, zero), zero, result, dtype=x.dtype)


@lowers("LRN")
def local_response(ctx: Context, node: Node) -> Value:
    """x / pow(bias + alpha / size · (sum of squares over nearby channels, a chain), beta)."""
    x, size = node[0], node.integer("size")
    if x.rank < 2 or size < 1 or not x.dtype.is_float:
        node.refuse(f"{size} channels of {x.shape}")
    square = ctx.map("mul", x, x)
    loop = ctx.loop(x.shape, (min(size, 2 * x.shape[1] + 1),))
    axes = loop.identity()
    axes[1] = loop.axis({1: 1}, {0: 1}, offset=-min((size - 1) // 2, x.shape[1]))
    read = loop.read(square, axes, outside=0)
    total = loop.emit("add", [read], x.dtype, order=Order.CHAIN, initial=initial_of("add", x.dtype))
    factor = node.real("alpha", 1e-4) / size
    inner = ctx.map(
        "add", ctx.map("mul", total, ctx.real(factor, x), dtype=x.dtype), ctx.real(node.real("bias", 1.0), x)
    )
    scale = ctx.map("pow", cast(ctx, inner, x.dtype), ctx.real(node.real("beta", 0.75), x), dtype=x.dtype)
    return ctx.map("div", x, scale, dtype=x.dtype)
