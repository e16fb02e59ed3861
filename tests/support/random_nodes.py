"""Families of random nodes: each appends one node, or a small pattern of them, to a Graph of random_programs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import onnx
from onnx import helper
from random_programs import FLOATS, LIMIT, OPSET, Graph, Shape, Value

from assay.program.types import DType

__all__ = ["FAMILIES", "WEIGHTS"]

Family = Callable[[Graph], object]
FAMILIES: list[Family] = []
WEIGHTS: list[int] = []

_NAMES = {"float": "float32"}
F32 = [DType.FLOAT32]


def family(weight: int) -> Callable[[Family], Family]:
    def register(function: Family) -> Family:
        FAMILIES.append(function)
        WEIGHTS.append(weight)
        return function

    return register


@cache
def types(op: str, position: int = 0) -> tuple[DType, ...]:
    """The element types that an operator takes at a position."""
    names = {
        t.removeprefix("tensor(").removesuffix(")") for t in onnx.defs.get_schema(op, OPSET).inputs[position].types
    }
    names = {_NAMES.get(n, n) for n in names}
    return tuple(d for d in DType if d.value in names)


def names(text: str) -> list[str]:
    return text.split()


UNARY: dict[str, Callable[[Graph], dict[str, Any]]] = {
    **dict.fromkeys(
        names(
            "Abs Ceil Cos Erf Exp Floor Identity IsNaN Log Mish Neg Not Reciprocal Relu Round Sigmoid Sign Sin Softplus "
            "Softsign Sqrt Tanh HardSwish BitwiseNot"
        ),
        lambda g: {},
    ),
    **dict.fromkeys(
        names("LeakyRelu Elu Celu Selu HardSigmoid Swish ThresholdedRelu"),
        lambda g: {"alpha": g.random.choice([0.01, 0.3, 1.0, 1.702])},
    ),
    "Gelu": lambda g: {"approximate": g.random.choice(["none", "tanh"])},
    "IsInf": lambda g: {"detect_positive": g.random.randint(0, 1), "detect_negative": g.random.randint(0, 1)},
}


@family(14)
def unary(g: Graph) -> None:
    op = g.random.choice(sorted(UNARY))
    g.add(op, [g.pick(types(op))], **UNARY[op](g))


BINARY = names(
    "Add Sub Mul Div Mod And Or Xor BitwiseAnd BitwiseOr BitwiseXor BitShift Equal Less LessOrEqual Greater "
    "GreaterOrEqual PRelu Add Sub Mul Div"
)


@family(14)
def binary(g: Graph) -> None:
    op, attributes = g.random.choice(BINARY), {}
    x = g.pick([d for d in types(op) if not (op == "Mod" and d.is_float)])
    y = g.partner(x, within=op == "PRelu")
    if op == "Mod":
        attributes = {"fmod": g.random.randint(0, 1)}
    elif op == "BitShift":
        attributes = {"direction": g.random.choice(["LEFT", "RIGHT"])}
    g.add(op, [y, x] if op != "PRelu" and g.random.random() < 0.4 else [x, y], **attributes)


@family(3)
def power(g: Graph) -> None:
    x = g.pick([d for d in types("Pow") if d.is_float or g.random.random() < 0.2])
    if not x.dtype.is_float or g.random.random() < 0.5:
        exponents = [2, 3] if not x.dtype.is_float else [2, 3, 0.5, -1, 1.5, 0]
        g.add("Pow", [x, g.constant(np.array(g.random.choice(exponents), x.dtype.numpy))])
    else:
        g.add("Pow", [x, g.partner(x)])


@family(4)
def variadic(g: Graph) -> None:
    op = g.random.choice(["Min", "Max", "Sum", "Mean"])
    x = g.pick(types(op))
    values = [x]
    while len(values) < g.random.randint(1, 4):
        values.append(g.partner(values[0], within=True))
    g.random.shuffle(values)
    g.add(op, values)


@family(4)
def select(g: Graph) -> None:
    x = g.pick(types("Where", 1))
    g.add("Where", [g.partner(x, DType.BOOL), x, g.partner(x, within=True)])


@family(2)
def clip(g: Graph) -> None:
    x = g.pick(types("Clip"))
    bounds = [g.either(x.dtype, ()) if g.random.random() < 0.8 else None for _ in range(2)]
    g.add("Clip", [x, *bounds])


@family(6)
def cast(g: Graph) -> None:
    x = g.pick(list(DType))
    if g.random.random() < 0.2 and x.dtype is not DType.BOOL:
        same = [d for d in types("BitCast") if d.bits == x.dtype.bits and d is not DType.BOOL]
        g.add("BitCast", [x], to=int(helper.np_dtype_to_tensor_dtype(g.random.choice(same).numpy)))
        return
    target = g.random.choice([*FLOATS, *DType])
    g.add("Cast", [x], to=int(helper.np_dtype_to_tensor_dtype(target.numpy)))


def _order(g: Graph, rank: int) -> list[int]:
    order = list(range(rank))
    g.random.shuffle(order)
    return order


@family(6)
def transpose(g: Graph) -> None:
    x = g.pick(types("Transpose"), 1)
    g.add("Transpose", [x], perm=_order(g, x.rank))


def _factors(g: Graph, size: int, parts: int) -> Shape:
    result = []
    for _ in range(parts - 1):
        result.append(g.random.choice([n for n in range(1, size + 1) if size % n == 0]))
        size //= result[-1]
    result.append(size)
    g.random.shuffle(result)
    return tuple(result)


@family(6)
def reshape(g: Graph) -> None:
    x = g.pick(types("Reshape"))
    kind = g.random.randrange(4)
    if kind == 0:
        g.add("Flatten", [x], axis=g.random.randint(-x.rank, x.rank))
    elif kind == 1:
        count = g.random.randint(1, 2)
        g.add("Unsqueeze", [x, g.constant(sorted(g.random.sample(range(x.rank + count), count)))])
    elif kind == 2 and 1 in x.shape:
        g.add("Squeeze", [x, g.constant([g.random.choice([a for a, d in enumerate(x.shape) if d == 1])])])
    else:
        shape = list(_factors(g, x.size, g.random.randint(1, 4)))
        if g.random.random() < 0.3:
            shape[g.random.randrange(len(shape))] = -1
        g.add("Reshape", [x, g.constant(shape)])


@family(3)
def expand(g: Graph) -> None:
    x = g.pick(types("Expand"), limit=500)
    shape = [d if d > 1 else g.random.choice([1, 2, 3, 16]) for d in x.shape]
    shape = [g.random.choice([1, 2, 3]), *shape] if g.random.random() < 0.4 else shape
    if g.random.random() < 0.3 and x.rank:
        g.add("Tile", [x, g.constant([g.random.choice([1, 1, 2, 3]) for _ in x.shape])])
    else:
        g.add("Expand", [x, g.constant(shape)])


@family(6)
def slices(g: Graph) -> None:
    x = g.pick(types("Slice"), 1)
    axes = g.random.sample(range(x.rank), g.random.randint(1, x.rank))
    starts, ends, steps = [], [], []
    for axis in axes:
        d = x.shape[axis]
        low = g.random.randrange(d)
        high = g.random.randint(low + 1, d)
        step = g.random.choice([1, 1, 1, 2, 3, -1, -2])
        starts.append(low if step > 0 else high - 1)
        ends.append(high if step > 0 else (low - 1 if low else -(2**40)))
        steps.append(step)
    g.add("Slice", [x, *(g.constant(v) for v in (starts, ends, axes, steps))])


@family(5)
def concat(g: Graph) -> None:
    x = g.pick(types("Concat"), 1, limit=LIMIT)
    axis, values = g.random.randrange(x.rank), [x]
    fits = [
        v
        for v in g.values
        if v.dtype is x.dtype and v.rank == x.rank and all(a == axis or d == x.shape[a] for a, d in enumerate(v.shape))
    ]
    for _ in range(g.random.randint(0, 3)):
        if g.random.random() < 0.6:
            values.append(g.random.choice(fits))
        else:
            shape = tuple(g.random.choice([1, 2, 5, 16]) if a == axis else d for a, d in enumerate(x.shape))
            values.append(g.either(x.dtype, shape))
    g.random.shuffle(values)
    g.add("Concat", values, axis=axis if g.random.random() < 0.7 else axis - x.rank)


@family(3)
def split(g: Graph) -> None:
    x = g.pick(types("Split"), 1)
    axis = g.random.randrange(x.rank)
    parts = g.random.randint(1, min(4, x.shape[axis]))
    cuts = [0, *sorted(g.random.sample(range(1, x.shape[axis]), parts - 1)), x.shape[axis]]
    sizes = [b - a for a, b in pairwise(cuts)]
    g.add("Split", [x, g.constant(sizes)], parts, axis=axis)


@family(4)
def pad(g: Graph) -> None:
    x = g.pick(types("Pad"), 1, limit=1000)
    mode = g.random.choice(["constant", "constant", "edge", "reflect", "wrap"])
    most = {"reflect": lambda d: d - 1, "wrap": lambda d: d}.get(mode, lambda d: 3)
    pads = [g.random.randint(0, max(0, min(3, most(d)))) for d in (*x.shape, *x.shape)]
    if mode == "constant" and g.random.random() < 0.3:
        pads = [-1 if d > 2 and g.random.random() < 0.3 else p for p, d in zip(pads, (*x.shape, *x.shape), strict=True)]
    fill = g.either(x.dtype, ()) if mode == "constant" and g.random.random() < 0.6 else None
    g.add("Pad", [x, g.constant(pads), *([fill] if fill else [])], mode=mode)


@family(1)
def blocks(g: Graph) -> None:
    b, mode = g.random.choice([1, 2, 3]), g.random.choice(["DCR", "CRD"])
    n, c, h, w = (g.random.choice([1, 2, 3, 5]) for _ in range(4))
    if g.random.random() < 0.5:
        g.add("DepthToSpace", [g.input(g.random.choice(FLOATS), (n, c * b * b, h, w))], blocksize=b, mode=mode)
    else:
        g.add("SpaceToDepth", [g.input(g.random.choice(FLOATS), (n, c, h * b, w * b))], blocksize=b)


@family(2)
def triangle(g: Graph) -> None:
    x = g.pick(types("Trilu"), 2)
    g.add("Trilu", [x, g.constant(np.array(g.random.randint(-3, 3), np.int64))], upper=g.random.randint(0, 1))


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


@family(1)
def large_product(g: Graph) -> None:
    """Beyond every block of an engine that packs its operands."""
    rows, terms, columns = (g.random.choice(c) for c in ([1, 65, 200], [64, 300, 700], [16, 100, 350]))
    g.add("MatMul", [matrix(g, DType.FLOAT32, (), rows, terms), matrix(g, DType.FLOAT32, (), terms, columns)])


@family(1)
def large_conv(g: Graph) -> None:
    """Channels as real networks have them, and the gradients of both operands."""
    n, c, f, d = (g.random.choice(x) for x in ([1, 3], [8, 32, 33], [16, 32, 40], [7, 8, 14]))
    k, stride = g.random.choice([1, 3]), g.random.choice([1, 2])
    x, w = g.input(DType.FLOAT32, (n, c, d, d)), g.input(DType.FLOAT32, (f, c, k, k))
    pads = [k // 2] * 4
    (y,) = g.add("Conv", [x, w], strides=[stride] * 2, pads=pads)
    (a,) = g.add("Relu", [g.add("Add", [y, g.either(y.dtype, (f, 1, 1))])[0]])
    extra = [(d + 2 * (k // 2) - k) % stride] * 2
    g.add("ConvTranspose", [a, w], strides=[stride] * 2, pads=pads, output_padding=extra)
    swapped = [g.add("Transpose", [v], perm=[1, 0, 2, 3])[0] for v in (x, a)]
    g.add("Conv", swapped, dilations=[stride] * 2, pads=pads)


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


def indices(g: Graph, shape: Shape, extents: list[int]) -> Value:
    """Positions along axes of these lengths (one, or one per entry of the last axis); in a wild graph some are beyond."""
    rng = np.random.default_rng(g.random.getrandbits(32))
    bound = np.broadcast_to(np.array(extents if len(extents) > 1 else extents[0]), shape)
    array = rng.integers(-bound, bound)
    if g.wild and g.random.random() < 0.3:
        array = np.where(rng.random(shape) < 0.1, array + 3 * bound, array)
    dtype = g.random.choice([DType.INT64, DType.INT64, DType.INT32])
    return g.either(dtype, shape, array.astype(dtype.numpy))


@family(7)
def gather(g: Graph) -> None:
    x = g.pick(types("Gather"), 1, limit=LIMIT)
    axis, kind = g.random.randrange(x.rank), g.random.randrange(3)
    if kind == 0:
        shape = g.random.choice([(), (1,), (5,), (3, 4), (17,)])
        g.add("Gather", [x, indices(g, shape, [x.shape[axis]])], axis=axis)
    elif kind == 1:
        shape = tuple(
            g.random.choice([1, 3, 8]) if a == axis else g.random.randint(1, d) for a, d in enumerate(x.shape)
        )
        g.add("GatherElements", [x, indices(g, shape, [x.shape[axis]])], axis=axis)
    else:
        length = g.random.randint(1, x.rank)
        at = indices(g, (g.random.choice([1, 4, 9]), length), list(x.shape[:length]))
        at = at if at.dtype is DType.INT64 else g.add("Cast", [at], to=onnx.TensorProto.INT64)[0]
        g.add("GatherND", [x, at])


@family(5)
def scatter(g: Graph) -> None:
    op = g.random.choice(["ScatterElements", "ScatterND"])
    x = g.pick(types(op), 1, limit=1000)
    reduction = g.random.choice(["none", "add", "mul", "max", "min"] if x.dtype is not DType.BOOL else ["none"])
    if op == "ScatterElements":
        axis = g.random.randrange(x.rank)
        shape = tuple(
            g.random.choice([1, 3, 8]) if a == axis else g.random.randint(1, d) for a, d in enumerate(x.shape)
        )
        at = indices(g, shape, [x.shape[axis]])
        g.add(op, [x, at, g.either(x.dtype, shape)], axis=axis, reduction=reduction)
        return
    length, count = g.random.randint(1, x.rank), g.random.choice([1, 4, 9])
    at = indices(g, (count, length), list(x.shape[:length]))
    at = at if at.dtype is DType.INT64 else g.add("Cast", [at], to=onnx.TensorProto.INT64)[0]
    g.add(op, [x, at, g.either(x.dtype, (count, *x.shape[length:]))], reduction=reduction)


@family(1)
def one_hot(g: Graph) -> None:
    shape, depth = g.random.choice([(1,), (5,), (3, 4)]), g.random.choice([1, 4, 17])
    dtype = g.random.choice([DType.FLOAT32, DType.INT64])
    axis = g.random.randint(-1, len(shape))
    g.add("OneHot", [indices(g, shape, [depth]), g.constant([depth]), g.either(dtype, (2,))], axis=axis)


# Patterns that training steps are made of, and that an engine is likely to fuse.


@family(8)
def chain(g: Graph) -> None:
    """Element by element over one shape, some values used twice."""
    x = g.pick(F32)
    alive = [x]
    for _ in range(g.random.randint(3, 9)):
        a = g.random.choice(alive[-3:])
        op = g.random.choice(names("Add Mul Sub Div Max Min Where Exp Tanh Sqrt Neg Abs Sigmoid Relu"))
        if op == "Where":
            b = g.random.choice(alive)
            found = g.add(op, [g.add("Less", [a, b])[0], a, b])
        elif op in names("Add Mul Sub Div Max Min"):
            b = g.random.choice(alive) if g.random.random() < 0.6 else g.partner(a, within=True)
            found = g.add(op, [a, b])
        else:
            found = g.add(op, [a])
        alive += found


@family(4)
def softmax_parts(g: Graph) -> None:
    """Softmax as single nodes, its logarithm, and the gradient's sum."""
    x = g.pick(F32, 1)
    axis = g.constant([g.random.choice([-1, x.rank - 1, g.random.randrange(x.rank)])])
    (top,) = g.add("ReduceMax", [x, axis], keepdims=1)
    (shifted,) = g.add("Sub", [x, top])
    (powers,) = g.add("Exp", [shifted])
    (total,) = g.add("ReduceSum", [powers, axis], keepdims=1)
    (result,) = g.add("Div", [powers, total])
    if g.random.random() < 0.5:
        (weighted,) = g.add("Mul", [result, g.partner(result, within=True)])
        (sums,) = g.add("ReduceSum", [weighted, axis], keepdims=1)
        g.add("Sub", [weighted, g.add("Mul", [result, sums])[0]])


