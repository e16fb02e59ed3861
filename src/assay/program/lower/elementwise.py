"""Element-wise operators: one scalar operation per element, and short compositions of them."""

from __future__ import annotations

import math

import numpy as np

from ..tensors import dtype_of
from ..types import DType
from .context import Context
from .known import known_array
from .node import Node, lowers
from .value import Value

__all__ = ["cast", "gelu", "softplus"]

_DIRECT = {
    "Abs": "abs",
    "Add": "add",
    "And": "and",
    "BitwiseAnd": "and",
    "BitwiseNot": "not",
    "BitwiseOr": "or",
    "BitwiseXor": "xor",
    "Ceil": "ceil",
    "Cos": "cos",
    "Div": "div",
    "Equal": "eq",
    "Erf": "erf",
    "Exp": "exp",
    "Floor": "floor",
    "Greater": "gt",
    "GreaterOrEqual": "ge",
    "IsNaN": "isnan",
    "Less": "lt",
    "LessOrEqual": "le",
    "Log": "log",
    "Mul": "mul",
    "Neg": "neg",
    "Not": "not",
    "Or": "or",
    "Round": "round",
    "Sigmoid": "sigmoid",
    "Sign": "sign",
    "Sin": "sin",
    "Sqrt": "sqrt",
    "Sub": "sub",
    "Tanh": "tanh",
    "Xor": "xor",
}
_LOGICAL = frozenset({"And", "Or", "Xor", "Not"})
_BINARY = frozenset(
    {"Add", "And", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater", "GreaterOrEqual"}
)
_BINARY |= {"Less", "LessOrEqual", "Mul", "Or", "Sub", "Xor"}


@lowers(*_DIRECT)
def direct(ctx: Context, node: Node) -> Value:
    """Operators that are one scalar operation."""
    values = [node[0], node[1]] if node.op in _BINARY else [node[0]]
    same_type(node, *values)
    if node.op in ("Ceil", "Floor", "Round") and not values[0].dtype.is_float:
        node.refuse(f"element type {values[0].dtype}")
    if (node.op in _LOGICAL) != (values[0].dtype is DType.BOOL) and _DIRECT[node.op] in ("and", "or", "xor", "not"):
        node.refuse(f"element type {values[0].dtype}")
    result = DType.BOOL if _DIRECT[node.op] in ("eq", "lt", "le", "gt", "ge", "isnan") else values[0].dtype
    return ctx.map(_DIRECT[node.op], *values, dtype=result)


def same_type(node: Node, *values: Value) -> DType:
    """The common element type of `values`. Refuses mixed types."""
    types = {v.dtype for v in values}
    if len(types) != 1:
        node.refuse(f"mixed element types {sorted(types)}")
    return types.pop()


@lowers("Min", "Max", "Sum", "Mean")
def variadic(ctx: Context, node: Node) -> Value:
    """Left to right; Mean divides the sum by the number of inputs."""
    values = [node[n] for n in range(len(node.inputs))]
    dtype = same_type(node, *values)
    op = {"Min": "min", "Max": "max"}.get(node.op, "add")
    result = values[0]
    for value in values[1:]:
        result = ctx.map(op, result, value, dtype=dtype)
    return ctx.map("div", result, ctx.real(len(values), result), dtype=dtype) if node.op == "Mean" else result


@lowers("BitShift")
def shift(ctx: Context, node: Node) -> Value:
    """Logical shifts of unsigned integers."""
    dtype = same_type(node, node[0], node[1])
    direction = node.text("direction")
    if direction not in ("LEFT", "RIGHT"):
        node.refuse(f"direction {direction!r}")
    return ctx.map("shl" if direction == "LEFT" else "shr", node[0], node[1], dtype=dtype)


@lowers("Reciprocal")
def reciprocal(ctx: Context, node: Node) -> Value:
    """1 / x."""
    return ctx.map("div", ctx.real(1, node[0]), node[0], dtype=node[0].dtype)


@lowers("Relu")
def relu(ctx: Context, node: Node) -> Value:
    """max(x, 0); NaN stays."""
    return ctx.map("max", node[0], ctx.real(0, node[0]), dtype=node[0].dtype)


@lowers("LeakyRelu")
def leaky_relu(ctx: Context, node: Node) -> Value:
    """x below zero is multiplied by alpha."""
    x = node[0]
    return _below_zero(ctx, x, ctx.map("mul", x, ctx.real(node.real("alpha", 0.01), x), dtype=x.dtype))


@lowers("PRelu")
def prelu(ctx: Context, node: Node) -> Value:
    """x below zero is multiplied by the slope, which broadcasts to x."""
    same_type(node, node[0], node[1])
    return _below_zero(ctx, node[0], ctx.map("mul", node[0], node[1], dtype=node[0].dtype))


def _below_zero(ctx: Context, x: Value, otherwise: Value) -> Value:
    return ctx.map("select", ctx.map("lt", x, ctx.real(0, x)), otherwise, x, dtype=x.dtype)


@lowers("Elu", "Celu", "Selu")
def elu(ctx: Context, node: Node) -> Value:
    """alpha·(exp(x) - 1) below zero; Celu divides x by alpha first; Selu multiplies the whole by gamma."""
    x = node[0]
    alpha = node.real("alpha", 1.67326319217681884765625 if node.op == "Selu" else 1.0)
    inner = ctx.map("div", x, ctx.real(alpha, x), dtype=x.dtype) if node.op == "Celu" else x
    below = ctx.map("sub", ctx.map("exp", inner), ctx.real(1, x), dtype=x.dtype)
    result = _below_zero(ctx, x, ctx.map("mul", below, ctx.real(alpha, x), dtype=x.dtype))
    if node.op == "Selu":
        gamma = node.real("gamma", 1.05070102214813232421875)
        result = ctx.map("mul", result, ctx.real(gamma, x), dtype=x.dtype)
    return result


def softplus(ctx: Context, x: Value) -> Value:
    """max(x, 0) + log(1 + exp(-|x|)), which does not overflow."""
    small = ctx.map("exp", ctx.map("neg", ctx.map("abs", x)))
    rest = ctx.map("log", ctx.map("add", small, ctx.real(1, x), dtype=x.dtype))
    return ctx.map("add", ctx.map("max", x, ctx.real(0, x), dtype=x.dtype), rest, dtype=x.dtype)


@lowers("Softplus", "Mish")
def soft_plus(ctx: Context, node: Node) -> Value:
    """softplus(x); Mish is x·tanh(softplus(x))."""
    x = node[0]
    result = softplus(ctx, x)
    return result if node.op == "Softplus" else ctx.map("mul", x, ctx.map("tanh", result), dtype=x.dtype)


@lowers("Softsign")
def softsign(ctx: Context, node: Node) -> Value:
    """x / (1 + |x|)."""
    x = node[0]
    return ctx.map("div", x, ctx.map("add", ctx.map("abs", x), ctx.real(1, x), dtype=x.dtype), dtype=x.dtype)


@lowers("HardSigmoid", "HardSwish")
def hard_sigmoid(ctx: Context, node: Node) -> Value:
    """max(0, min(1, alpha·x + beta)); HardSwish is x times that with alpha = 1/6, beta = 0.5."""
    x, swish = node[0], node.op == "HardSwish"
    alpha, beta = (1 / 6, 0.5) if swish else (node.real("alpha", 0.2), node.real("beta", 0.5))
    line = ctx.map("mul", x, ctx.real(alpha, x), dtype=x.dtype)
    line = ctx.map("add", line, ctx.real(beta, x), dtype=x.dtype)
    gate = ctx.map("max", ctx.map("min", line, ctx.real(1, x), dtype=x.dtype), ctx.real(0, x), dtype=x.dtype)
    return ctx.map("mul", x, gate, dtype=x.dtype) if swish else gate


@lowers("Swish")
def swish(ctx: Context, node: Node) -> Value:
    """x·sigmoid(alpha·x)."""
    x, alpha = node[0], node.real("alpha", 1.0)
    inner = x if alpha == 1.0 else ctx.map("mul", x, ctx.real(alpha, x), dtype=x.dtype)
    return ctx.map("mul", x, ctx.map("sigmoid", inner), dtype=x.dtype)


@lowers("ThresholdedRelu")
def thresholded_relu(ctx: Context, node: Node) -> Value:
    """x above alpha, else 0."""
    x = node[0]
    above = ctx.map("gt", x, ctx.real(node.real("alpha", 1.0), x))
    return ctx.map("select", above, x, ctx.real(0, x), dtype=x.dtype)


@lowers("Gelu")
def gelu(ctx: Context, node: Node) -> Value:
    """x/2·(1 + erf(x/√2)), or with approximate="tanh" x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))."""
    x = node[0]
    how = node.text("approximate", "none")
    if how == "none":
        inner = ctx.map("erf", ctx.map("mul", x, ctx.real(math.sqrt(0.5), x), dtype=x.dtype))
    elif how == "tanh":
        cube = ctx.map("mul", ctx.map("mul", x, x), x)
        sum_ = ctx.map("add", x, ctx.map("mul", cube, ctx.real(0.044715, x), dtype=x.dtype))
        inner = ctx.map("tanh", ctx.map("mul", sum_, ctx.real(math.sqrt(2 / math.pi), x), dtype=x.dtype))
    else:
        node.refuse(f"approximate={how!r}")
    half = ctx.map("mul", x, ctx.real(0.5, x), dtype=x.dtype)
    return ctx.map("mul", half, ctx.map("add", inner, ctx.real(1, x), dtype=x.dtype), dtype=x.dtype)


@lowers("Shrink")
def shrink(ctx: Context, node: Node) -> Value:
    """x + bias below -lambd, x - bias above lambd, else 0."""
    x, bias, edge = node[0], node.real("bias", 0.0), node.real("lambd", 0.5)
    lower = ctx.map("lt", x, ctx.real(-edge, x), dtype=DType.BOOL)
    added = ctx.map("add", x, ctx.real(bias, x), dtype=x.dtype)
    taken = ctx.map("sub", x, ctx.real(bias, x), dtype=x.dtype)
    upper = ctx.map("lt", ctx.real(edge, x), x, dtype=DType.BOOL)
    inner = ctx.map("select", upper, taken, ctx.real(0, x), dtype=x.dtype)
    return ctx.map("select", lower, added, inner, dtype=x.dtype)


@lowers("Clip")
def clip(ctx: Context, node: Node) -> Value:
    """min(max(x, low), high); either bound may be absent. NaN stays."""
    x = node[0]
    if node.version < 11:
        for name, op in (("min", "max"), ("max", "min")):
            if node.has(name):
                x = ctx.map(op, x, ctx.real(node.real(name), x), dtype=x.dtype)
        return x
    for position, op in ((1, "max"), (2, "min")):
        bound = node.get(position)
        if bound is not None:
            same_type(node, x, bound)
            if bound.count != 1:
                node.refuse("a bound is not a scalar")
            x = ctx.map(op, x, ctx.reshape(bound, ()), dtype=x.dtype)
    return x


@lowers("Where")
def where(ctx: Context, node: Node) -> Value:
    """The second input where the first is true, else the third."""
    if node[0].dtype is not DType.BOOL:
        node.refuse("the condition is not bool")
    dtype = same_type(node, node[1], node[2])
    return ctx.map("select", node[0], node[1], node[2], dtype=dtype)


@lowers("IsInf")
def is_inf(ctx: Context, node: Node) -> Value:
    """Infinity of either or one sign."""
    x, result = node[0], ctx.map("isinf", node[0])
    positive, negative = node.integer("detect_positive", 1), node.integer("detect_negative", 1)
    if positive and negative:
        return result
    if not positive and not negative:
        return ctx.full(False, DType.BOOL, x.shape)
    return ctx.map("and", result, ctx.map("gt" if positive else "lt", x, ctx.real(0, x)))


def cast(ctx: Context, value: Value, dtype: DType) -> Value:
    """The value in another element type, as scalar.py defines it; itself if it has that type."""
    return value if value.dtype is dtype else ctx.map("cast", value, dtype=dtype)


@lowers("Cast", "CastLike")
def cast_node(ctx: Context, node: Node) -> Value:
    """Float to integer saturates (NaN gives 0); integers wrap; anything non-zero is true."""
    if node.op == "CastLike":
        return cast(ctx, node[0], node[1].dtype)
    return cast(ctx, node[0], dtype_of(node.integer("to"), f"the result of {node.label}"))


@lowers("BitCast")
def bitcast(ctx: Context, node: Node) -> Value:
    """The same bits read as another type of the same width."""
    dtype = dtype_of(node.integer("to"), f"the result of {node.label}")
    if (node[0].dtype, dtype) in ((DType.BOOL, DType.UINT8), (DType.BOOL, DType.INT8)):
        return cast(ctx, node[0], dtype)
    if dtype.bits != node[0].dtype.bits or DType.BOOL in (dtype, node[0].dtype):
        node.refuse(f"{node[0].dtype} cannot be read as {dtype}")
    return ctx.map("bitcast", node[0], dtype=dtype)


@lowers("Dropout")
def dropout(ctx: Context, node: Node) -> list[Value]:
    """The identity: a program draws its random numbers with integer operators from `seed` and `step`."""
    x = node[0]
    if node.get(2) is not None and known_array(ctx, node, 2).any():
        ratio = 0.5 if node.get(1) is None else known_array(ctx, node, 1)
        if np.any(np.asarray(ratio) != 0):
            node.unsupported(
                "training mode with a ratio other than 0 draws random numbers",
                hint="Draw the mask with counter-based random numbers instead.",
            )
    mask = ctx.full(True, DType.BOOL, x.shape)
    return [x, cast(ctx, mask, x.dtype) if node.version < 10 else mask]
