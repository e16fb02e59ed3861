"""Named arrays as bytes: what is hashed, stored and fed to an engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from assay.errors import UsageError
from assay.program.types import DType, Port

__all__ = ["Array", "State", "by_name", "dtype_of", "raw", "unfit"]

Array = np.ndarray[Any, Any]

State = dict[str, Array]
"""The named tensors that a program carries from step to step."""


_KNOWN = {dtype.numpy: dtype for dtype in DType}


def dtype_of(name: str, array: Array) -> DType:
    """The element type of `array`. Raises UsageError for one that exact-1 does not have (float64, complex, object)."""
    known = _KNOWN.get(array.dtype)
    if known is not None:
        return known
    try:
        return DType.of(array)
    except ValueError:
        raise UsageError(f"tensor {name!r} has element type {array.dtype}, which exact-1 does not have") from None


def raw(array: Array) -> memoryview:
    """The row-major little-endian bytes of `array`; copies only if it is not laid out so already."""
    little = array.dtype.newbyteorder("<") if array.dtype.byteorder == ">" else array.dtype
    return np.asarray(array, dtype=little, order="C").reshape(-1).view(np.uint8).data


def by_name(names: Mapping[str, object]) -> list[str]:
    """The names in the order of their UTF-8 bytes: the order of every commitment."""
    return sorted(names, key=lambda name: name.encode())


def unfit(tensors: Mapping[str, Array], ports: Mapping[str, Port]) -> str:
    """Why `tensors` are not exactly the tensors that `ports` announce, or "" if they are."""
    if tensors.keys() != ports.keys():
        missing, unknown = sorted(ports.keys() - tensors.keys()), sorted(tensors.keys() - ports.keys())
        return f"missing tensors {missing[:3]}, unknown tensors {unknown[:3]}"
    for name, port in ports.items():
        array = tensors[name]
        if array.dtype != port.dtype.numpy or array.shape != port.shape:
            return f"tensor {name!r} is {array.dtype}{list(array.shape)}, not {port.dtype}{list(port.shape)}"
    return ""
