"""Tables of element types and of what a cast does at their ends."""

from __future__ import annotations

import numpy as np

from ..types import DType
from .table import table

__all__ = ["cast_table", "type_table"]

_MEMORY = {
    DType.FLOAT32: "IEEE 754 binary32",
    DType.FLOAT16: "IEEE 754 binary16",
    DType.BFLOAT16: "the upper half of a binary32",
    DType.BOOL: "one byte, 0 or 1",
}
_NAN = {DType.FLOAT32: "`7fc00000`", DType.FLOAT16: "`7e00`", DType.BFLOAT16: "`7fc0`"}


def _range(dtype: DType) -> tuple[int, int]:
    """Least and greatest value of an integer type."""
    if dtype.is_signed:
        return -(2 ** (dtype.bits - 1)), 2 ** (dtype.bits - 1) - 1
    return 0, 2**dtype.bits - 1


def type_table() -> str:
    """Every element type: its width, its bits in memory, what it is computed as, its canonical NaN."""
    rows = []
    for dtype in DType:
        complement = "two's complement" if dtype.is_signed else "unsigned"
        computed = "binary32" if dtype.is_float else "true, false" if dtype is DType.BOOL else "itself, wrapping"
        nan = _NAN.get(dtype, "")
        rows.append((dtype.value, str(dtype.bits), _MEMORY.get(dtype, complement), computed, nan))
    return table(("type", "bits", "in memory (little-endian)", "computed as", "the one NaN"), rows)


def _number(value: int) -> str:
    """A bound of an integer type as a power of two where it is a long one."""
    if abs(value) < 2**16:
        return str(value)
    if value < 0:
        return f"-2^{(-value).bit_length() - 1}"
    return f"2^{(value + 1).bit_length() - 1} - 1"


def cast_table() -> str:
    """For each integer type: what float casts to it give, and the last binary32 numbers that do not saturate."""
    rows = []
    for dtype in DType:
        if not dtype.is_integer:
            continue
        least, greatest = _range(dtype)
        above = np.float32(greatest + 1)  # a power of two
        last = np.nextafter(above, np.float32(0))
        bits = f"`{last.view(np.uint32):08x}`"
        low = f"x <= {_number(least)}" if least else "x <= 0"
        rows.append(
            (
                dtype.value,
                f"{low} gives {_number(least)}",
                f"x >= {_number(greatest).removesuffix(' - 1') if greatest >= 2**16 else greatest + 1} gives "
                f"{_number(greatest)}",
                f"{bits} gives {int(last)}",
            )
        )
    return table(("from float to", "at the lower end", "at the upper end", "greatest float below the upper end"), rows)
