"""Attention and what goes with it: ONNX's function bodies of version 1.23, kernel for kernel."""

from __future__ import annotations

import math

import numpy as np

from ..tensors import dtype_of
from ..types import DType
from .apply import Body
from .context import Context
from .elementwise import cast, same_type
from .node import Node, lowers
from .product import matmul
from .shape import concat
from .value import Value

__all__: list[str] = []

_F32 = DType.FLOAT32


def _numbers(ctx: Context, *values: float, dtype: DType = DType.INT64) -> Value:
    return ctx.constant(np.array(values, dtype.numpy))


def _by_heads(ctx: Context, node: Node, x: Value, attribute: str) -> Value:
    """(batch, heads, length, size) from that form, or from (batch, length, heads·size)."""
    if x.rank == 4:
        return x
    heads = node.integer(attribute, 0)
    if x.rank != 3 or heads < 1 or x.shape[2] % heads:
        node.refuse(f"{heads} heads ({attribute}) for shape {x.shape}")
    return ctx.reshape(x, (*x.shape[:2], heads, x.shape[2] // heads)).transpose((0, 2, 1, 3))


def _scaled(ctx: Context, node: Node, q: Value) -> Value:
    """√scale in the type of q: of 1 / √(head size) unless a scale is given."""
    if node.has("scale"):
        scale = ctx.scalar(node.real("scale"), _F32)
    else:
        size = cast(ctx, _numbers(ctx, q.shape[3]), _F32)
        scale = ctx.map("div", _numbers(ctx, 1, dtype=_F32), ctx.map("sqrt", size), dtype=_F32)
    return cast(ctx, ctx.map("sqrt", scale), q.dtype)


def _bias(ctx: Context, node: Node, steps: int, total: int) -> Value:
    """The mask as a bias: what is masked is -inf; padded at the end with -inf since version 24."""
    mask = node.get(3)
    if mask is None:
        return ctx.full(0, _F32, (steps, total))
    if mask.dtype is DType.BOOL:
        zero, low = _numbers(ctx, 0, dtype=_F32), _numbers(ctx, -math.inf, dtype=_F32)
        mask = ctx.map("select", mask, zero, low, dtype=_F32)
    if node.version < 24 or mask.shape[-1] == total:
        return mask
    pads = _numbers(ctx, 0, total - mask.shape[-1])
    return Body(ctx, node)(
        "Pad", mask, pads, ctx.constant(np.array([-np.inf]).astype(mask.dtype.numpy)), _numbers(ctx, -1)
    )


def _positions(ctx: Context, node: Node, steps: int, total: int, past: Value) -> tuple[Value, Value]:
    """Absolute positions of queries, as rows, and of keys, as columns; per example where `past` differs."""
    body = Body(ctx, node)
    zero, one = ctx.constant(np.array(0, np.int64)), ctx.constant(np.array(1, np.int64))
    rows = body("Range", zero, ctx.constant(np.array(steps, np.int64)), one).insert(1)
    columns = body("Range", zero, ctx.constant(np.array(total, np.int64)), one).insert(0)
    if node.get(6) is not None:
        rows, columns = rows.insert(0).insert(0), columns.insert(0).insert(0)
        past = past.insert(1).insert(2).insert(3)
    return body("Add", rows, past), columns


def _masked(ctx: Context, node: Node, bias: Value, hidden: Value) -> Value:
    """The bias plus -inf where `hidden` holds and 0 elsewhere."""
    body, low, zero = Body(ctx, node), _numbers(ctx, -math.inf, dtype=_F32), _numbers(ctx, 0, dtype=_F32)
    return ctx.map("add", bias, cast(ctx, body("Where", hidden, low, zero), bias.dtype), dtype=bias.dtype)


def _windowed(ctx: Context, node: Node, bias: Value, steps: int, total: int, past: Value) -> Value:
    """Keys more than left_window_size behind, or right_window_size ahead, are masked."""
    left, right = node.integer("left_window_size", -1), node.integer("right_window_size", -1)
    if left < 0 and right < 0:
        return bias
    body = Body(ctx, node)
    rows, columns = _positions(ctx, node, steps, total, past)
    distance = body("Sub", rows, columns)
    seen = None
    if left >= 0:
        seen = body("LessOrEqual", distance, ctx.scalar(left, DType.INT64))
    if right >= 0:
        near = body("LessOrEqual", body("Neg", distance), ctx.scalar(right, DType.INT64))
        seen = near if seen is None else body("And", seen, near)
    zero, low = _numbers(ctx, 0, dtype=_F32), _numbers(ctx, -math.inf, dtype=_F32)
    mask = cast(ctx, body("Where", seen, zero, low), bias.dtype)
    return ctx.map("add", bias, mask, dtype=bias.dtype)


def _padding(ctx: Context, node: Node, bias: Value, keys: int, valid: Value) -> Value:
    """Keys from each example's valid length on are masked."""
    body = Body(ctx, node)
    zero, one = ctx.constant(np.array(0, np.int64)), ctx.constant(np.array(1, np.int64))
    columns = body("Range", zero, ctx.constant(np.array(keys, np.int64)), one)
    inside = body("Less", columns, valid.insert(1))
    mask = body("Where", inside, _numbers(ctx, 0, dtype=_F32), _numbers(ctx, -math.inf, dtype=_F32))
    return ctx.map("add", bias, cast(ctx, mask.insert(1).insert(1), bias.dtype), dtype=bias.dtype)


def _repeated(ctx: Context, node: Node, x: Value, heads: int) -> Value:
    """Each key or value head for as many query heads as share it."""
    batch, own, length, size = x.shape
    if heads % own:
        node.refuse(f"{heads} query heads for {own} key heads")
    return ctx.reshape(x.insert(2).expand((batch, own, heads // own, length, size)), (batch, heads, length, size))


@lowers("Attention")
def attention(ctx: Context, node: Node) -> list[Value]:
    """softmax((Q·√scale)·(K·√scale)ᵀ, capped, + bias)·V; rows that are masked throughout give 0; ONNX's function body."""
    q = _by_heads(ctx, node, node[0], "q_num_heads")
    k, v = (_by_heads(ctx, node, node[n], "kv_num_heads") for n in (1, 2))
    dtype, steps = same_type(node, q, k), q.shape[2]
    keys, scale, valid = k.shape[2], _scaled(ctx, node, q), node.get(6)
    past = _numbers(ctx, 0)
    if node.get(4) is not None:
        past = _numbers(ctx, node[4].shape[2])
        k, v = concat(ctx, [node[4], k], 2), concat(ctx, [node[5], v], 2)
    elif valid is not None:
        past = ctx.map("sub", valid, _numbers(ctx, steps), dtype=DType.INT64)
    total = k.shape[2]
    bias = _bias(ctx, node, steps, total)
    if node.integer("is_causal", 0):
        rows, columns = _positions(ctx, node, steps, total, past)
        bias = _masked(ctx, node, bias, Body(ctx, node)("Less", rows, columns))
    bias = _windowed(ctx, node, bias, steps, total, past)
    if valid is not None:
        bias = _padding(ctx, node, bias, keys, valid)
    wide_k, wide_v = (_repeated(ctx, node, x, q.shape[1]) for x in (k, v))
    scores, shown = _scores(ctx, node, q, wide_k.transpose((0, 1, 3, 2)), scale, cast(ctx, bias, dtype))
    result = matmul(ctx, scores, wide_v)
    if node[0].rank == 3:
        result = ctx.reshape(result.transpose((0, 2, 1, 3)), (q.shape[0], steps, q.shape[1] * v.shape[3]))
    return [result, k, v, shown]


def _scores(ctx: Context, node: Node, q: Value, k: Value, scale: Value, bias: Value) -> tuple[Value, Value]:
    """The probabilities, and what the mode for the fourth output selects on the way there."""
    dtype, mode = q.dtype, node.integer("qk_matmul_output_mode", 0)
    if q.shape[3] != k.shape[2] or mode not in range(4):
        node.refuse(f"heads of {q.shape[3]} and {k.shape[2]}, mode {mode}")
    product = matmul(ctx, ctx.map("mul", q, scale, dtype=dtype), ctx.map("mul", k, scale, dtype=dtype))
    capped, cap = product, node.real("softcap", 0.0)
    if cap != 0.0:
        limit = cast(ctx, _numbers(ctx, cap, dtype=_F32), dtype)
        capped = ctx.map("mul", ctx.map("tanh", ctx.map("div", product, limit, dtype=dtype)), limit, dtype=dtype)
    biased = ctx.map("add", capped, bias, dtype=dtype)
    precision = dtype
    if node.integer("softmax_precision", 0):
        precision = dtype_of(node.integer("softmax_precision"), f"the softmax of {node.label}")
    body = Body(ctx, node)
    weights = cast(ctx, body("Softmax", cast(ctx, biased, precision)), dtype)
    lowest = body("ReduceMax", bias, _numbers(ctx, -1))
    hidden = ctx.map("eq", lowest, ctx.constant(np.array([-np.inf]).astype(dtype.numpy)))
    weights = ctx.map("select", hidden, ctx.constant(np.array([0]).astype(dtype.numpy)), weights, dtype=dtype)
    return weights, (product, capped, biased, weights)[mode]


@lowers("RotaryEmbedding")
def rotary(ctx: Context, node: Node) -> Value:
    """(cos·x₁ - sin·x₂, sin·x₁ + cos·x₂) over halves or pairs of each head; ONNX's function body."""
    x, cos, sin = node[0], node[1], node[2]
    dtype, heads = same_type(node, x, cos, sin), node.integer("num_heads", 0)
    if x.rank == 4:
        rows = x.transpose((0, 2, 1, 3))
    elif x.rank == 3 and heads > 0 and x.shape[2] % heads == 0:
        rows = ctx.reshape(x, (*x.shape[:2], heads, x.shape[2] // heads))
    else:
        node.refuse(f"{heads} heads for shape {x.shape}")
    size = node.integer("rotary_embedding_dim", 0) or rows.shape[3]
    if not 0 < size <= rows.shape[3] or size % 2:
        node.refuse(f"rotary_embedding_dim {size} for heads of {rows.shape[3]}")
    if node.get(3) is not None:
        body = Body(ctx, node)
        cos, sin = body("Gather", cos, node[3]), body("Gather", sin, node[3])
    if cos.rank != 3 or sin.shape != cos.shape or cos.shape[2] < size // 2:
        node.refuse(f"caches of shape {cos.shape} and {sin.shape}")
    cos, sin = (c.slice(2, 0, size // 2).insert(2) for c in (cos, sin))
    pairs, rest = bool(node.integer("interleaved", 0)), rows.slice(3, size, rows.shape[3] - size)
    first = rows.slice(3, 0, size // 2, 2 if pairs else 1)
    second = rows.slice(3, 1 if pairs else size // 2, size // 2, 2 if pairs else 1)
    real = ctx.map("sub", ctx.map("mul", cos, first), ctx.map("mul", sin, second), dtype=dtype)
    imaginary = ctx.map("add", ctx.map("mul", sin, first), ctx.map("mul", cos, second), dtype=dtype)
    if pairs:
        turned = ctx.reshape(concat(ctx, [real.insert(4), imaginary.insert(4)], 4), (*rows.shape[:3], size))
    else:
        turned = concat(ctx, [real, imaginary], 3)
    result = concat(ctx, [turned, rest], 3)
    return ctx.reshape(result.transpose((0, 2, 1, 3)) if x.rank == 4 else result, x.shape)


@lowers("SwiGLU")
def swiglu(ctx: Context, node: Node) -> Value:
    """swish(a)·b."""
    gate = Body(ctx, node)("Swish", node[0], alpha=node.real("alpha", 1.0))
    return ctx.map("mul", gate, node[1], dtype=same_type(node, node[0], node[1]))


@lowers("LinearAttention")
def linear_attention(ctx: Context, node: Node) -> list[Value]:
    """Per step in binary32: state·exp(decay), plus key ⊗ (value or beta·(value - stateᵀ·key)), read by scale·query; unrolled."""
    rule = node.text("update_rule", "gated_delta")
    if rule not in ("linear", "gated", "delta", "gated_delta"):
        node.refuse(f"update_rule {rule!r}")
    q_heads, heads = node.integer("q_num_heads"), node.integer("kv_num_heads")
    if min(q_heads, heads) < 1 or q_heads % heads or any(node[n].rank != 3 for n in range(3)):
        node.refuse(f"{q_heads} query heads for {heads} key heads")
    batch, steps, _ = node[0].shape
    if steps * 8 > ctx.limits.kernels:
        node.refuse(f"{steps} steps are too many to unroll", limit=ctx.limits.kernels)
    if ("gated" in rule) != (node.get(4) is not None) or ("delta" in rule) != (node.get(5) is not None):
        node.refuse(f"update_rule {rule!r} with other inputs than decay and beta for it")
    q, k, v = (_steps(ctx, node, node[n], h) for n, h in ((0, q_heads), (1, heads), (2, heads)))
    decay = None if node.get(4) is None else _steps(ctx, node, node[4], heads)
    beta = None if node.get(5) is None else _steps(ctx, node, node[5], node[5].shape[2])
    past, shape = node.get(3), (batch, heads, k.shape[3], v.shape[3])
    if past is not None and past.shape != shape:
        node.refuse(f"a state of shape {past.shape}, expected {shape}")
    state = ctx.full(0, _F32, shape) if past is None else cast(ctx, past, _F32)
    scale = ctx.scalar(node.real("scale", 0.0), _F32)
    if not node.real("scale", 0.0):
        scale = ctx.map("div", ctx.scalar(1, _F32), ctx.map("sqrt", ctx.scalar(k.shape[3], _F32)), dtype=_F32)
    outputs = []
    for at in range(steps):
        now = [None if x is None else x.slice(0, at, 1).drop(0) for x in (q, k, v, decay, beta)]
        state = _updated(ctx, state, now[1:])
        assert now[0] is not None
        read = _repeated(ctx, node, state, q_heads)
        outputs.append(ctx.map("mul", matmul(ctx, now[0].insert(2), read), scale, dtype=_F32).transpose((0, 2, 1, 3)))
    result = concat(ctx, outputs, 1) if outputs else ctx.full(0, _F32, (batch, 0, q_heads, v.shape[3]))
    flat = ctx.reshape(result, (batch, steps, q_heads * v.shape[3]))
    return [cast(ctx, flat, node[0].dtype), cast(ctx, state, node[0].dtype if past is None else past.dtype)]


def _steps(ctx: Context, node: Node, x: Value, heads: int) -> Value:
    """(steps, batch, heads, size) in binary32 from (batch, steps, heads·size)."""
    if x.rank != 3 or heads < 1 or x.shape[2] % heads:
        node.refuse(f"{heads} heads for shape {x.shape}")
    return cast(ctx, ctx.reshape(x, (*x.shape[:2], heads, x.shape[2] // heads)).transpose((1, 0, 2, 3)), _F32)


def _updated(ctx: Context, state: Value, now: list[Value | None]) -> Value:
    """The state after one step, from its key, value, decay and beta (batch, heads, size)."""
    key, value, decay, beta = now
    assert key is not None
    assert value is not None
    if decay is not None:
        state = ctx.map("mul", state, ctx.map("exp", decay).insert(3), dtype=_F32)
    if beta is not None:
        found = matmul(ctx, key.insert(2), state).drop(2)
        value = ctx.map("mul", beta, ctx.map("sub", value, found, dtype=_F32), dtype=_F32)
    return ctx.map("add", state, ctx.map("mul", key.insert(3), value.insert(2), dtype=_F32), dtype=_F32)
