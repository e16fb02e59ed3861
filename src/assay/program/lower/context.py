"""What a lowering works with: constants, broadcasting, and the growing list of kernels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.errors import ProgramRefused, UnsupportedOperator

from ..kernel import Kernel, Operand, Order, Scatter
from ..limits import Limits
from ..scalar import OPS
from ..tensors import check_shape
from ..types import DType, Port
from .loop import Loop
from .scalars import check_scalars
from .value import Shape, Value

__all__ = ["KNOWN_ELEMENTS", "Context", "bits_of", "broadcast"]

Array = np.ndarray[Any, Any]

KNOWN_ELEMENTS = 4096
"""Largest integer tensor that takes part in the arithmetic of shapes."""


def bits_of(value: Any, dtype: DType) -> int:
    """The bits of a scalar in `dtype`, as an unsigned integer. Floats are rounded to nearest even."""
    if dtype is DType.BOOL:
        return int(bool(value))
    with np.errstate(over="ignore"):  # an infinity is what rounding gives
        scalar = np.array(value, np.float32 if dtype.is_float else dtype.numpy).astype(dtype.numpy)
    return int(scalar.view(f"u{dtype.itemsize}").item())


class Context:
    """Emits kernels. Equal kernels are emitted once; constants of equal type and content are stored once."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.kernels: list[Kernel] = []
        self.constants: dict[str, Array] = {}
        self._by_content: dict[tuple[DType, int, bytes], str] = {}
        self._by_kernel: dict[Kernel, str] = {}
        self._facts: dict[str, Array] = {}
        self._types: dict[str, DType] = {}
        self._operations = 0
        self._constant_bytes = 0

    def input(self, port: Port) -> Value:
        """The tensor of an input port."""
        self._types[f"={port.name}"] = port.dtype
        return Value.of(f"={port.name}", port.dtype, port.shape)

    # --- constants

    def constant(self, array: Array) -> Value:
        """A constant tensor."""
        dtype = DType.of(array)
        check_shape("a constant", dtype, array.shape, self.limits)
        array = np.ascontiguousarray(array).reshape(array.shape)  # ascontiguousarray makes a scalar a vector
        key = (dtype, array.size, hashlib.sha256(array.tobytes()).digest())
        name = self._by_content.get(key)
        if name is None:
            self._constant_bytes += array.nbytes
            if self._constant_bytes > self.limits.constant_bytes:
                raise ProgramRefused("the program's constants are too large", limit=self.limits.constant_bytes)
            name = self._by_content[key] = f"#{len(self.constants)}"
            self.constants[name] = array
            self._types[name] = dtype
        return Value.of(name, dtype, array.shape)

    def scalar(self, value: Any, dtype: DType) -> Value:
        """A constant of shape () in `dtype`."""
        with np.errstate(over="ignore"):
            return self.constant(np.array(value).astype(dtype.numpy))

    def real(self, value: float, like: Value) -> Value:
        """A constant to compute with `like`: binary32 beside any float, else the integer type of `like`.

        Raises UnsupportedOperator for a fraction, infinity or NaN beside integers.
        """
        if not like.dtype.is_float and not (abs(value) < 2**31 and value == int(value)):
            raise UnsupportedOperator(f"{value} cannot be computed with {like.dtype}", element_type=like.dtype.value)
        return self.scalar(value, DType.FLOAT32 if like.dtype.is_float else like.dtype)

    def full(self, value: Any, dtype: DType, shape: Shape) -> Value:
        """A scalar constant seen under `shape`; takes no memory."""
        check_shape("a constant", dtype, shape, self.limits)
        return self.scalar(value, dtype).expand(shape)

    def literal(self, value: Value) -> int | None:
        """The bits of a value whose tensor is a constant of one element; None for any other."""
        if value.size != 1 or value.tensor not in self.constants:
            return None
        array = self.constants[value.tensor]
        return int(array.reshape(()).view(f"u{array.itemsize}").item())

    def known(self, value: Value | None) -> Array | None:
        """The elements of a small constant, as an array of the value's shape; None if they are not known."""
        if value is None or value.count > KNOWN_ELEMENTS:
            return None
        if value.count == 0:
            return np.zeros(value.shape, value.dtype.numpy)
        array = self.constants.get(value.tensor)
        array = self._facts.get(value.tensor) if array is None else array
        if array is None:
            return None
        flat = array.reshape(-1)
        index = np.full(value.shape, value.offset, np.int64)
        for axis, stride in enumerate(value.strides):
            extent = [1] * value.rank
            extent[axis] = value.shape[axis]
            index += (np.arange(value.shape[axis]) * stride).reshape(extent)
        return np.asarray(flat[index])

    def note(self, value: Value, array: Array) -> None:
        """Remember what a kernel computes from constants alone, so that it can decide a shape."""
        if value.is_whole and value.tensor not in self.constants:
            self._facts[value.tensor] = array

    def sources(self, value: Value) -> list[str]:
        """The input ports that the value depends on, sorted."""
        found: set[str] = set()
        pending, seen = [value.tensor], {value.tensor}
        while pending:
            name = pending.pop()
            if name.startswith("="):
                found.add(name[1:])
            elif name.startswith("%"):
                fresh = set(self.kernels[int(name[1:])].reads) - seen
                seen |= fresh
                pending += fresh
        return sorted(found)

    # --- kernels

    def loop(self, domain: Shape, fold: Shape = ()) -> Loop:
        """Start a kernel."""
        return Loop(self, tuple(domain), tuple(fold))

    def map(self, op: str, *values: Value, dtype: DType | None = None) -> Value:
        """An element-wise kernel over broadcast values; by default of the type of the first that is not a literal."""
        shape = broadcast(*(v.shape for v in values))
        check_shape(f"the result of {op}", DType.BOOL, shape, self.limits)
        loop = self.loop(shape)
        operands = [loop.read(v.expand(shape), loop.identity()) for v in values]
        return loop.emit(op, operands, dtype or self._result(op, values))

    def materialise(self, value: Value) -> Value:
        """The value as a whole tensor; copies unless it is one."""
        if value.is_whole:
            return value
        loop = self.loop(value.shape)
        return loop.emit("copy", [loop.read(value, loop.identity())], value.dtype)

    def reshape(self, value: Value, shape: Shape) -> Value:
        """The value under another shape of equal count; copies where the elements are not evenly spaced."""
        window = value.reshape(shape)
        if window is None:
            window = self.materialise(value).reshape(shape)
        assert window is not None
        return window

    def scatter(self, op: str, base: Value, target: Scatter, operands: Sequence[Operand], domain: Shape) -> Value:
        """A scattering kernel; `target.base` must be the tensor of `base`."""
        return self.emit(op, tuple(operands), base.dtype, base.shape, domain, (), Order.NONE, 0, target)

    def emit(
        self,
        op: str,
        operands: tuple[Operand, ...],
        dtype: DType,
        shape: Shape,
        domain: Shape,
        fold: Shape = (),
        order: Order = Order.NONE,
        initial: int = 0,
        scatter: Scatter | None = None,
    ) -> Value:
        """Append a kernel, or find the equal one that exists. Enforces the limits on shapes, kernels and operations."""
        check_shape(f"the result of {op}", dtype, shape, self.limits)
        if 0 in (*shape, *domain, *fold):
            return self._without_points(dtype, shape, initial, scatter)
        kernel = Kernel(op, "", dtype, shape, domain, operands, fold, order, initial, scatter)
        name = self._by_kernel.get(kernel)
        if name is None:
            check_scalars(kernel, self._types)
            self._count(kernel)
            name = self._by_kernel[kernel] = f"%{len(self.kernels)}"
            self._types[name] = dtype
            self.kernels.append(Kernel(op, name, dtype, shape, domain, operands, fold, order, initial, scatter))
        return Value.of(name, dtype, shape)

    def _without_points(self, dtype: DType, shape: Shape, initial: int, scatter: Scatter | None) -> Value:
        """What a kernel leaves that has nothing to compute: nothing, its base, or a fold's initial value."""
        if scatter:
            return Value.of(scatter.base, dtype, shape)
        if 0 in shape:
            return self.constant(np.zeros(shape, dtype.numpy))
        accumulator = DType.FLOAT32 if dtype.is_float else dtype
        value = np.array(initial, f"u{accumulator.itemsize}").view(accumulator.numpy)
        return self.constant(value.astype(dtype.numpy)).expand(shape)

    def _count(self, kernel: Kernel) -> None:
        if len(self.kernels) >= self.limits.kernels:
            raise ProgramRefused("the program has too many kernels", limit=self.limits.kernels)
        self._operations += kernel.points * OPS[kernel.op].weight
        if self._operations > self.limits.operations:
            raise ProgramRefused(
                "the program takes too many scalar operations",
                operations=self._operations,
                limit=self.limits.operations,
            )

    def _result(self, op: str, values: Sequence[Value]) -> DType:
        if OPS[op].result == "bool":
            return DType.BOOL
        operands = values[1:] if op == "select" else values
        return next((v.dtype for v in operands if self.literal(v) is None), operands[0].dtype)


def broadcast(*shapes: Shape) -> Shape:
    """The common shape under ONNX (numpy) broadcasting. Raises ProgramRefused where there is none."""
    rank = max(map(len, shapes))
    result = []
    for axis in range(rank):
        extents = {s[axis - rank + len(s)] for s in shapes if axis - rank + len(s) >= 0} - {1}
        if len(extents) > 1:
            raise ProgramRefused("shapes cannot be broadcast", shapes=shapes)
        result.append(extents.pop() if extents else 1)
    return tuple(result)
