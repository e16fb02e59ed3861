"""ONNX tensors to numpy arrays: sizes are checked before bytes are touched, and no path is ever opened."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from onnx import TensorProto

from assay.errors import ProgramRefused, UnsupportedOperator

from .limits import Limits
from .types import DType

__all__ = ["DTYPES", "check_shape", "dtype_of", "tensor_array"]

Array = np.ndarray[Any, Any]

DTYPES: dict[int, DType] = {
    TensorProto.FLOAT: DType.FLOAT32,
    TensorProto.FLOAT16: DType.FLOAT16,
    TensorProto.BFLOAT16: DType.BFLOAT16,
    TensorProto.INT64: DType.INT64,
    TensorProto.INT32: DType.INT32,
    TensorProto.INT16: DType.INT16,
    TensorProto.INT8: DType.INT8,
    TensorProto.UINT64: DType.UINT64,
    TensorProto.UINT32: DType.UINT32,
    TensorProto.UINT16: DType.UINT16,
    TensorProto.UINT8: DType.UINT8,
    TensorProto.BOOL: DType.BOOL,
}
"""ONNX element types that exact-1 covers."""


def dtype_of(code: int, what: str) -> DType:
    """The element type with ONNX number `code`. Raises UnsupportedOperator naming `what` uses it."""
    found = DTYPES.get(code)
    if found is None:
        known = TensorProto.DataType.values()
        name = TensorProto.DataType.Name(code).lower() if code in known else str(code)
        raise UnsupportedOperator(
            f"{what} has element type {name}, which exact-1 does not cover",
            hint="Use float32, float16, bfloat16, bool or an integer type of 8 to 64 bits.",
            element_type=name,
        )
    return found


def check_shape(what: str, dtype: DType, shape: tuple[int, ...], limits: Limits) -> None:
    """Refuse a shape with too many axes, a negative or huge dimension, or too many bytes."""
    if len(shape) > limits.rank:
        raise ProgramRefused(f"{what} has {len(shape)} axes", limit=limits.rank)
    for dimension in shape:
        if not 0 <= dimension <= limits.dimension:
            raise ProgramRefused(f"{what} has a dimension of {dimension}", shape=shape, limit=limits.dimension)
    if prod(shape) * dtype.itemsize > limits.tensor_bytes:
        raise ProgramRefused(
            f"{what} would take {prod(shape) * dtype.itemsize} bytes", shape=shape, limit=limits.tensor_bytes
        )


def tensor_array(tensor: TensorProto, what: str, limits: Limits) -> Array:
    """The elements of `tensor`, C-contiguous and read-only.

    Raises ProgramRefused for external data, or where the bytes do not match the shape.
    """
    if tensor.data_location != TensorProto.DEFAULT or tensor.external_data:
        raise ProgramRefused(f"{what} keeps its data outside the file", hint="Save the model as one file.")
    if tensor.HasField("segment"):
        raise ProgramRefused(f"{what} is stored in segments")
    dtype = dtype_of(tensor.data_type, what)
    shape = tuple(tensor.dims)
    check_shape(what, dtype, shape, limits)
    size = prod(shape)
    if tensor.HasField("raw_data"):
        raw = tensor.raw_data
        if len(raw) != size * dtype.itemsize:
            raise ProgramRefused(f"{what} has {len(raw)} bytes of data for shape {shape} of {dtype}")
        array = np.frombuffer(raw, dtype.numpy)
    else:
        array = _typed_array(tensor, dtype, size, what)
    if dtype is DType.BOOL:
        # Any non-zero byte counts as true, and is stored as 1, so that equal tensors have equal bytes.
        array = array.view(np.uint8) != 0
    array = array.reshape(shape)
    array.setflags(write=False)
    return array


def _typed_array(tensor: TensorProto, dtype: DType, size: int, what: str) -> Array:
    """Elements from the typed fields (float_data, int32_data, int64_data, uint64_data)."""
    if dtype is DType.FLOAT32:
        values = tensor.float_data
    elif dtype is DType.INT64:
        values = tensor.int64_data
    elif dtype in (DType.UINT64, DType.UINT32):
        values = tensor.uint64_data
    else:
        values = tensor.int32_data
    if len(values) != size:
        raise ProgramRefused(f"{what} has {len(values)} elements of data for {size}")
    if dtype in (DType.FLOAT16, DType.BFLOAT16):
        return np.array(values, np.int64).astype(np.uint16).view(dtype.numpy)
    if dtype is DType.FLOAT32:
        return np.array(values, np.float32)
    wide = np.array(values, np.uint64 if dtype in (DType.UINT64, DType.UINT32) else np.int64)
    return wide.astype(np.uint8 if dtype is DType.BOOL else dtype.numpy)
