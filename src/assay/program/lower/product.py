"""Products: MatMul, Gemm, Conv, ConvTranspose. Each output element is one chain of fma in increasing k from +0."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ..kernel import Order
from .context import Context, broadcast
from .elementwise import same_type
from .node import Node, lowers
from .value import Shape, Value

__all__ = ["Window", "convolve", "matmul", "product", "window_of"]


def matmul(ctx: Context, a: Value, b: Value) -> Value:
    """numpy.matmul: leading axes broadcast, vectors are promoted."""
    left, right = a.rank == 1, b.rank == 1
    a, b = (a.insert(0) if left else a), (b.insert(1) if right else b)
    rows, terms, columns = a.shape[-2], a.shape[-1], b.shape[-1]
    batch = broadcast(a.shape[:-2], b.shape[:-2])
    a, b = a.expand((*batch, rows, terms)), b.expand((*batch, terms, columns))
    loop = ctx.loop((*batch, rows, columns), (terms,))
    outer = [loop.axis(n) for n in range(len(batch))]
    k = loop.axis(fold=0)
    operands = [
        loop.read(a, [*outer, loop.axis(len(batch)), k]),
        loop.read(b, [*outer, k, loop.axis(len(batch) + 1)]),
    ]
    shape = (*batch, *(() if left else (rows,)), *(() if right else (columns,)))
    return loop.emit("fma", operands, a.dtype, shape=shape, order=Order.CHAIN)


@lowers("MatMul")
def matmul_node(ctx: Context, node: Node) -> Value:
    """A product over the last axis of the first and the last but one of the second input."""
    return product(ctx, node, node[0], node[1])


def product(ctx: Context, node: Node, a: Value, b: Value) -> Value:
    """numpy.matmul of two values of the node; refuses types and shapes that do not fit."""
    same_type(node, a, b)
    if not a.rank or not b.rank or a.shape[-1] != b.shape[-2 if b.rank > 1 else -1]:
        node.refuse(f"shapes {a.shape} and {b.shape} do not match")
    return matmul(ctx, a, b)


@lowers("Gemm")
def gemm(ctx: Context, node: Node) -> Value:
    """alpha·(A·B) + beta·C: the product, then mul, mul, add as separate kernels; factors of 1 are left out."""
    a, b, c = node[0], node[1], node.get(2)
    dtype = same_type(node, a, b)
    if a.rank != 2 or b.rank != 2:
        node.refuse("inputs are not matrices")
    a = a.transpose((1, 0)) if node.integer("transA", 0) else a
    b = b.transpose((1, 0)) if node.integer("transB", 0) else b
    if a.shape[1] != b.shape[0]:
        node.refuse(f"shapes {a.shape} and {b.shape} do not match")
    result = matmul(ctx, a, b)
    alpha, beta = node.real("alpha", 1.0), node.real("beta", 1.0)
    if alpha != 1.0:
        result = ctx.map("mul", result, ctx.real(alpha, a), dtype=dtype)
    if c is None or beta == 0.0:
        return result
    same_type(node, a, c)
    if beta != 1.0:
        c = ctx.map("mul", c, ctx.real(beta, a), dtype=dtype)
    if broadcast(c.shape, result.shape) != result.shape:
        node.refuse(f"C of shape {c.shape} does not broadcast to {result.shape}")
    return ctx.map("add", result, c, dtype=dtype)


@dataclass(frozen=True)
class Window:
    """How a kernel window moves over spatial axes."""

    size: Shape
    strides: Shape
    dilations: Shape
    begin: Shape
    end: Shape

    @property
    def extent(self) -> Shape:
        """Length that one window spans, dilation included."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.size, self.dilations, strict=True))


