"""Patterns of several nodes that training steps are made of, and that an engine is likely to fuse."""

from __future__ import annotations

import numpy as np
from random_folds import conv, matrix, product
from random_nodes import F32, family, names
from random_programs import Graph

from assay.program.types import DType

__all__: list[str] = []


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
