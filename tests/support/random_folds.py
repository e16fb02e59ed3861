"""Families of random nodes that fold: reductions, products, windows, norms, and the patterns of training steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from random_nodes import F32, family, names, types
from random_programs import FLOATS, LIMIT, Graph, Shape, Value

from assay.program.types import DType

__all__: list[str] = []

REDUCTIONS = [f"Reduce{n}" for n in names("Sum Mean Max Min Prod SumSquare L1 L2 LogSum LogSumExp Sum Mean Max")]


@family(10)
def reduce(g: Graph) -> None:
    op = g.random.choice(REDUCTIONS)
    x = g.pick([d for d in types(op) if d.is_float or op in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd")])
    keep = g.random.randint(0, 1)
    if g.random.random() < 0.15 or not x.rank:
        g.add(op, [x], keepdims=keep, noop_with_empty_axes=int(g.random.random() < 0.3))
        return
    axes = g.random.sample(range(x.rank), g.random.randint(1, x.rank))
    axes = [a - x.rank if g.random.random() < 0.3 else a for a in axes]
    g.add(op, [x, g.constant(axes)], keepdims=keep)


@family(3)
def position(g: Graph) -> None:
    op = g.random.choice(["ArgMax", "ArgMin"])
    x = g.pick(types(op), 1)
    axis, last = g.random.randrange(x.rank), g.random.randint(0, 1)
    g.add(op, [x], axis=axis, keepdims=g.random.randint(0, 1), select_last_index=last)


@family(2)
def running_sum(g: Graph) -> None:
    x = g.pick(types("CumSum"), 1, limit=1000)
    axis = g.constant(np.array(g.random.randrange(x.rank), np.int64))
    g.add("CumSum", [x, axis], exclusive=g.random.randint(0, 1), reverse=g.random.randint(0, 1))


def matrix(g: Graph, dtype: DType, batch: Shape, rows: int, columns: int) -> Value:
    """A (batched) matrix: a value of the graph if one fits, else an input; some lie transposed."""
    wanted = (*batch, rows, columns)
    known = [v for v in g.values if v.dtype is dtype and v.shape == wanted]
    if known and g.random.random() < 0.8:
        return g.random.choice(known)
    known = [v for v in g.values if v.dtype is dtype and v.shape == (*batch, columns, rows)]
    if g.random.random() < 0.3 or known:
        source = g.random.choice(known) if known else g.either(dtype, (*batch, columns, rows))
        last = len(batch)
        return g.add("Transpose", [source], perm=[*range(last), last + 1, last])[0]
    return g.either(dtype, wanted)


@family(9)
def product(g: Graph) -> Value:
    a = g.pick(FLOATS if g.random.random() < 0.3 else F32, 1, 4, limit=4 * LIMIT)
    if g.random.random() < 0.2 or a.rank < 2:
        shape = (g.random.choice([2, 3]),) * (g.random.random() < 0.3)
        a = matrix(g, a.dtype, shape, g.random.choice([1, 3, 8, 20, 65, 130]), g.random.choice([1, 5, 64, 100, 257]))
    batch = a.shape[:-2] if g.random.random() < 0.5 else ()
    columns = g.random.choice([1, 4, 10, 16, 33, 48, 100, 130])
    return g.add("MatMul", [a, matrix(g, a.dtype, batch, a.shape[-1], columns)])[0]


@family(4)
def gemm(g: Graph) -> None:
    a = g.pick(FLOATS if g.random.random() < 0.3 else F32, 2, 2)
    left, right = g.random.randint(0, 1), g.random.randint(0, 1)
    rows, terms = reversed(a.shape) if left else a.shape
    columns = g.random.choice([1, 4, 10, 16, 33, 100])
    b = matrix(g, a.dtype, (), *((columns, terms) if right else (terms, columns)))
    c = (
        [g.either(a.dtype, g.random.choice([(), (columns,), (rows, 1), (rows, columns)]))]
        if g.random.random() < 0.8
        else []
    )
    alpha, beta = g.random.choice([1.0, 0.5, -0.3]), g.random.choice([1.0, 0.25])
    g.add("Gemm", [a, b, *c], transA=left, transB=right, alpha=alpha, beta=beta)


def image(g: Graph, dtypes: list[DType], most: int = 3) -> Value:
    """(images, channels, *spatial)."""
    x = g.pick(dtypes, 3, 2 + most, limit=LIMIT)
    if x.shape[1] > 40:
        x = g.input(x.dtype, (g.random.choice([1, 2, 3]), g.random.choice([1, 2, 3, 6]), *_spatial(g, most)))
    return x


def _spatial(g: Graph, most: int) -> Shape:
    rank = g.random.choice([1, 2, 2, 2, 2, 3][: 5 if most < 3 else 6])
    return tuple(g.random.choice([1, 3, 5, 7, 8, 12, 17]) for _ in range(rank)) if rank < 3 else (4, 3, 5)


def windows(g: Graph, x: Value, small: bool = False) -> tuple[Shape, dict[str, Any]]:
    """A kernel size that fits into x, and strides, dilations and pads (pads below the kernel's size)."""
    spatial = x.shape[2:]
    size = tuple(g.random.choice([1, 2, 3, 3, 5]) for _ in spatial)
    size = tuple(min(k, d) for k, d in zip(size, spatial, strict=True))
    room = [(d - 1) // max(1, k - 1) if k > 1 else 1 for k, d in zip(size, spatial, strict=True)]
    dilations = [g.random.choice([1, 1, min(2, r)]) if r else 1 for r in room]
    attributes: dict[str, Any] = {"strides": [g.random.choice([1, 1, 2, 3]) for _ in spatial], "dilations": dilations}
    if g.random.random() < 0.2:
        how = "VALID" if max(dilations) > 1 else g.random.choice(["SAME_UPPER", "SAME_LOWER", "VALID"])
        attributes["auto_pad"] = how
    else:
        attributes["pads"] = [g.random.randint(0, k // 2 if small else k - 1) for k in (*size, *size)]
    return size, attributes


@family(7)
def conv(g: Graph) -> Value:
    x = image(g, FLOATS if g.random.random() < 0.2 else F32)
    size, attributes = windows(g, x)
    group = g.random.choice(
        [n for n in range(1, x.shape[1] + 1) if x.shape[1] % n == 0] if g.random.random() < 0.3 else [1]
    )
    filters = group * g.random.choice([1, 2, 4, 16] if group < 5 else [1, 2])
    w = g.either(x.dtype, (filters, x.shape[1] // group, *size))
    bias = [g.either(x.dtype, (filters,))] if g.random.random() < 0.6 else []
    return g.add("Conv", [x, w, *bias], group=group, **attributes)[0]


@family(4)
def conv_transpose(g: Graph) -> None:
    x = image(g, F32)
    group = g.random.choice(
        [n for n in range(1, x.shape[1] + 1) if x.shape[1] % n == 0] if g.random.random() < 0.3 else [1]
    )
    size = tuple(g.random.choice([1, 2, 3, 4]) for _ in x.shape[2:])
    strides, dilations = ([g.random.choice([1, 1, 2, n]) for _ in size] for n in (3, 2))
    pads, extra = [0] * (2 * len(size)), [0] * len(size)
    for n, (d, k, s, l) in enumerate(zip(x.shape[2:], size, strides, dilations, strict=True)):
        extra[n] = g.random.randint(0, s - 1)
        full = s * (d - 1) + (k - 1) * l + 1 + extra[n]
        pads[n] = g.random.randint(0, min(k - 1, full - 1))
        pads[n + len(size)] = g.random.randint(0, min(k - 1, full - 1 - pads[n]))
    filters = g.random.choice([1, 2, 3])
    w = g.either(x.dtype, (x.shape[1], filters, *size))
    bias = [g.either(x.dtype, (filters * group,))] if g.random.random() < 0.5 else []
    g.add(
        "ConvTranspose",
        [x, w, *bias],
        group=group,
        strides=strides,
        dilations=dilations,
        pads=pads,
        output_padding=extra,
    )


@family(5)
def pool(g: Graph) -> None:
    op = g.random.choice(["MaxPool", "MaxPool", "AveragePool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"])
    x = image(g, [DType.FLOAT32, DType.FLOAT32, *(d for d in types(op) if d.is_float)])
    if op.startswith("Global"):
        g.add(op, [x])
        return
    size, attributes = windows(g, x, small=True)
    attributes["ceil_mode"] = int(g.random.random() < 0.3 and "pads" in attributes)
    if op == "AveragePool":
        g.add(op, [x], kernel_shape=size, count_include_pad=g.random.randint(0, 1), **attributes)
    else:
        g.add(op, [x], g.random.choice([1, 1, 2]), kernel_shape=size, **attributes)


@family(6)
def normalise(g: Graph) -> None:
    op = g.random.choice(["Softmax", "LogSoftmax", "LayerNormalization", "RMSNormalization", "Softmax"])
    x = g.pick(FLOATS if g.random.random() < 0.3 else F32, 1)
    axis = g.random.choice([-1, g.random.randrange(x.rank)])
    if "Softmax" in op:
        g.add(op, [x], axis=axis)
        return
    rest = x.shape[axis:]
    scale, bias = g.either(x.dtype, rest), [g.either(x.dtype, rest)] if op[0] == "L" and g.random.random() < 0.7 else []
    outputs = g.random.choice([1, 3]) if op[0] == "L" else 1
    g.add(op, [x, scale, *bias], outputs, axis=axis, epsilon=g.random.choice([1e-5, 1e-3]))


@family(4)
def normalise_channels(g: Graph) -> None:
    x = image(g, F32)
    n = x.shape[1]
    vectors = [g.either(x.dtype, (n,)) for _ in range(2)]
    kind = g.random.randrange(5)
    if kind == 0:
        spread = g.either(x.dtype, (n,), np.abs(g.data(x.dtype, (n,))))
        g.add("BatchNormalization", [x, *vectors, g.either(x.dtype, (n,)), spread])
    elif kind == 1:
        running = [g.either(x.dtype, (n,)) for _ in range(2)]
        g.add("BatchNormalization", [x, *vectors, *running], 3, training_mode=1, momentum=0.9)
    elif kind == 2:
        g.add("InstanceNormalization", [x, *vectors])
    elif kind == 3:
        groups = g.random.choice([k for k in range(1, n + 1) if n % k == 0])
        g.add("GroupNormalization", [x, *vectors], num_groups=groups)
    else:
        g.add("MeanVarianceNormalization", [x], axes=g.random.choice([[0, 2], [1], [2], [1, 2]]))


@family(2)
def norms(g: Graph) -> None:
    op = g.random.choice(["LpNormalization", "Hardmax", "LRN", "GlobalLpPool", "CumProd"])
    x = image(g, F32) if op in ("LRN", "GlobalLpPool") else g.pick(F32, 1)
    if op == "LpNormalization":
        g.add(op, [x], axis=g.random.randrange(x.rank), p=g.random.choice([1, 2]))
    elif op == "Hardmax":
        g.add(op, [x], axis=g.random.randrange(x.rank))
    elif op == "LRN":
        g.add(op, [x], size=g.random.choice([1, 3, 5]), alpha=0.01, beta=0.75, bias=1.0)
    elif op == "GlobalLpPool":
        g.add(op, [x], p=g.random.choice([1, 2]))
    elif x.size <= 1000:
        axis = g.constant(np.array(g.random.randrange(x.rank), np.int64))
        g.add(op, [x, axis], exclusive=g.random.randint(0, 1), reverse=g.random.randint(0, 1))


EQUATIONS = [
    "ij,jk->ik",
    "bij,bkj->bik",
    "ij,ij->i",
    "ij->ji",
    "bhid,bhjd->bhij",
    "ii->i",
    "i,j->ij",
    "ij->",
    "abc,cd,bd->a",
]


@family(2)
def einsum(g: Graph) -> None:
    equation = g.random.choice(EQUATIONS)
    extents = {letter: g.random.choice([1, 2, 3, 5, 8, 17]) for letter in equation if letter.isalpha()}
    shapes = [tuple(extents[c] for c in part) for part in equation.split("->")[0].split(",")]
    g.add("Einsum", [g.either(DType.FLOAT32, shape) for shape in shapes], equation=equation)


@family(2)
def recurrent(g: Graph) -> None:
    op, gates = g.random.choice([("RNN", 1), ("GRU", 3), ("LSTM", 4)])
    steps, batch, width, hidden = (g.random.choice(c) for c in ([1, 3, 6], [1, 2, 5], [1, 4, 9], [1, 3, 8]))
    way = g.random.choice(["forward", "reverse", "bidirectional"])
    n = 2 if way == "bidirectional" else 1
    x = g.input(DType.FLOAT32, (steps, batch, width))
    weights = [g.either(DType.FLOAT32, (n, gates * hidden, k)) for k in (width, hidden)]
    bias = g.either(DType.FLOAT32, (n, 2 * gates * hidden)) if g.random.random() < 0.7 else None
    more = {"linear_before_reset": g.random.randint(0, 1)} if op == "GRU" else {}
    g.add(op, [x, *weights, bias], 3 if op == "LSTM" else 2, hidden_size=hidden, direction=way, **more)


@family(2)
def quantised(g: Graph) -> None:
    kind = g.random.choice([DType.UINT8, DType.INT8])
    if g.random.random() < 0.4:
        rows, terms, columns = (g.random.choice([1, 3, 8, 33]) for _ in range(3))
        a, b = g.either(kind, (rows, terms)), g.either(g.random.choice([DType.UINT8, DType.INT8]), (terms, columns))
        zeros = [g.either(v.dtype, ()) for v in (a, b)] if g.random.random() < 0.5 else []
        g.add("MatMulInteger", [a, b, *zeros])
        return
    x = g.pick(F32)
    scale = g.constant(np.array(g.random.choice([0.5, 0.01, 0.1]), np.float32))
    zero = g.constant(np.array(g.random.choice([0, 3, 100]), kind.numpy))
    g.add("DequantizeLinear", [g.add("QuantizeLinear", [x, scale, zero])[0], scale, zero])


@family(1)
def columns(g: Graph) -> None:
    """Col2Im: overlapping blocks of columns added up into images."""
    block, size, stride = g.random.choice([1, 2, 3]), g.random.choice([4, 5, 7]), g.random.choice([1, 2])
    places = ((size - block) // stride + 1) ** 2
    x = g.input(DType.FLOAT32, (g.random.choice([1, 2]), 3 * block * block, places))
    g.add("Col2Im", [x, g.constant([size, size]), g.constant([block, block])], strides=[stride, stride])


@family(2)
def loss(g: Graph) -> None:
    rows, classes = g.random.choice([1, 4, 17]), g.random.choice([2, 10, 33])
    scores = g.input(DType.FLOAT32, (rows, classes))
    target = np.array([g.random.randrange(classes) for _ in range(rows)])
    more = {"ignore_index": int(target[0])} if g.random.random() < 0.3 and rows > 1 and len(set(target)) > 1 else {}
    how = g.random.choice(["mean", "sum", "none"])
    g.add("SoftmaxCrossEntropyLoss", [scores, g.either(DType.INT64, (rows,), target)], reduction=how, **more)


@family(2)
def attention_node(g: Graph) -> None:
    batch, heads, length, d = (g.random.choice(c) for c in ([1, 2], [1, 2, 4], [1, 5, 16], [4, 8]))
    q = g.input(DType.FLOAT32, (batch, heads, length, d))
    k, v = (g.input(DType.FLOAT32, (batch, g.random.choice([heads]), length, d)) for _ in range(2))
    g.add("Attention", [q, k, v], is_causal=g.random.randint(0, 1))
