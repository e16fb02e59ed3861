"""Axes in a kernel's code: 26 bytes and nine for each stride that is not zero."""

from __future__ import annotations

from assay.errors import ProgramRefused

from .kernel import Axis

__all__ = ["NO_INDEX", "Cursor", "axis_bytes", "read_axis", "sized"]

NO_INDEX = 255
"""Stands for "no operand" where an axis names the operand that it takes as an index."""


def sized(number: int, size: int, what: str) -> bytes:
    """`number` as `size` unsigned big-endian bytes. Raises ProgramRefused if it does not fit."""
    if not 0 <= number < 1 << (8 * size):
        raise ProgramRefused(f"the referee could not execute this program: {what} does not fit into {size} bytes")
    return number.to_bytes(size, "big")


def _signed(number: int, what: str) -> bytes:
    if not -(2**63) <= number < 2**63:
        raise ProgramRefused(f"the referee could not execute this program: {what} does not fit into 64 bits")
    return number.to_bytes(8, "big", signed=True)


def axis_bytes(axis: Axis, extent: int, domain: int) -> bytes:
    """extent 8, offset 8, divisor 8, indirect 1, strides 1, and for each stride that is not zero: axis 1, stride 8.

    Axes are counted through the `domain` axes of the domain, then the fold's. A coordinate has extent 0.
    """
    strides = [*enumerate(axis.strides), *enumerate(axis.fold_strides, domain)]
    kept = [(at, stride) for at, stride in strides if stride]
    parts = [sized(extent, 8, "an extent"), _signed(axis.offset, "an offset"), sized(axis.divisor, 8, "a divisor")]
    parts.append(bytes([NO_INDEX if axis.indirect == -1 else axis.indirect, len(kept)]))
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


def read_axis(at: Cursor, domain: int, fold: int) -> tuple[int, Axis]:
    """(extent, axis) from the cursor. Raises IndexError, ValueError."""
    extent, offset, divisor, indirect, count = (at.take(size) for size in (8, 8, 8, 1, 1))
    strides = [0] * (domain + fold)
    for _ in range(count):
        axis, stride = at.take(1), at.take(8)
        strides[axis] = _as_signed(stride)
    index = -1 if indirect == NO_INDEX else indirect
    return extent, Axis(tuple(strides[:domain]), tuple(strides[domain:]), _as_signed(offset), divisor, index)


def _as_signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number
