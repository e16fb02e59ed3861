"""Axes in a kernel's code: ten bytes, nine for each stride that is not zero, and what is not usual."""

from __future__ import annotations

from collections.abc import Sequence

from assay.errors import ProgramRefused

from .kernel import Axis

__all__ = ["Cursor", "axis_bytes", "read_axis", "sized"]

_OFFSET, _DIVISOR, _INDEX = 1, 2, 4


def sized(number: int, size: int, what: str) -> bytes:
    """`number` as `size` unsigned big-endian bytes. Raises ProgramRefused if it does not fit."""
    if not 0 <= number < 1 << (8 * size):
        raise ProgramRefused(f"the referee could not execute this program: {what} does not fit into {size} bytes")
    return number.to_bytes(size, "big")


def _signed(number: int, what: str) -> bytes:
    if not -(2**63) <= number < 2**63:
        raise ProgramRefused(f"the referee could not execute this program: {what} does not fit into 64 bits")
    return number.to_bytes(8, "big", signed=True)


def axis_bytes(axis: Axis, extent: int, domain: int, ordinals: dict[int, int]) -> bytes:
    """extent 8, flags 1, strides 1, [offset 8], [divisor 8], [index 1], and each stride that is not zero: axis 1, stride 8.

    What is in brackets is there if its flag (1, 2, 4) is; else offset 0, divisor 1, no index. Axes are counted through
    the `domain` axes of the domain, then the fold's; `ordinals` counts the operands that are indices. A coordinate has
    extent 0.
    """
    strides = [*enumerate(axis.strides), *enumerate(axis.fold_strides, domain)]
    kept = [(at, stride) for at, stride in strides if stride]
    flags = _OFFSET * (axis.offset != 0) | _DIVISOR * (axis.divisor != 1) | _INDEX * (axis.indirect != -1)
    parts = [sized(extent, 8, "an extent"), bytes([flags, len(kept)])]
    if flags & _OFFSET:
        parts.append(_signed(axis.offset, "an offset"))
    if flags & _DIVISOR:
        parts.append(sized(axis.divisor, 8, "a divisor"))
    if flags & _INDEX:
        parts.append(bytes([ordinals[axis.indirect]]))
    parts += [bytes([at]) + _signed(stride, "a stride") for at, stride in kept]
    return b"".join(parts)


class Cursor:
    """Reads unsigned big-endian numbers one after the other. Raises IndexError where the bytes are over."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> int:
        """The next `size` bytes."""
        if self._at + size > len(self._data):
            raise IndexError("the bytes end too early")
        self._at += size
        return int.from_bytes(self._data[self._at - size : self._at], "big")

    def end(self) -> None:
        """Raises ValueError if bytes are left."""
        if self._at != len(self._data):
            raise ValueError(f"{len(self._data) - self._at} bytes are left over")


def read_axis(at: Cursor, domain: int, fold: int, indices: Sequence[int]) -> tuple[int, Axis]:
    """(extent, axis) from the cursor; `indices` has the operands that are indices. Raises IndexError, ValueError."""
    extent, flags, count = at.take(8), at.take(1), at.take(1)
    offset = _as_signed(at.take(8)) if flags & _OFFSET else 0
    divisor = at.take(8) if flags & _DIVISOR else 1
    index = indices[at.take(1)] if flags & _INDEX else -1
    strides = [0] * (domain + fold)
    for _ in range(count):
        axis, stride = at.take(1), at.take(8)
        strides[axis] = _as_signed(stride)
    return extent, Axis(tuple(strides[:domain]), tuple(strides[domain:]), offset, divisor, index)


def _as_signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number
