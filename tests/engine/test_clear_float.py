"""binary32 in numpy against libm's fmaf and against exact fractions."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from assay.engine.clear_float import fma, store, to_integer, widen
from assay.program.types import DType

LIBM = ctypes.CDLL("libm.so.6")
LIBM.fmaf.restype, LIBM.fmaf.argtypes = ctypes.c_float, [ctypes.c_float] * 3


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


def from_bits(bits: object) -> np.ndarray:
    return np.asarray(bits, np.uint32).view(np.float32)


def same(a: np.ndarray, b: np.ndarray) -> None:
    """Equal bits, all NaN alike."""
    different = (a.view(np.uint32) != b.view(np.uint32)) & ~(np.isnan(a) & np.isnan(b))
    assert not different.any(), np.flatnonzero(different)[:5]


def libm(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    call = LIBM.fmaf
    return np.array([call(*t) for t in zip(a.tolist(), b.tolist(), c.tolist(), strict=True)], np.float32)


def operands(kind: str, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(len(kind))
    a, b, c = (from_bits(rng.integers(0, 1 << 32, n, dtype=np.uint32)) for _ in range(3))
    if kind == "ordinary":
        return tuple(rng.normal(0, 1, n).astype(np.float32) for _ in range(3))  # type: ignore[return-value]
    if kind == "cancelling":
        a, b = (from_bits(rng.integers(0x30000000, 0x4F000000, n, dtype=np.uint32)) for _ in range(2))
        nudge = rng.integers(-2, 3, n).astype(np.int32)
        return a, b, (-(a * b).view(np.int32) + nudge).view(np.float32) * np.float32(1)
    if kind == "halfway":  # the product ends in a half of the sum's last bit, c or the product tips it
        a = from_bits(rng.integers(0x3F800000, 0x40000000, n, dtype=np.uint32))
        b = (2.0 ** rng.integers(-26, -22, n)).astype(np.float32) * (1 + rng.integers(0, 2, n) * np.float32(2**-23))
        return a, b.astype(np.float32), from_bits(rng.integers(0x3F800000, 0x40000000, n, dtype=np.uint32))
    if kind == "subnormal":
        a = from_bits(rng.integers(0x1F000000, 0x21000000, n, dtype=np.uint32))
        b = from_bits(rng.integers(0x1E000000, 0x20800000, n, dtype=np.uint32))
        return a, b, from_bits(rng.integers(0, 0x00FFFFFF, n, dtype=np.uint32) | rng.choice([0, 1 << 31], n))
    if kind == "overflowing":
        a = from_bits(rng.integers(0x5F000000, 0x5F800001, n, dtype=np.uint32))
        b = from_bits(rng.integers(0x5F000000, 0x60000000, n, dtype=np.uint32))
        return a, b, from_bits(rng.integers(0x7E000000, 0x7F800001, n, dtype=np.uint32) | rng.choice([0, 1 << 31], n))
    return a, b, c


KINDS = ["any bits", "ordinary", "cancelling", "halfway", "subnormal", "overflowing"]


@pytest.mark.parametrize("kind", KINDS)
def test_fma_is_libms(kind: str) -> None:
    a, b, c = operands(kind, 60_000)
    same(fma(a, b, c), libm(a, b, c))


def test_fma_on_every_pair_of_special_values() -> None:
    special = from_bits(
        [
            0,
            1,
            0x007FFFFF,
            0x00800000,
            0x33800000,
            0x3F7FFFFF,
            0x3F800000,
            0x3F800001,
            0x7F7FFFFF,
            0x7F800000,
            0x7FC00000,
        ]
    )
    special = np.concatenate([special, -special])
    a, b, c = (np.ascontiguousarray(x.ravel()) for x in np.meshgrid(special, special, special))
    same(fma(a, b, c), libm(a, b, c))


def test_rounding_twice_would_be_wrong() -> None:
    """(1 - 2^-23)·(1 + 2^-23) + 2^24 + 2 lies just below a tie; binary64 loses that, and the tie goes up."""
    a, b, c = (np.array([v], np.float32) for v in (1 - 2.0**-23, 1 + 2.0**-23, 2.0**24 + 2))
    assert fma(a, b, c)[0] == 2.0**24 + 2
    assert (a.astype(np.float64) * b + c).astype(np.float32)[0] == 2.0**24 + 4


def rounded(x: Fraction, digits: int, least: int) -> Fraction:
    """x > 0 rounded to nearest even with `digits` bits, no finer than 2^least."""
    exponent = x.numerator.bit_length() - x.denominator.bit_length()
    exponent -= x < Fraction(2) ** exponent
    unit = Fraction(2) ** max(exponent - digits + 1, least)
    return round(x / unit) * unit  # Python's round takes ties to even


@pytest.mark.parametrize(
    ("dtype", "digits", "least", "top"),
    [(DType.FLOAT16, 11, -24, Fraction(65536)), (DType.BFLOAT16, 8, -133, Fraction(2) ** 128)],
)
def test_storing_rounds_once_to_even(dtype: DType, digits: int, least: int, top: Fraction) -> None:
    every = np.arange(0, {DType.FLOAT16: 0x7C00, DType.BFLOAT16: 0x7F80}[dtype], 3, dtype=np.uint16).view(dtype.numpy)
    x = every.astype(np.float32)
    middle = ((x.astype(np.float64) + np.append(x[1:], x[-1])) / 2).astype(np.float32)
    half = (x.view(np.uint32) + np.uint32(1 << (23 - digits))).view(np.float32)
    x = np.concatenate([x, middle, half, np.nextafter(half, np.float32(0)), np.nextafter(half, np.float32(3e38))])
    x = x[(x > 0) & np.isfinite(x)][:: 1 if dtype is DType.BFLOAT16 else 2]
    got = store(x, dtype).astype(np.float64)
    for value, result in zip(x.tolist(), got.tolist(), strict=True):
        exact = rounded(Fraction(value), digits, least)
        assert (result == np.inf) if exact >= top else (Fraction(result) == exact), value
    assert np.array_equal(store(-x, dtype).astype(np.float64), -got)


@pytest.mark.parametrize(
    ("dtype", "bits"), [(DType.FLOAT32, 0x7FC00000), (DType.FLOAT16, 0x7E00), (DType.BFLOAT16, 0x7FC0)]
)
def test_storing_makes_nan_canonical(dtype: DType, bits: int) -> None:
    nans = from_bits([0x7F800001, 0xFFC00000, 0x7FC00001, 0xFF812345, 0x3F800000])
    stored = store(nans, dtype).view(f"u{dtype.itemsize}")
    assert stored[:4].tolist() == [bits] * 4
    assert store(nans, dtype)[4] == 1.0


def test_widening_is_exact() -> None:
    halves = np.arange(0x7C00, dtype=np.uint16)
    assert np.array_equal(widen(halves.view(np.float16)), halves.view(np.float16).astype(np.float64))
    brains = np.arange(0x7F80, dtype=np.uint16)
    assert widen(brains.view(ml_dtypes.bfloat16)).view(np.uint32).tolist() == [b << 16 for b in brains.tolist()]


@pytest.mark.parametrize("dtype", [d for d in DType if d.is_integer])
def test_to_integer_truncates_and_saturates(dtype: DType) -> None:
    low, high = np.iinfo(dtype.numpy).min, np.iinfo(dtype.numpy).max
    x = np.array(
        [0.0, -0.0, 0.99, -0.99, 1.5, -1.5, 1e-45, np.inf, -np.inf, np.nan, 3e38, -3e38, 127.9, 2.0**63, -(2.0**63)]
    )
    x = np.concatenate([x, np.ldexp(1.0, [7, 8, 15, 16, 31, 32, 64]), -np.ldexp(1.0, [7, 8, 15, 16, 31, 32])])
    x = np.concatenate([x, np.nextafter(x.astype(np.float32), np.float32(0))]).astype(np.float32)
    want = [0 if v != v else low if v < low else high if v > high else int(v) for v in x.tolist()]
    got = to_integer(x, dtype)
    assert got.dtype == dtype.numpy
    assert got.tolist() == want