@family(4)
def layer_norm_parts(g: Graph) -> None:
    x = g.pick(F32, 1)
    axes = [x.rank - 1] if g.random.random() < 0.7 or x.rank < 2 else [x.rank - 2, x.rank - 1]
    (mean,) = g.add("ReduceMean", [x, g.constant(axes)], keepdims=1)
    (centred,) = g.add("Sub", [x, mean])
    (square,) = g.add("Mul", [centred, centred])
    (variance,) = g.add("ReduceMean", [square, g.constant(axes)], keepdims=1)
    (spread,) = g.add("Sqrt", [g.add("Add", [variance, g.constant(np.array(1e-5, np.float32))])[0]])
    (result,) = g.add("Div", [centred, spread])
    (scaled,) = g.add("Mul", [result, g.either(x.dtype, x.shape[-1:])])
    if g.random.random() < 0.5 and x.rank > 1:
        g.add("ReduceSum", [scaled, g.constant(list(range(x.rank - 1)))], keepdims=0)


@family(4)
def attention(g: Graph) -> None:
    """softmax(q kᵀ / √d + mask) v over (batch, heads, length, d), the heads cut from one tensor or not."""
    batch, heads, length, d = (g.random.choice(c) for c in ([1, 2], [1, 3], [1, 5, 16, 33], [4, 8, 16]))
    if g.random.random() < 0.5:
        x = g.input(DType.FLOAT32, (batch, length, 3 * heads * d))
        (parts,) = g.add("Reshape", [x, g.constant([batch, length, 3, heads, d])])
        (parts,) = g.add("Transpose", [parts], perm=[2, 0, 3, 1, 4])
        q, k, v = (g.add("Gather", [parts, g.constant(np.array(n, np.int64))], axis=0)[0] for n in range(3))
    else:
        q, k, v = (g.input(DType.FLOAT32, (batch, heads, length, d)) for _ in range(3))
    (scores,) = g.add("MatMul", [q, g.add("Transpose", [k], perm=[0, 1, 3, 2])[0]])
    (scores,) = g.add("Mul", [scores, g.constant(np.array(d**-0.5, np.float32))])
    if g.random.random() < 0.6:
        mask = np.triu(np.full((length, length), -np.inf if g.wild else -1e4, np.float32), 1)
        (scores,) = g.add("Add", [scores, g.constant(mask)])
    (mixed,) = g.add("MatMul", [g.add("Softmax", [scores], axis=-1)[0], v])
    (mixed,) = g.add("Transpose", [mixed], perm=[0, 2, 1, 3])
    g.add("Reshape", [mixed, g.constant([batch, length, heads * d])])


@family(5)
def dense(g: Graph) -> None:
    """A product, a bias, an activation; the gradients of the bias and of either operand."""
    y = product(g)
    (z,) = g.add("Add", [y, g.either(y.dtype, y.shape[-1:])])
    (a,) = g.add(g.random.choice(["Relu", "Tanh", "Gelu", "Sigmoid"]), [z])
    if g.random.random() < 0.5 and a.rank > 1:
        g.add("ReduceSum", [a, g.constant(list(range(a.rank - 1)))], keepdims=0)
    if g.random.random() < 0.5 and a.rank == 2:
        g.add("MatMul", [g.add("Transpose", [a], perm=[1, 0])[0], z])


@family(3)
def convolved(g: Graph) -> None:
    """A convolution, batch statistics or a bias, an activation, a pool."""
    y = conv(g)
    axes = [0, *range(2, y.rank)]
    (mean,) = g.add("ReduceMean", [y, g.constant(axes)], keepdims=1)
    (centred,) = g.add("Sub", [y, mean])
    (a,) = g.add("Relu", [centred])
    if g.random.random() < 0.5:
        g.add("ReduceSum", [a, g.constant(axes)], keepdims=0)
