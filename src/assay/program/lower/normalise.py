"""Normalisations and softmax: means, folds and element-wise steps in a fixed order."""

from __future__ import annotations

from math import prod

import numpy as np

from ..types import DType
from .context import Context
from .elementwise import cast
from .node import Node, lowers
from .reduce import fold, mean
from .value import Shape, Value

__all__ = ["matrix_form", "standardise"]


@lowers("Softmax", "LogSoftmax")
def softmax(ctx: Context, node: Node) -> Value:
    """exp(x - max) / sum; the logarithm is (x - max) - log(sum). Before version 13: over all axes from `axis` on."""
    wide, axis = matrix_form(ctx, node, node[0])
    return ctx.reshape(_softmax(ctx, wide, axis, node.op == "LogSoftmax"), node[0].shape)


def matrix_form(ctx: Context, node: Node, x: Value) -> tuple[Value, int]:
    """The value and the axis of a softmax or its kin: before version 13 the axes from `axis` on count as one."""
    if node.version >= 13:
        return x, node.axis(node.integer("axis", -1), x.rank)
    axis = node.integer("axis", 1)
    if not -x.rank <= axis <= x.rank:
        node.refuse(f"axis {axis} of a tensor with {x.rank} axes")
    axis += x.rank if axis < 0 else 0
    return ctx.reshape(x, (prod(x.shape[:axis]), prod(x.shape[axis:]))), 1


def _softmax(ctx: Context, x: Value, over: int, logarithm: bool) -> Value:
    axis = (over,)
    shifted = ctx.map("sub", x, fold(ctx, "max", x, axis, True), dtype=x.dtype)
    powers = ctx.map("exp", shifted)
    total = fold(ctx, "add", powers, axis, True)
    if not logarithm:
        return ctx.map("div", powers, total, dtype=x.dtype)
    return ctx.map("sub", shifted, ctx.map("log", total), dtype=x.dtype)


def standardise(ctx: Context, x: Value, axes: Shape, epsilon: float) -> tuple[Value, Value, Value]:
    """(x - mean)·(1 / √(var + epsilon)), the mean, and the factor; the variance is the mean of squares of x - mean."""
    average = mean(ctx, x, axes, True)
    centred = ctx.map("sub", x, average, dtype=x.dtype)
    variance = mean(ctx, ctx.map("mul", centred, centred), axes, True)
    root = ctx.map("sqrt", ctx.map("add", variance, ctx.real(epsilon, x), dtype=x.dtype))
    inverse = ctx.map("div", ctx.real(1, x), root, dtype=x.dtype)
    return ctx.map("mul", centred, inverse, dtype=x.dtype), average, inverse


def _stash(node: Node, default: int = 1) -> DType:
    kind = node.integer("stash_type", default)
    if kind not in (1, 10, 16):
        node.unsupported(f"stash_type {kind}")
    return {1: DType.FLOAT32, 10: DType.FLOAT16, 16: DType.BFLOAT16}[kind]


def _affine(ctx: Context, node: Node, x: Value, scale: Value | None, bias: Value | None) -> Value:
    if scale is not None:
        x = ctx.map("mul", x, scale, dtype=x.dtype)
    return x if bias is None else ctx.map("add", x, bias, dtype=x.dtype)


@lowers("LayerNormalization")
def layer_norm(ctx: Context, node: Node) -> list[Value]:
    """Standardised over the axes from `axis` on in the stash type, then scaled and shifted in the own type."""
    x = node[0]
    axis = node.axis(node.integer("axis", -1), x.rank)
    wide = cast(ctx, x, _stash(node))
    result, average, inverse = standardise(ctx, wide, tuple(range(axis, x.rank)), node.real("epsilon", 1e-5))
    return [_affine(ctx, node, cast(ctx, result, x.dtype), node[1], node.get(2)), average, inverse]


@lowers("RMSNormalization")
def rms_norm(ctx: Context, node: Node) -> Value:
    """x / √(mean(x²) + epsilon), times the scale."""
    x = node[0]
    axis = node.axis(node.integer("axis", -1), x.rank)
    wide = cast(ctx, x, _stash(node))
    square = mean(ctx, ctx.map("mul", wide, wide), tuple(range(axis, x.rank)), True)
    root = ctx.map("sqrt", ctx.map("add", square, ctx.real(node.real("epsilon", 1e-5), wide), dtype=wide.dtype))
    result = ctx.map("div", wide, root, dtype=wide.dtype)
    return _affine(ctx, node, cast(ctx, result, x.dtype), node[1], None)


