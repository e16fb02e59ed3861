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

__all__ = ["F32", "FAMILIES", "WEIGHTS", "family", "indices", "names", "types"]

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
            "Softsign Sqrt Tanh HardSwish BitwiseNot Acos Acosh Asin Asinh Atan Atanh Cosh Sinh Tan"
        ),
        lambda g: {},
    ),
    **dict.fromkeys(
        names("LeakyRelu Elu Celu Selu HardSigmoid Swish ThresholdedRelu"),
        lambda g: {"alpha": g.random.choice([0.01, 0.3, 1.0, 1.702])},
    ),
    "Shrink": lambda g: {"bias": g.random.choice([0.0, 0.5]), "lambd": g.random.choice([0.5, 1.0])},
    "Gelu": lambda g: {"approximate": g.random.choice(["none", "tanh"])},
    "IsInf": lambda g: {"detect_positive": g.random.randint(0, 1), "detect_negative": g.random.randint(0, 1)},
}


@family(22)
def unary(g: Graph) -> None:
    op = g.random.choice(sorted(UNARY))
    allowed = [d for d in types(op) if d.is_float] if op == "Shrink" else types(op)
    g.add(op, [g.pick(allowed)], **UNARY[op](g))


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


@family(1)
def reverse(g: Graph) -> None:
    x = g.pick(types("ReverseSequence"), 2)
    batch = g.random.randint(0, 1)
    lengths = np.array([g.random.randint(1, x.shape[1 - batch]) for _ in range(x.shape[batch])])
    g.add("ReverseSequence", [x, g.either(DType.INT64, lengths.shape, lengths)], batch_axis=batch, time_axis=1 - batch)


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


@family(3)
def top(g: Graph) -> None:
    x = g.pick(types("TopK"), 1, limit=1000)
    axis = g.random.randrange(x.rank)
    if x.shape[axis] > 33:
        return
    count = g.constant([g.random.randint(1, x.shape[axis])])
    g.add("TopK", [x, count], 2, axis=axis, largest=g.random.randint(0, 1), sorted=1)
