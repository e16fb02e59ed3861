"""Arrays that end (or begin) where memory may not be touched: who reads or writes beyond them ends the process."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest import mock

import numpy as np

from assay.engine.exact import executable
from assay.engine.exact.outputs import Outputs

__all__ = ["guarded", "guarding"]

Array = np.ndarray[Any, Any]
PAGE = mmap.PAGESIZE
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def guarded(array: Array, at_end: bool = True) -> Array:
    """A copy with a forbidden page right behind it (or right before it)."""
    pages = -(-max(array.nbytes, 1) // PAGE)
    memory = mmap.mmap(-1, (pages + 2) * PAGE)
    whole = np.frombuffer(memory, np.uint8)
    for page in (0, pages + 1):
        if LIBC.mprotect(whole.ctypes.data + page * PAGE, PAGE, 0):  # 0 is PROT_NONE
            raise OSError(ctypes.get_errno(), "mprotect")
    start = (pages + 1) * PAGE - array.nbytes if at_end else PAGE
    copy = whole[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


class _Numpy:
    """numpy, but what it makes contiguous is guarded."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def ascontiguousarray(self, array: Array) -> Array:
        return guarded(np.ascontiguousarray(array), self._random.random() < 0.7)


@contextmanager
def guarding(random: Random) -> Iterator[None]:
    """Within this, the outputs and constants of compiled programs are guarded."""

    def take(_: Outputs, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        return guarded(np.full(shape, 0xA5, np.uint8).astype(dtype), random.random() < 0.7)

    with mock.patch.object(executable, "np", _Numpy(random)), mock.patch.object(Outputs, "take", take):
        yield
