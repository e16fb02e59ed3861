"""Pooling over windows, forward and backward."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.program.types import DType

from ..graph import Graph, Value
from .convolution import window_spread, window_sum
from .registry import Call, refuse, translates

Ints = Sequence[int]


def _pair(value: Ints | int, default: Ints) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return list(default) if not values else values * 2 if len(values) == 1 else values


def _batched(g: Graph, x: Value) -> Value:
    """(C, H, W) as (1, C, H, W)."""
    return x if x.rank == 4 else g.unsqueeze(x, [0])


@translates("max_pool2d_with_indices.default")
def max_pool2d(
    c: Call, x: Value, kernel: Ints, stride: Ints = (), padding: Ints = (0,), dilation: Ints = (1,), ceil: bool = False
) -> tuple[Value, Value]:
    """Largest element per window, and its index in its (H, W) plane; the first of equals."""
    g, plain = c.graph, _batched(c.graph, x)
    kernel = _pair(kernel, ())
    types = [(x.dtype, _as4(c.shape)), (DType.INT64, _as4(c.shape))]
    found, index = g.emit_many(
        "MaxPool", [plain], types, kernel_shape=kernel, strides=_pair(stride, kernel), pads=_pair(padding, ()) * 2,
        dilations=_pair(dilation, ()), ceil_mode=int(ceil), storage_order=0,
    )  # fmt: skip
    plane = g.scalar(x.shape[-2] * x.shape[-1], DType.INT64)
    # ONNX counts through the whole tensor, torch within the plane
    return g.reshape(found, c.shape), g.reshape(g.emit("Mod", index, plane), c.shape)


@translates("max_pool2d_with_indices_backward.default")
def max_pool2d_backward(
    c: Call, grad: Value, x: Value, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil: bool, index: Value
) -> Value:
    """Each gradient added where its window's largest element was."""
    g, plane = c.graph, x.shape[-2] * x.shape[-1]
    planes, cells = x.size // plane, grad.shape[-2] * grad.shape[-1]
    zeros = g.full([planes, plane], 0, grad.dtype)
    index, grad = g.reshape(index, [planes, cells]), g.reshape(grad, [planes, cells])
    added = g.emit("ScatterElements", zeros, index, grad, shape=zeros.shape, axis=1, reduction="add")
    return g.reshape(added, x.shape)


@translates("avg_pool2d.default")
def avg_pool2d(
    c: Call, x: Value, kernel: Ints, stride: Ints = (), padding: Ints = (0,), ceil: bool = False,
    count_pad: bool = True, divisor: int | None = None,
) -> Value:  # fmt: skip
    """Sum per window, divided by the number of cells that count."""
    window = _window(c, kernel, stride, padding, ceil)
    total = window_sum(c.graph, _batched(c.graph, x), *window)
    return c.graph.reshape(
        c.graph.emit("Div", total, _counts(c, x.shape, total.shape, window, count_pad, divisor)), c.shape
    )


@translates("avg_pool2d_backward.default")
def avg_pool2d_backward(
    c: Call, grad: Value, x: Value, kernel: Ints, stride: Ints, padding: Ints, ceil: bool, count_pad: bool,
    divisor: int | None,
) -> Value:  # fmt: skip
    """Each gradient, divided by its window's count, added to every cell of its window."""
    window, grad = _window(c, kernel, stride, padding, ceil), _batched(c.graph, grad)
    share = c.graph.emit("Div", grad, _counts(c, x.shape, grad.shape, window, count_pad, divisor))
    return c.graph.reshape(window_spread(c.graph, share, *window, x.shape[-2:]), x.shape)


@translates("_adaptive_avg_pool2d.default")
def adaptive_avg_pool2d(c: Call, x: Value, sizes: Ints) -> Value:
    """Means over a grid of equal windows."""
    return avg_pool2d(c, x, _even(c, x.shape, c.shape))


@translates("_adaptive_avg_pool2d_backward.default")
def adaptive_avg_pool2d_backward(c: Call, grad: Value, x: Value) -> Value:
    """The backward of adaptive_avg_pool2d."""
    return avg_pool2d_backward(c, grad, x, _even(c, x.shape, grad.shape), (), (0,), False, True, None)


@translates("upsample_nearest2d_backward.default")
def upsample_backward(c: Call, grad: Value, sizes: Ints, shape: Ints, *scales: float | None) -> Value:
    """Each gradient of a whole enlargement added to the pixel that it came from."""
    (h, w), (oh, ow) = shape[-2:], grad.shape[-2:]
    if oh % h or ow % w:
        raise refuse(c.node, f"from {(h, w)} to {(oh, ow)} is not covered", hint="Enlarge by a whole factor.")
    return window_sum(c.graph, grad, [oh // h, ow // w], [oh // h, ow // w], [0, 0])


def _even(c: Call, shape: Ints, sizes: Ints) -> list[int]:
    if any(n % m for n, m in zip(shape[-2:], sizes[-2:], strict=True)):
        raise refuse(
            c.node,
            f"from {tuple(shape[-2:])} to {tuple(sizes[-2:])} is not covered",
            hint="Pool to a size that divides the input's.",
        )
    return [n // m for n, m in zip(shape[-2:], sizes[-2:], strict=True)]


def _window(c: Call, kernel: Ints, stride: Ints, padding: Ints, ceil: bool) -> tuple[list[int], list[int], list[int]]:
    if ceil:
        raise refuse(c.node, "with ceil_mode is not covered", hint="Pad the input instead.")
    kernel = _pair(kernel, ())
    return kernel, _pair(stride, kernel), _pair(padding, ())


def _counts(
    c: Call, shape: Ints, out: Ints, window: tuple[list[int], ...], count_pad: bool, divisor: int | None
) -> Value:
    """Cells per window: one number, or (1, 1, oh, ow) where borders do not count."""
    kernel, stride, padding = window
    if divisor or count_pad or not any(padding):
        return c.operand(float(divisor or kernel[0] * kernel[1]))
    rows, columns = (
        np.array([_overlap(i * s - p, k, n) for i in range(m)], dtype=np.float32)
        for n, m, k, s, p in zip(shape[-2:], out[-2:], kernel, stride, padding, strict=True)
    )
    return c.graph.constant((rows[:, None] * columns)[None, None])


def _overlap(start: int, length: int, end: int) -> int:
    return min(start + length, end) - max(start, 0)


def _as4(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape if len(shape) == 4 else (1, *shape)