def _per_channel(node: Node, value: Value, x: Value) -> Value:
    """A vector over channels, seen under the rank of x."""
    if value.shape != (x.shape[1],):
        node.refuse(f"shape {value.shape} for {x.shape[1]} channels")
    for _ in range(x.rank - 2):
        value = value.insert(value.rank)
    return value


@lowers("BatchNormalization")
def batch_norm(ctx: Context, node: Node) -> Value | list[Value]:
    """(x - mean)·(1 / √(var + epsilon))·scale + bias; in training mode with the batch's own mean and variance.

    Training also returns momentum·running + (1 - momentum)·batch for both (population variance).
    """
    x = node[0]
    if x.rank < 2:
        node.refuse(f"shape {x.shape} has no channels")
    scale, bias, running, spread = (_per_channel(node, node[n], x) for n in range(1, 5))
    epsilon = node.real("epsilon", 1e-5)
    if not node.integer("training_mode", 0):
        root = ctx.map("sqrt", ctx.map("add", spread, ctx.real(epsilon, spread), dtype=spread.dtype))
        inverse = ctx.map("div", ctx.real(1, root), root, dtype=root.dtype)
        centred = ctx.map("sub", x, running, dtype=x.dtype)
        return _affine(ctx, node, ctx.map("mul", centred, inverse, dtype=x.dtype), scale, bias)
    axes = (0, *range(2, x.rank))
    result, average, _ = standardise(ctx, x, axes, epsilon)
    centred = ctx.map("sub", x, average, dtype=x.dtype)
    variance = mean(ctx, ctx.map("mul", centred, centred), axes, True)
    momentum = np.float32(node.real("momentum", 0.9))
    updated = []
    for old, new, shape in ((running, average, node[3].shape), (spread, variance, node[4].shape)):
        kept = ctx.map("mul", old, ctx.real(float(momentum), old), dtype=old.dtype)
        fresh = ctx.map("mul", _leading(new), ctx.real(float(np.float32(1) - momentum), old), dtype=old.dtype)
        updated.append(ctx.reshape(ctx.map("add", kept, fresh, dtype=old.dtype), shape))
    return [_affine(ctx, node, result, scale, bias), *updated]


def _leading(value: Value) -> Value:
    """Without the batch axis, which has length 1 after a mean."""
    return value.drop(0)


@lowers("InstanceNormalization")
def instance_norm(ctx: Context, node: Node) -> Value:
    """Standardised over the spatial axes of each channel."""
    x = node[0]
    if x.rank < 3:
        node.refuse(f"shape {x.shape} has no spatial axes")
    result, _, _ = standardise(ctx, x, tuple(range(2, x.rank)), node.real("epsilon", 1e-5))
    return _affine(ctx, node, result, _per_channel(node, node[1], x), _per_channel(node, node[2], x))


@lowers("GroupNormalization")
def group_norm(ctx: Context, node: Node) -> Value:
    """Standardised over groups of channels; scale and bias per channel (before version 21: per group)."""
    x, groups = node[0], node.integer("num_groups")
    if x.rank < 2 or groups < 1 or x.shape[1] % groups:
        node.refuse(f"{groups} groups of shape {x.shape}")
    each = x.shape[1] // groups
    wide = cast(ctx, x, _stash(node) if node.version >= 21 else x.dtype)
    grouped = ctx.reshape(wide, (x.shape[0], groups, each, *x.shape[2:]))
    result, _, _ = standardise(ctx, grouped, tuple(range(2, grouped.rank)), node.real("epsilon", 1e-5))
    result = cast(ctx, ctx.reshape(result, x.shape), x.dtype)
    vectors = []
    for n in (1, 2):
        vector = node[n]
        if node.version < 21 and vector.shape == (groups,):
            vector = ctx.reshape(vector.insert(1).expand((groups, each)), (groups * each,))
        vectors.append(_per_channel(node, vector, x))
    return _affine(ctx, node, result, *vectors)


@lowers("MeanVarianceNormalization")
def mean_variance_norm(ctx: Context, node: Node) -> Value:
    """(x - mean) / (√var + 1e-9) over the given axes."""
    x = node[0]
    axes = node.axes(node.integers("axes", (0, 2, 3)), x.rank)
    centred = ctx.map("sub", x, mean(ctx, x, axes, True), dtype=x.dtype)
    variance = mean(ctx, ctx.map("mul", centred, centred), axes, True)
    spread = ctx.map("add", ctx.map("sqrt", variance), ctx.real(1e-9, x), dtype=x.dtype)
    return ctx.map("div", centred, spread, dtype=x.dtype)
