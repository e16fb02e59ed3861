"""Random tensors: dropout's masks and uniform numbers, all from Philox (see philox.py)."""

from __future__ import annotations

from assay.program.types import DType

from ..graph import Value
from .registry import Call, refuse, translates


@translates("bernoulli.p")
def bernoulli(c: Call, x: Value, p: float, **options: object) -> Value:
    """1 with probability `p`, else 0: 1 where the uniform number is at least 1 - p."""
    drop = c.graph.scalar(1 - p, DType.FLOAT32)
    keep = c.graph.emit("GreaterOrEqual", c.uniform(c.shape), drop, dtype=DType.BOOL)
    return c.graph.cast(keep, c.dtype)


@translates("native_dropout.default")
def native_dropout(c: Call, x: Value, p: float, train: bool | None) -> tuple[Value, Value]:
    """x / (1 - p) where the uniform number is at least p, else 0; and that mask."""
    g = c.graph
    if train is False:
        return x, g.full(x.shape, True, DType.BOOL)
    keep = g.emit("GreaterOrEqual", c.uniform(x.shape), g.scalar(p, DType.FLOAT32), dtype=DType.BOOL)
    scaled = g.emit("Mul", x, c.operand(1 / (1 - p) if p < 1 else 0.0))
    return g.emit("Where", keep, scaled, c.operand(0.0), dtype=x.dtype), keep


@translates("rand.default", "rand_like.default")
def rand(c: Call, *rest: object, **options: object) -> Value:
    """Uniform numbers in [0, 1)."""
    if c.dtype is not DType.FLOAT32:
        raise refuse(c.node, f"of {c.dtype} is not covered")
    return c.uniform(c.shape)
