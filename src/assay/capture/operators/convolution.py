"""Convolutions in any number of dimensions, and their gradients as convolutions of rearranged tensors.

With x (N, C, *in), weight (O, C/groups, *k) and gradient g (N, O, *out) of the result:
the gradient of x is the transposed convolution of g with the same weight, and the gradient of the weight is the
convolution of x with g as its filter, in which batch and channels change places and stride and dilation too.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

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
    phases = [
        _phases(*axis) for axis in zip(x.shape[2:], weight.shape[2:], stride, padding, dilation, sizes, strict=True)
    ]
    if max(stride) > 1 and all(phases):
        return _interleaved(g, x, weight, bias, stride, dilation, phases, groups, sizes)
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


class _Phase(NamedTuple):
    """The cells offset + t·stride of one axis of a result: which cells of the kernel reach them, and where it begins."""

    start: int
    taps: int
    begin: int
    end: int


def _phases(length: int, kernel: int, stride: int, padding: int, dilation: int, size: int) -> list[_Phase]:
    """One per offset; none where a phase is not a transposed convolution with stride 1 that is cut at its ends."""
    if stride > 1 and dilation > 1:
        return []
    found = []
    for offset in range(stride):
        start = (offset + padding) % stride
        taps = kernel if stride == 1 else len(range(start, kernel, stride))
        begin = (offset + padding - start) // stride
        end = length + dilation * (taps - 1) - begin - -(-size // stride)
        found.append(_Phase(start, taps, begin, end))
    return found if all(p.end >= 0 or p.taps == 0 for p in found) else []


def _interleaved(
    g: Graph, x: Value, weight: Value, bias: Value | None, stride: Ints, dilation: Ints,
    phases: Sequence[Sequence[_Phase]], groups: int, sizes: Ints,
) -> Value:  # fmt: skip
    """A transposed convolution with a stride as stride**n dense ones, without the products with zero between inputs."""
    n, cells = len(sizes), [-(-size // s) for size, s in zip(sizes, stride, strict=True)]
    channels = weight.shape[1] * groups
    parts = []
    for place in itertools.product(*phases):
        taps = weight
        for axis, (phase, s) in enumerate(zip(place, stride, strict=True)):
            taps = g.slice(taps, 2 + axis, phase.start, weight.shape[2 + axis], s) if s > 1 and phase.taps else taps
        if all(phase.taps for phase in place):
            part = g.emit(
                "ConvTranspose", x, taps, shape=[x.shape[0], channels, *cells], kernel_shape=list(taps.shape[2:]),
                strides=[1] * n, pads=[*(p.begin for p in place), *(p.end for p in place)],
                dilations=list(dilation), group=groups,
            )  # fmt: skip
        else:
            part = g.full([x.shape[0], channels, *cells], 0, x.dtype)
        parts.append(g.unsqueeze(part, [2]))
    together = g.reshape(g.concat(parts, 2), [x.shape[0], channels, *stride, *cells])
    order = [0, 1, *(a for axis in range(n) for a in (2 + n + axis, 2 + axis))]
    result = g.transpose(together, order)
    result = g.reshape(result, [x.shape[0], channels, *(c * s for c, s in zip(cells, stride, strict=True))])
    for axis, size in enumerate(sizes):
        result = g.slice(result, 2 + axis, 0, size)
    return result if bias is None else g.emit("Add", result, g.reshape(bias, [channels, *[1] * n]), shape=result.shape)


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
