"""Element types and tensor types."""

from __future__ import annotations

from enum import StrEnum
from math import prod
from typing import Any

import ml_dtypes
import msgspec
import numpy as np

__all__ = ["DType", "Port"]


class DType(StrEnum):
    """Element types of exact-1; the values are numpy's names (bfloat16 through ml_dtypes). There is no float64."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    INT64 = "int64"
    INT32 = "int32"
    INT16 = "int16"
    INT8 = "int8"
    UINT64 = "uint64"
    UINT32 = "uint32"
    UINT16 = "uint16"
    UINT8 = "uint8"
    BOOL = "bool"

    @property
    def numpy(self) -> np.dtype[Any]:
        """The numpy dtype, little-endian."""
        return _NUMPY[self]

    @property
    def itemsize(self) -> int:
        """Bytes per element in memory; a bool takes one."""
        return _NUMPY[self].itemsize

    @property
    def is_float(self) -> bool:
        """Whether values are computed in binary32."""
        return self in (DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16)

    @property
    def is_signed(self) -> bool:
        """Whether it is a signed integer."""
        return self.value.startswith("int")

    @property
    def is_integer(self) -> bool:
        """Whether it is an integer type (bool is not)."""
        return self.value.lstrip("u").startswith("int")

    @property
    def bits(self) -> int:
        """Width of an element in bits."""
        return self.itemsize * 8

    @classmethod
    def of(cls, array: np.ndarray[Any, Any]) -> DType:
        """The element type of a numpy array. Raises ValueError if exact-1 does not have it."""
        return cls(array.dtype.name)


_NUMPY: dict[DType, np.dtype[Any]] = {
    dtype: np.dtype(ml_dtypes.bfloat16 if dtype is DType.BFLOAT16 else dtype.value) for dtype in DType
}


class Port(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named tensor with its type: an input, an output or a constant of a program."""

    name: str
    dtype: DType
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return self.size * self.dtype.itemsize