def window_of(node: Node, spatial: Shape, size: Shape) -> Window:
    """Read kernel_shape, strides, dilations, pads and auto_pad against the given kernel size."""
    rank = len(spatial)
    if node.integers("kernel_shape", size) != size:
        node.refuse(f"kernel_shape {node.integers('kernel_shape')} does not match {size}")
    strides, dilations = node.integers("strides", (1,) * rank), node.integers("dilations", (1,) * rank)
    pads = node.integers("pads", (0,) * 2 * rank)
    if not (len(size) == len(strides) == len(dilations) == rank) or len(pads) != 2 * rank:
        node.refuse(f"strides, dilations or pads do not fit {rank} spatial axes")
    if not rank or min(*strides, *dilations, *size, 1) < 1 or min(*pads, 0) < 0:
        node.refuse("kernel_shape, strides and dilations are positive, pads are not negative")
    window = Window(size, strides, dilations, pads[:rank], pads[rank:])
    how = node.text("auto_pad", "NOTSET")
    if how == "NOTSET":
        return window
    if how == "VALID":
        return Window(size, strides, dilations, (0,) * rank, (0,) * rank)
    if how not in ("SAME_UPPER", "SAME_LOWER"):
        node.refuse(f"auto_pad {how!r}")
    begin, end = [], []
    for d, s, extent in zip(spatial, strides, window.extent, strict=True):
        total = max(0, (-(-d // s) - 1) * s + extent - d)
        small, large = total // 2, total - total // 2
        begin.append(small if how == "SAME_UPPER" else large)
        end.append(large if how == "SAME_UPPER" else small)
    return Window(size, strides, dilations, tuple(begin), tuple(end))


def _grouped(node: Node, x: Value, w: Value, group: int | None = None) -> int:
    same_type(node, x, w)
    if x.rank < 3 or w.rank != x.rank:
        node.refuse(f"shapes {x.shape} and {w.shape} do not match")
    group = node.integer("group", 1) if group is None else group
    if group < 1 or x.shape[1] % group:
        node.refuse(f"{x.shape[1]} channels in {group} groups")
    return group


def _with_bias(ctx: Context, node: Node, result: Value) -> Value:
    bias = node.get(2)
    if bias is None:
        return result
    same_type(node, result, bias)
    if bias.shape != (result.shape[1],):
        node.refuse(f"bias of shape {bias.shape} for {result.shape[1]} channels")
    for _ in result.shape[2:]:
        bias = bias.insert(bias.rank)
    return ctx.map("add", result, bias, dtype=result.dtype)


@lowers("Conv")
def conv(ctx: Context, node: Node) -> Value:
    """Fold over (channels of the group, *kernel); padding reads +0; the bias is added by a kernel of its own."""
    return _with_bias(ctx, node, convolve(ctx, node, node[0], node[1]))


def convolve(ctx: Context, node: Node, x: Value, w: Value, group: int | None = None) -> Value:
    """The convolution of two values of the node under its attributes (and in `group` groups), without a bias."""
    group = _grouped(node, x, w, group)
    images, channels, *spatial = x.shape
    filters, inner, *size = w.shape
    if inner != channels // group or filters % group:
        node.refuse(f"weights of shape {w.shape} for {channels} channels in {group} groups")
    window = window_of(node, tuple(spatial), tuple(size))
    out = [
        (d + b + e - extent) // s + 1
        for d, b, e, extent, s in zip(spatial, window.begin, window.end, window.extent, window.strides, strict=True)
    ]
    if min(out) < 1:
        node.refuse(f"the kernel is larger than the padded input {x.shape}")
    loop = ctx.loop((images, group, filters // group, *out), (inner, *size))
    places = [
        loop.axis({3 + n: window.strides[n]}, {1 + n: window.dilations[n]}, -window.begin[n]) for n in range(len(size))
    ]
    operands = [
        loop.read(
            ctx.reshape(x, (images, group, inner, *spatial)),
            [loop.axis(0), loop.axis(1), loop.axis(fold=0), *places],
            outside=0,
        ),
        loop.read(
            ctx.reshape(w, (group, filters // group, inner, *size)),
            [loop.axis(1), loop.axis(2), *(loop.axis(fold=n) for n in range(1 + len(size)))],
        ),
    ]
    return loop.emit("fma", operands, x.dtype, shape=(images, filters, *out), order=Order.CHAIN)


@lowers("ConvTranspose")
def conv_transpose(ctx: Context, node: Node) -> Value:
    """In gather form: output y takes x[(y + begin - dilation·k) / stride] where that is a whole number inside x."""
    x, w = node[0], node[1]
    group = _grouped(node, x, w)
    images, channels, *spatial = x.shape
    filters, size = w.shape[1], w.shape[2:]
    if w.shape[0] != channels:
        node.refuse(f"weights of shape {w.shape} for {channels} channels")
    window = window_of(node, tuple(spatial), size)
    out, begin = _transposed_extent(node, tuple(spatial), window)
    inner = channels // group
    loop = ctx.loop((images, group, filters, *out), (inner, *size))
    places = [
        loop.axis({3 + n: 1}, {1 + n: -window.dilations[n]}, begin[n], divisor=window.strides[n])
        for n in range(len(size))
    ]
    operands = [
        loop.read(
            ctx.reshape(x, (images, group, inner, *spatial)),
            [loop.axis(0), loop.axis(1), loop.axis(fold=0), *places],
            outside=0,
        ),
        loop.read(
            ctx.reshape(w, (group, inner, filters, *size)),
            [loop.axis(1), loop.axis(fold=0), loop.axis(2), *(loop.axis(fold=1 + n) for n in range(len(size)))],
        ),
    ]
    shape = (images, group * filters, *out)
    return _with_bias(ctx, node, loop.emit("fma", operands, x.dtype, shape=shape, order=Order.CHAIN))


def _transposed_extent(node: Node, spatial: Shape, window: Window) -> tuple[Shape, Shape]:
    """Output extent and the padding cut off at the beginning."""
    rank = len(spatial)
    extra = node.integers("output_padding", (0,) * rank)
    wanted = node.integers("output_shape", ())
    if len(extra) != rank or (wanted and len(wanted) != rank) or min(*extra, 0) < 0:
        node.refuse("output_padding or output_shape does not fit")
    how = node.text("auto_pad", "NOTSET")
    full = tuple(s * (d - 1) + p + e for s, d, p, e in zip(window.strides, spatial, extra, window.extent, strict=True))
    if not wanted and how.startswith("SAME"):
        wanted = tuple(d * s for d, s in zip(spatial, window.strides, strict=True))
    if wanted:
        total = tuple(max(0, f - w) for f, w in zip(full, wanted, strict=True))
        # ONNX gives the larger half to the beginning unless SAME_UPPER is asked for.
        begin = tuple(t // 2 if how == "SAME_UPPER" else t - t // 2 for t in total)
        out = wanted
    else:
        begin = window.begin
        out = tuple(f - b - e for f, b, e in zip(full, window.begin, window.end, strict=True))
    if min(out) < 1 or prod(out) < 1:
        node.refuse(f"output extent {out}")
    return out, begin
