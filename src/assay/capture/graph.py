"""Build an ONNX graph node by node, with static types and reproducible names. Knows nothing of torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from assay.program.types import DType

__all__ = ["OPSET", "Graph", "Value", "broadcast_shapes"]

OPSET, OPSET_BFLOAT16 = 21, 22
"""The operator set of a program; in the newer one, convolution, pooling and trigonometry take bfloat16."""
IR_VERSION = 10

_LITERAL = 4096
"""A filled tensor of more elements than this is expanded from a scalar instead of being stored."""

_ONNX_TYPES: dict[DType, int] = {d: helper.np_dtype_to_tensor_dtype(d.numpy) for d in DType}


@dataclass(frozen=True)
class Value:
    """A tensor of the graph under construction: its name, element type and static shape."""

    name: str
    dtype: DType
    shape: tuple[int, ...]

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    def axis(self, dim: int) -> int:
        """`dim` counted from the front."""
        return dim % max(self.rank, 1)


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of an elementwise result, by the rule that ONNX, numpy and torch share."""
    return tuple(int(n) for n in np.broadcast_shapes(*shapes))


@dataclass
class Graph:
    """Nodes, constants and ports collected so far.

    Value names are the given hint, followed by a number where the hint is taken, so that equal call sequences give
    equal bytes. Constants with equal bits are stored once.
    """

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    functions: dict[str, onnx.FunctionProto] = field(default_factory=dict)
    hint: str = "value"
    """Name for the values emitted next."""
    _narrow: bool = False
    _taken: dict[str, int] = field(default_factory=dict)
    _known: dict[tuple[DType, tuple[int, ...], bytes], Value] = field(default_factory=dict)

    # ports

    def reserve(self, names: Iterable[str]) -> None:
        """Keep `names` from being given to intermediate values."""
        self._taken.update(dict.fromkeys(names, 0))

    def input(self, name: str, dtype: DType, shape: Sequence[int]) -> Value:
        """Declare an input port."""
        value = Value(name, dtype, tuple(shape))
        self.reserve([name])
        self.inputs.append(value)
        return value

    def output(self, name: str, value: Value) -> None:
        """Declare that the port `name` carries `value`."""
        self.outputs.append(self.alias(name, value))

    def alias(self, name: str, value: Value) -> Value:
        """`value` under exactly this name, which must not be in use."""
        self.reserve([name])
        self.nodes.append(helper.make_node("Identity", [value.name], [name]))
        return Value(name, value.dtype, value.shape)

    # values

    def constant(self, array: np.ndarray[Any, Any]) -> Value:
        """A constant with the bits, type and shape of `array`."""
        shape, dtype = tuple(array.shape), DType.of(array)
        key = (dtype, shape, array.tobytes())
        if key not in self._known:
            name = self._fresh("constant")
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(shape), name))
            self._known[key] = Value(name, dtype, shape)
        return self._known[key]

    def scalar(self, number: float | bool, dtype: DType) -> Value:
        """A constant of shape (); a float is rounded once to `dtype`."""
        return self.constant(np.array(number).astype(dtype.numpy))

    def integers(self, numbers: Iterable[int]) -> Value:
        """A constant int64 vector: a shape, axes, starts, ..."""
        return self.constant(np.array(list(numbers), dtype=np.int64))

    def full(self, shape: Sequence[int], number: float | bool, dtype: DType) -> Value:
        """A tensor filled with one number."""
        if prod(shape) <= _LITERAL:
            return self.constant(np.full(tuple(shape), number).astype(dtype.numpy))
        return self.expand(self.scalar(number, dtype), shape)

    def arange(self, count: int, start: int = 0, step: int = 1) -> Value:
        """The int64 vector start, start + step, ... of `count` elements."""
        if count <= _LITERAL:
            return self.constant(np.arange(count, dtype=np.int64) * step + start)
        limits = (self.scalar(n, DType.INT64) for n in (start, start + count * step, step))
        return self.emit("Range", *limits, shape=[count])

    def emit(
        self,
        op: str,
        *inputs: Value | None,
        dtype: DType | None = None,
        shape: Sequence[int] | None = None,
        domain: str = "",
        name: str | None = None,
        **attributes: Any,
    ) -> Value:
        """Append a node with one output. Type and shape default to the first input's type and the broadcast shape."""
        given = [x for x in inputs if x is not None]
        out = Value(
            self._fresh(name or self.hint),
            dtype or given[0].dtype,
            broadcast_shapes(*(x.shape for x in given)) if shape is None else tuple(shape),
        )
        self._node(op, inputs, [out], domain, attributes)
        return out

    def emit_many(
        self, op: str, inputs: Sequence[Value], types: Sequence[tuple[DType, Sequence[int]]], **attributes: Any
    ) -> tuple[Value, ...]:
        """Append a node with one output per entry of `types`."""
        outs = [Value(self._fresh(self.hint), dtype, tuple(shape)) for dtype, shape in types]
        self._node(op, inputs, outs, attributes.pop("domain", ""), attributes)
        return tuple(outs)

    # the shape operators that every translation needs

    def cast(self, x: Value, dtype: DType) -> Value:
        """`x` as `dtype`; `x` itself if it is that already."""
        return x if x.dtype is dtype else self.emit("Cast", x, dtype=dtype, to=_ONNX_TYPES[dtype])

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """`x` under another shape with the same number of elements."""
        return x if x.shape == tuple(shape) else self.emit("Reshape", x, self.integers(shape), shape=shape)

    def transpose(self, x: Value, perm: Sequence[int]) -> Value:
        """`x` with axis `perm[a]` as axis a."""
        if list(perm) == list(range(x.rank)):
            return x
        return self.emit("Transpose", x, shape=[x.shape[p] for p in perm], perm=list(perm))

    def expand(self, x: Value, shape: Sequence[int]) -> Value:
        """`x` broadcast to `shape`."""
        return x if x.shape == tuple(shape) else self.emit("Expand", x, self.integers(shape), shape=shape)

    def unsqueeze(self, x: Value, axes: Sequence[int]) -> Value:
        """`x` with axes of length 1 inserted, `axes` counted in the result."""
        shape = list(x.shape)
        for a in sorted(axes):
            shape.insert(a, 1)
        return self.reshape(x, shape)

    def slice(self, x: Value, axis: int, start: int, stop: int, step: int = 1) -> Value:
        """`x[start:stop:step]` along `axis`, all numbers normalised: 0 <= start <= stop <= length."""
        if (start, stop, step) == (0, x.shape[axis], 1):
            return x
        shape = list(x.shape)
        shape[axis] = len(range(start, stop, step))
        return self.emit("Slice", x, *(self.integers([n]) for n in (start, stop, axis, step)), shape=shape)

    def concat(self, parts: Sequence[Value], axis: int) -> Value:
        """`parts` one after the other along `axis`."""
        if len(parts) == 1:
            return parts[0]
        shape = list(parts[0].shape)
        shape[axis] = sum(p.shape[axis] for p in parts)
        return self.emit("Concat", *parts, shape=shape, axis=axis)

    def reduce(self, op: str, x: Value, axes: Sequence[int], keepdims: bool) -> Value:
        """Fold `axes` of `x` with ReduceSum, ReduceMean, ReduceMax, ReduceMin or ReduceProd."""
        axes = sorted(x.axis(a) for a in axes) if x.rank else []
        if not axes:
            return x
        shape = [1 if a in axes else n for a, n in enumerate(x.shape) if keepdims or a not in axes]
        return self.emit(op, x, self.integers(axes), shape=shape, keepdims=int(keepdims))

    # the result

    def model(self, name: str) -> bytes:
        """The serialised model: unused nodes, constants and functions dropped, everything else as it was emitted."""
        nodes, used = self._reachable()
        graph = helper.make_graph(
            nodes,
            name,
            [_port(v) for v in self.inputs],
            [_port(v) for v in self.outputs],
            initializer=[c for c in self.constants if c.name in used],
        )
        called = {node.op_type for node in nodes if node.domain}
        model = helper.make_model(
            graph,
            ir_version=IR_VERSION,
            opset_imports=[
                helper.make_opsetid("", self._opset()),
                *([helper.make_opsetid("assay", 1)] if called else []),
            ],
            functions=[f for key, f in self.functions.items() if key in called],
            producer_name="assay",
        )
        return bytes(model.SerializeToString(deterministic=True))

    def _opset(self) -> int:
        return OPSET_BFLOAT16 if self._narrow else OPSET

    def _reachable(self) -> tuple[list[onnx.NodeProto], set[str]]:
        used, kept = {v.name for v in self.outputs}, []
        for node in reversed(self.nodes):
            if used.intersection(node.output):
                kept.append(node)
                used.update(node.input)
        return kept[::-1], used

    def _fresh(self, hint: str) -> str:
        name = hint
        while name in self._taken:
            self._taken[hint] += 1
            name = f"{hint}.{self._taken[hint]}"
        self._taken[name] = 0
        return name

    def _node(
        self, op: str, inputs: Sequence[Value | None], outs: Sequence[Value], domain: str, attributes: dict[str, Any]
    ) -> None:
        self._narrow |= any(value.dtype is DType.BFLOAT16 for value in outs)
        names = ["" if x is None else x.name for x in inputs]
        self.nodes.append(helper.make_node(op, names, [o.name for o in outs], domain=domain, **attributes))


def _port(value: Value) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(value.name, _ONNX_TYPES[value.dtype], list(value.shape))
