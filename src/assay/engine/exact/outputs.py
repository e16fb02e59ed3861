"""Memory for outputs that is used again once nobody holds them: fresh pages cost more than many a kernel."""

from __future__ import annotations

import sys
from collections import defaultdict
from math import prod
from typing import Any

import numpy as np

__all__ = ["Outputs"]

Array = np.ndarray[Any, Any]

LEAST = 1 << 16
"""Smaller arrays come from the allocator, which keeps their memory itself."""


def _references(blocks: list[Array], n: int) -> int:
    return sys.getrefcount(blocks[n])


IDLE = _references([np.empty(0, np.uint8)], 0)
"""References to a block that only its list and the question hold; how many those are is the interpreter's affair."""


class Outputs:
    """Hands out arrays. Every view of an array refers to its block, so a block that nobody refers to is free.

    It keeps at most as much memory as was in use at one time, and none of it beyond its own life: what is still held
    then lives on. Not for two callers at once.
    """

    def __init__(self) -> None:
        self._blocks: dict[int, list[Array]] = defaultdict(list)

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array of this type, with anything in it; its memory starts at a cache line."""
        size = prod(shape) * np.dtype(dtype).itemsize
        if size < LEAST:
            return np.empty(shape, dtype)
        blocks = self._blocks[size]
        found = next((n for n in range(len(blocks)) if _references(blocks, n) <= IDLE), None)
        if found is None:
            found = len(blocks)
            blocks.append(np.empty(size + 64, np.uint8))
        block = blocks[found]
        start = -block.ctypes.data % 64
        return block[start : start + size].view(dtype).reshape(shape)
