"""Losses over classes: ONNX's function bodies of version 1.23, kernel for kernel."""

from __future__ import annotations

import numpy as np

from ..types import DType
from .apply import Body
from .context import Context
from .elementwise import cast, same_type
from .node import Node, lowers
from .value import Value

__all__: list[str] = []


def negative_log_likelihood(ctx: Context, node: Node, x: Value) -> Value:
    """-x[target]·weight[target], then none, sum, or mean (the sum divided by the sum of weights)."""
    body, target, weight = Body(ctx, node), node[1], node.get(2)
    how = node.text("reduction", "mean")
    if how not in ("none", "sum", "mean") or target.shape != (*x.shape[:1], *x.shape[2:]) or x.rank < 2:
        node.refuse(f"reduction {how!r}, scores of shape {x.shape}, labels of shape {target.shape}")
    if weight is not None and (same_type(node, x, weight), weight.shape) != (x.dtype, x.shape[1:2]):
        node.refuse(f"weights of shape {weight.shape} for {x.shape[1]} classes")
    chosen, mask = target.insert(1), None
    zero, one = (ctx.constant(np.array([n]).astype(x.dtype.numpy)) for n in (0, 1))
    if node.has("ignore_index"):
        ignored = ctx.constant(np.array([node.integer("ignore_index")], np.int64))
        nothing = body("Sub", chosen, chosen)
        mask = body("Equal", cast(ctx, chosen, DType.INT64), ignored)
        chosen = body("Where", mask, nothing, chosen)
    picked = body("GatherElements", x, chosen, axis=1)
    if mask is not None:
        picked = ctx.map("select", mask, zero, picked, dtype=x.dtype)
    loss, factor = ctx.map("neg", picked).drop(1), None
    if weight is not None:
        factor = body("Gather", weight, target if mask is None else chosen)
        if mask is not None:
            factor = ctx.map("select", mask, zero, factor, dtype=x.dtype).drop(1)
    elif mask is not None:
        factor = ctx.map("select", mask.drop(1), zero, one, dtype=x.dtype)
    if factor is not None:
        loss = ctx.map("mul", loss, factor, dtype=x.dtype)
    if how == "none":
        return loss
    if how == "sum" or factor is not None:
        total = body("ReduceSum", loss, keepdims=0)
        if how == "sum" or factor is None:
            return total
        return ctx.map("div", total, body("ReduceSum", factor, keepdims=0), dtype=x.dtype)
    return body("ReduceMean", loss, keepdims=0)


@lowers("NegativeLogLikelihoodLoss")
def likelihood_node(ctx: Context, node: Node) -> Value:
    """-x[target]·weight, then none, sum, or mean (over the sum of weights); ignored targets weigh 0; ONNX's function body."""
    return negative_log_likelihood(ctx, node, node[0])


@lowers("SoftmaxCrossEntropyLoss")
def cross_entropy(ctx: Context, node: Node) -> list[Value]:
    """NegativeLogLikelihoodLoss of LogSoftmax over axis 1, which is moved to the end for it; ONNX's function body."""
    x = node[0]
    if x.rank < 2:
        node.refuse(f"shape {x.shape} has no classes")
    rows = ctx.reshape(x, (*x.shape[:2], x.count // max(1, x.shape[0] * x.shape[1]))).transpose((0, 2, 1))
    # Before version 13 LogSoftmax meant something else; the loss has always been over one axis.
    logs = Body(ctx, node).modern("LogSoftmax", rows, axis=2)
    scores = ctx.reshape(logs.transpose((0, 2, 1)), x.shape)
    return [negative_log_likelihood(ctx, node, scores), scores]
