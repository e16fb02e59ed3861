"""Matrix products. Each is one fold per output element; a bias or a scale is an operation of its own."""

from __future__ import annotations

from ..graph import Value
from .registry import Call, translates


def _product(c: Call, a: Value, b: Value) -> Value:
    a, b = c.operand(a), c.operand(b)
    return c.graph.emit("MatMul", a, b, shape=[*a.shape[:-1], b.shape[-1]])


@translates("mm.default", "bmm.default")
def mm(c: Call, a: Value, b: Value) -> Value:
    """(n, k) · (k, m), or a batch of them."""
    return _product(c, a, b)


@translates("addmm.default", "baddbmm.default")
def addmm(c: Call, bias: Value, a: Value, b: Value, *, beta: float = 1, alpha: float = 1) -> Value:
    """beta·bias + alpha·(a · b)."""
    g, product = c.graph, _product(c, a, b)
    if alpha != 1:
        product = g.emit("Mul", product, c.operand(alpha))
    if beta == 0:
        return product
    bias = c.operand(bias)
    return g.emit("Add", product, bias if beta == 1 else g.emit("Mul", bias, c.operand(beta)))


@translates("mv.default")
def mv(c: Call, a: Value, x: Value) -> Value:
    """Matrix times vector."""
    return c.graph.reshape(_product(c, a, c.graph.unsqueeze(x, [1])), c.shape)


@translates("dot.default", "vdot.default")
def dot(c: Call, a: Value, b: Value) -> Value:
    """Vector times vector."""
    return c.graph.reshape(_product(c, c.graph.unsqueeze(a, [0]), c.graph.unsqueeze(b, [1])), ())
