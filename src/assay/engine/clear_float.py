"""binary32 arithmetic on numpy arrays, as exact-1 wants it: fused multiply-add, storage rounding, canonical NaN."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..program.types import DType

__all__ = ["Array", "NumpyOps", "add_once", "fma", "store", "to_integer", "widen"]

Array = np.ndarray[Any, np.dtype[Any]]

NAN_BITS = {DType.FLOAT32: 0x7FC00000, DType.FLOAT16: 0x7E00, DType.BFLOAT16: 0x7FC0}
"""The one NaN that is ever stored, by type."""


def widen(x: Array) -> Array:
    """Float16 and bfloat16 as float32, exactly; anything else as it is."""
    return x if x.dtype.kind in "iub" else x.astype(np.float32, copy=False)


def store(x: Array, dtype: DType) -> Array:
    """What a kernel of type `dtype` writes for the value `x`: floats rounded once to nearest even, NaN canonical."""
    if not dtype.is_float:
        return x
    stored = x.astype(dtype.numpy)
    nan = np.isnan(stored)
    if nan.any():
        bits = np.where(nan, NAN_BITS[dtype], stored.view(f"u{dtype.itemsize}"))
        stored = bits.astype(f"u{dtype.itemsize}").view(dtype.numpy)
    return stored


def add_once(product: Array, c: Array) -> Array:
    """The float64 array `product` plus the float32 array `c`, rounded once to float32.

    The float64 sum is rounded to odd (Boldo and Melquiond 2008): if it is inexact and its last bit is even, it moves
    one step toward the exact sum. With 53 >= 24 + 2 bits the final rounding to float32 is then that of the exact sum,
    subnormal results and overflow included.
    """
    c = c.astype(np.float64)
    s = np.asarray(product + c)
    v = s - product
    error = (product - (s - v)) + (c - v)  # exact (Knuth's two-sum); NaN where s is infinite or NaN
    bits = s.view(np.int64)
    step = np.where((error > 0) == (s > 0), 1, -1)
    move = ((error > 0) | (error < 0)) & ((bits & 1) == 0)
    return (bits + np.where(move, step, 0)).view(np.float64).astype(np.float32)


def fma(a: Array, b: Array, c: Array) -> Array:
    """a·b + c in float32, rounded once; the float64 product of two float32 is exact."""
    return add_once(np.asarray(a, np.float64) * np.asarray(b, np.float64), np.asarray(c, np.float32))


def to_integer(x: Array, dtype: DType) -> Array:
    """Float32 to an integer type: toward zero, saturating, NaN gives 0."""
    low, high = (-(2 ** (dtype.bits - 1)), 2 ** (dtype.bits - 1)) if dtype.is_signed else (0, 2**dtype.bits)
    t = np.trunc(x.astype(np.float64))
    inside = (t >= low) & (t < high)
    y = np.where(inside, t, 0.0).astype(dtype.numpy)
    y = np.where(t >= high, dtype.numpy.type(high - 1), y)
    return np.where(t < low, dtype.numpy.type(low), y)


class NumpyOps:
    """`Ops` on float32, int32 and bool arrays. Run it under np.errstate(all="ignore")."""

    def f32(self, value: float | int) -> Array:
        return np.uint32(value).view(np.float32) if isinstance(value, int) else np.float32(value)  # type: ignore[return-value]

    def i32(self, value: int) -> Array:
        return np.int32(value)  # type: ignore[return-value]

    add = staticmethod(np.add)
    sub = staticmethod(np.subtract)
    mul = staticmethod(np.multiply)
    div = staticmethod(np.divide)
    fma = staticmethod(fma)
    sqrt = staticmethod(np.sqrt)
    neg = staticmethod(np.negative)
    abs = staticmethod(np.abs)
    floor = staticmethod(np.floor)
    round = staticmethod(np.rint)
    lt = staticmethod(np.less)
    le = staticmethod(np.less_equal)
    gt = staticmethod(np.greater)
    ge = staticmethod(np.greater_equal)
    eq = staticmethod(np.equal)
    select = staticmethod(np.where)
    iadd = staticmethod(np.add)
    isub = staticmethod(np.subtract)
    imul = staticmethod(np.multiply)
    iand = staticmethod(np.bitwise_and)
    ior = staticmethod(np.bitwise_or)
    ixor = staticmethod(np.bitwise_xor)
    ishl = staticmethod(np.left_shift)
    ishr = staticmethod(np.right_shift)
    band = staticmethod(np.logical_and)
    bor = staticmethod(np.logical_or)
    bnot = staticmethod(np.logical_not)

    def to_int(self, a: Array) -> Array:
        return to_integer(np.asarray(a), DType.INT32)

    def to_float(self, a: Array) -> Array:
        return a.astype(np.float32)

    def bits(self, a: Array) -> Array:
        return a.view(np.int32)

    def from_bits(self, a: Array) -> Array:
        return a.view(np.float32)
