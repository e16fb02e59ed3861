"""Convolutions in any number of dimensions, and their gradients as convolutions of rearranged tensors.

With x (N, C, *in), weight (O, C/groups, *k) and gradient g (N, O, *out) of the result:
the gradient of x is the transposed convolution of g with the same weight, and the gradient of the weight is the
convolution of x with g as its filter, in which batch and channels change places and stride and dilation too.
"""

from __future__ import annotations

from collections.abc import Sequence

from assay.program.types import DType

from ..graph import Graph, Value
from .registry import Call, translates

Ints = Sequence[int]


@translates("convolution.default")
def convolution(
    c: Call, x: Value, weight: Value, bias: Value | None, stride: Ints, padding: Ints, dilation: Ints,
    transposed: bool, output_padding: Ints, groups: int,
) -> Value:  # fmt: skip
    """Cross-correlation, or its transpose, plus a bias per channel."""
    n = x.rank - 2
    stride, padding, dilation = (_per_axis(v, n) for v in (stride, padding, dilation))
    if transposed:
        return _transposed(c.graph, x, weight, bias, stride, padding, dilation, groups, c.shape[2:])
    return _forward(c.graph, x, weight, bias, stride, padding, dilation, groups)


@translates("convolution_backward.default")
def convolution_backward(
    c: Call, grad: Value, x: Value, weight: Value, bias_sizes: Ints | None, stride: Ints, padding: Ints,
    dilation: Ints, transposed: bool, output_padding: Ints, groups: int, mask: Sequence[bool],
) -> tuple[Value | None, ...]:  # fmt: skip
    """Gradients of x, weight and bias, each where the mask asks for it."""
    g, n = c.graph, x.rank - 2
    stride, padding, dilation = (_per_axis(v, n) for v in (stride, padding, dilation))
    dx = dw = db = None
    if mask[0] and transposed:
        dx = _forward(g, grad, weight, None, stride, padding, dilation, groups)
    elif mask[0]:
        dx = _transposed(g, grad, weight, None, stride, padding, dilation, groups, x.shape[2:])
    if mask[1]:
        signal, filters = (grad, x) if transposed else (x, grad)
        dw = _weight_gradient(g, signal, filters, weight.shape, stride, padding, dilation, groups)
    if mask[2]:
        db = g.reduce("ReduceSum", grad, [0, *range(2, grad.rank)], False)
    return dx, dw, db


def _per_axis(value: Ints, n: int) -> list[int]:
    return list(value) if len(value) == n else [value[0]] * n


def _forward(
    g: Graph, x: Value, weight: Value, bias: Value | None, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> Value:
    sizes = [
        (length + 2 * p - d * (k - 1) - 1) // s + 1
        for length, k, s, p, d in zip(x.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
    ]
    return g.emit(
        "Conv", x, weight, bias, shape=[x.shape[0], weight.shape[0], *sizes], kernel_shape=list(weight.shape[2:]),
        strides=list(stride), pads=[*padding, *padding], dilations=list(dilation), group=groups,
    )  # fmt: skip


def _transposed(
    g: Graph, x: Value, weight: Value, bias: Value | None, stride: Ints, padding: Ints, dilation: Ints, groups: int,
    sizes: Ints,
) -> Value:  # fmt: skip
    """The transposed convolution whose result has the spatial `sizes`; cells that no input reaches are zero."""
    natural = [
        (length - 1) * s - 2 * p + d * (k - 1) + 1
        for length, k, s, p, d in zip(x.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
    ]
    extra = [want - have for want, have in zip(sizes, natural, strict=True)]
    return g.emit(
        "ConvTranspose", x, weight, bias, shape=[x.shape[0], weight.shape[1] * groups, *sizes],
        kernel_shape=list(weight.shape[2:]), strides=list(stride), pads=[*padding, *padding],
        dilations=list(dilation), group=groups, output_padding=extra,
    )  # fmt: skip


def _weight_gradient(
    g: Graph, x: Value, grad: Value, shape: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> Value:
    space = list(range(2, x.rank))
    signal = g.transpose(x, [1, 0, *space])
    if groups > 1:
        batch, channels, *sizes = x.shape
        split = g.reshape(x, [batch, groups, channels // groups, *sizes])
        swapped = g.transpose(split, [2, 1, 0, *range(3, split.rank)])
        signal = g.reshape(swapped, [channels // groups, groups * batch, *sizes])
    filters = g.transpose(grad, [1, 0, *space])
    # every cell of the weight gets its term from a padded input; what the stride leaves over is cut off
    found = _forward(g, signal, filters, None, dilation, padding, stride, groups)
    for a in space:
        found = g.slice(found, a, 0, shape[a])
    return g.transpose(found, [1, 0, *space])


def window_sum(g: Graph, x: Value, kernel: Ints, stride: Ints, padding: Ints) -> Value:
    """Sums over windows of (N, C, *in), each channel by itself; cells outside count as zero."""
    flat = g.reshape(x, [x.shape[0] * x.shape[1], 1, *x.shape[2:]])
    found = _forward(g, flat, _ones(g, kernel), None, stride, padding, [1] * len(kernel), 1)
    return g.reshape(found, [*x.shape[:2], *found.shape[2:]])


def window_spread(g: Graph, x: Value, kernel: Ints, stride: Ints, padding: Ints, sizes: Ints) -> Value:
    """The transpose of window_sum: every element added to all cells of its window; the result has spatial `sizes`."""
    flat = g.reshape(x, [x.shape[0] * x.shape[1], 1, *x.shape[2:]])
    found = _transposed(g, flat, _ones(g, kernel), None, stride, padding, [1] * len(kernel), 1, sizes)
    return g.reshape(found, [*x.shape[:2], *sizes])


def _ones(g: Graph, kernel: Ints) -> Value:
    return g.full([1, 1, *kernel], 1, DType.FLOAT32)
