"""Counter-based random numbers as ONNX: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
SC 2011) written with standard integer operators, so that any ONNX runtime draws the same numbers.

Element e (row-major) of the random tensor number `ordinal` at optimizer step `step` is word e mod 4 of

    philox4x32_10(counter, key)
        counter = (b mod 2^32, b div 2^32, step mod 2^32, ordinal)      b = e div 4
        key     = (seed mod 2^32, seed div 2^32)

and its uniform number in [0, 1) is (word >> 8) · 2^-24, exact in binary32. `ordinal` counts a program's random tensors
in the order in which the forward pass draws them, from 0. The function holds every 32-bit word in a uint64: the
product of two words then fits, and no operator ever overflows.
"""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from onnx import helper, numpy_helper

from assay.program.types import DType

from .graph import OPSET, Graph, Value

__all__ = ["uniform"]

_ROUNDS = 10
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_MASK = 0xFFFFFFFF
_NAME = "Philox4x32"


def uniform(graph: Graph, seed: Value, step: Value | None, ordinal: int, shape: tuple[int, ...]) -> Value:
    """A float32 tensor of `shape` of uniform numbers in [0, 1), multiples of 2^-24.

    `seed` is a uint64 scalar, `step` an int64 scalar, or None for step 0.
    """
    size = prod(shape)
    count = -(-size // 4)
    graph.functions.setdefault(_NAME, _function())
    mask = graph.scalar(_MASK, DType.UINT64)
    low = graph.cast(graph.arange(count), DType.UINT64)
    step64 = graph.scalar(0, DType.UINT64) if step is None else graph.cast(step, DType.UINT64)
    zero, number = graph.scalar(0, DType.UINT64), graph.scalar(ordinal, DType.UINT64)
    counter = (low, zero, graph.emit("BitwiseAnd", step64, mask), number)
    key = (graph.emit("BitwiseAnd", seed, mask), _high(graph, seed))
    words = graph.emit_many(_NAME, [*counter, *key], [(DType.UINT64, (count,))] * 4, domain="assay")
    rows = graph.concat([graph.unsqueeze(w, [1]) for w in words], axis=1)
    flat = graph.slice(graph.reshape(rows, [4 * count]), 0, 0, size)
    top = graph.emit("BitShift", flat, graph.scalar(8, DType.UINT64), direction="RIGHT")
    number = graph.emit("Mul", graph.cast(top, DType.FLOAT32), graph.scalar(2.0**-24, DType.FLOAT32))
    return graph.reshape(number, shape)


def _high(graph: Graph, x: Value) -> Value:
    return graph.emit("BitShift", x, graph.scalar(32, DType.UINT64), direction="RIGHT")


class _Body:
    """The nodes of the function, each with one output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []

    def emit(self, op: str, *inputs: str, output: str | None = None, **attributes: str) -> str:
        name = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def constant(self, number: int) -> str:
        name = f"t{len(self.nodes)}"
        value = numpy_helper.from_array(np.array(number, dtype=np.uint64))
        self.nodes.append(helper.make_node("Constant", [], [name], value=value))
        return name


def _function() -> onnx.FunctionProto:
    """Philox4x32(c0, c1, c2, c3, k0, k1) -> (w0, w1, w2, w3): uint64 tensors that hold 32-bit words."""
    body = _Body()
    mask, bits = body.constant(_MASK), body.constant(32)
    multipliers, weyl = [body.constant(m) for m in _MULTIPLIERS], [body.constant(w) for w in _WEYL]
    c, k = ["c0", "c1", "c2", "c3"], ["k0", "k1"]
    for number in range(_ROUNDS):
        last = number == _ROUNDS - 1
        products = [body.emit("Mul", c[2 * i], multipliers[i]) for i in (0, 1)]
        high = [body.emit("BitShift", p, bits, direction="RIGHT") for p in products]
        low = [
            body.emit("BitwiseAnd", p, mask, output=f"w{3 - 2 * i}" if last else None) for i, p in enumerate(products)
        ]
        mixed = [body.emit("BitwiseXor", body.emit("BitwiseXor", high[1 - i], c[2 * i + 1]), k[i],
                           output=f"w{2 * i}" if last else None) for i in (0, 1)]  # fmt: skip
        c = [mixed[0], low[1], mixed[1], low[0]]
        if not last:
            k = [body.emit("BitwiseAnd", body.emit("Add", k[i], weyl[i]), mask) for i in (0, 1)]
    return helper.make_function(
        "assay",
        _NAME,
        ["c0", "c1", "c2", "c3", "k0", "k1"],
        ["w0", "w1", "w2", "w3"],
        body.nodes,
        [helper.make_opsetid("", OPSET)],
        doc_string="Philox4x32-10 (Salmon et al. 2011); 32-bit words held in uint64.",
    )
