"""Operands for every scalar operation, chosen to hurt; and what the engine makes of them.

Patterns are uint64 arrays of bits. Each operand set is a mixture: any bits, exponents close together, terms that cancel, results
at the edge of the subnormal and of the overflowing, halves of a last bit, few-bit significands, all pairs of special values,
edges of integers, and for named functions where they are least accurate (bench/accuracy.json) and where their pieces meet.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from assay.engine.clear_float import store, widen
from assay.engine.clear_ops import apply
from assay.program.functions import FUNCTIONS
from assay.program.scalar import OPS
from assay.program.types import DType

Bits = np.ndarray
F32, BOOL = DType.FLOAT32, DType.BOOL
INTEGERS = [d for d in DType if d.is_integer]
COMPUTED = [F32, *INTEGERS, BOOL]
FLOATS = [d for d in DType if d.is_float]
SIGN = 1 << 31
ACCURACY = Path(__file__).resolve().parents[2] / "bench" / "accuracy.json"


class Case(NamedTuple):
    """A scalar operation on operands of `kind` in a kernel of type `out`."""

    op: str
    kind: DType
    out: DType

    def __str__(self) -> str:
        return f"{self.op} {self.kind}" + (f" {self.out}" if OPS[self.op].result == "output" else "")


def cases() -> Iterator[Case]:
    """Every operation but `first`, with every type that it takes and, where that counts, gives."""
    for op, shape in OPS.items():
        if op == "cast":
            yield from (Case(op, kind, out) for kind in COMPUTED for out in DType)
        elif op == "bitcast":
            sized = [d for d in DType if d is not BOOL]
            yield from (Case(op, a, b) for a in sized for b in sized if a.bits == b.bits)
        elif op != "first":
            yield from (Case(op, kind, kind) for kind in COMPUTED if _letter(kind) in shape.domain)


def _letter(kind: DType) -> str:
    return "f" if kind.is_float else "b" if kind is BOOL else "i"


def array(bits: Bits, dtype: DType) -> np.ndarray:
    """Bits as elements."""
    if dtype is BOOL:
        return bits != 0
    return bits.astype(f"u{dtype.itemsize}").view(dtype.numpy)


def bits_of(x: np.ndarray) -> Bits:
    """Elements as bits."""
    return x.astype(np.uint64) if x.dtype == bool else x.view(f"u{x.dtype.itemsize}").astype(np.uint64)


def engine(case: Case, operands: list[Bits]) -> Bits:
    """The engine's results, as `apply` of contract and arbiter gives them: floats as binary32 with the one NaN."""
    kinds = [BOOL if case.op == "select" and n == 0 else case.kind for n in range(len(operands))]
    with np.errstate(all="ignore"):
        y = apply(case.op, [array(b, k) for b, k in zip(operands, kinds, strict=True)], case.out)
        return bits_of(store(widen(y), F32) if _is_float(y) else y)


def engine_store(bits: Bits, dtype: DType) -> Bits:
    """What the engine stores of binary32 values."""
    with np.errstate(all="ignore"):
        return bits_of(store(array(bits, F32), dtype))


def engine_widen(bits: Bits, dtype: DType) -> Bits:
    """What the engine reads of stored bits, with the one NaN."""
    with np.errstate(all="ignore"):
        return bits_of(store(widen(array(bits, dtype)), F32) if dtype.is_float else array(bits, dtype))


def _is_float(x: np.ndarray) -> bool:
    return x.dtype.kind not in "iub"


def patterns(case: Case, n: int, seed: int = 0) -> list[Bits]:
    """n operand sets for a case."""
    rng = np.random.default_rng([seed, *str(case).encode()])
    arity = OPS[case.op].arity
    if case.op == "select":
        return [rng.integers(0, 2, n).astype(np.uint64), *_mixed(case.kind, 2, n, rng)]
    if case.op in FUNCTIONS:
        return _named(case.op, arity, n, rng)
    if case.op == "cast" and case.kind is F32:
        return _mixture([_float_unary, _near_limits], 1, n, rng)
    if case.op == "cast" and case.kind is not BOOL and case.out.is_float:
        kind = case.kind
        return _mixture([lambda a, m, r: _integers(kind, a, m, r), lambda a, m, r: [_ties(kind, m, r)]], 1, n, rng)
    if case.op in ("shl", "shr"):
        values, amounts = _mixed(case.kind, 2, n, rng)
        near = rng.integers(0, 2 * case.kind.bits + 1, n).astype(np.uint64)
        mask = np.uint64((1 << case.kind.bits) - 1)
        return [values, np.where(rng.random(n) < 0.7, near, amounts) & mask]
    return _mixed(case.kind, arity, n, rng)


def _mixed(kind: DType, arity: int, n: int, rng: np.random.Generator) -> list[Bits]:
    if kind is BOOL:
        return [rng.integers(0, 2, n).astype(np.uint64) for _ in range(arity)]
    if kind.is_integer or kind.bits == 16:
        return _integers(kind, arity, n, rng)
    if arity == 1:
        return _float_unary(arity, n, rng)
    makers = [_any, _near, _ordinary, _cancelling, _halfway, _subnormal, _overflowing, _special, _extreme, _few]
    return _mixture(makers, arity, n, rng)


Maker = Callable[[int, int, np.random.Generator], list[Bits]]


def _mixture(makers: list[Maker], arity: int, n: int, rng: np.random.Generator) -> list[Bits]:
    """Equal parts of each, in random order."""
    parts = [maker(arity, -(-n // len(makers)), rng) for maker in makers]
    order = rng.permutation(sum(len(p[0]) for p in parts))[:n]
    return [np.concatenate([p[k] for p in parts])[order].astype(np.uint64) for k in range(arity)]


# --- floats


def _words(low: int, high: int, n: int, rng: np.random.Generator, signed: bool = True) -> Bits:
    bits = rng.integers(low, high, n, dtype=np.uint64)
    return bits | rng.integers(0, 2, n, dtype=np.uint64) << np.uint64(31) if signed else bits


def _any(arity: int, n: int, rng: np.random.Generator) -> list[Bits]:
    return [_words(0, 1 << 32, n, rng, False) for _ in range(arity)]


def _near(arity: int, n: int, rng: np.random.Generator) -> list[Bits]:
    """Exponents within 30 of each other; the last operand at the exponent of a product."""
    base = rng.integers(32, 224, n)
    out = [_compose(base + rng.integers(-15, 16, n), _fraction(n, rng), rng) for _ in range(arity)]
    if arity == 3:
        top = (out[0] >> np.uint64(23) & np.uint64(255)).astype(int) + (out[1] >> np.uint64(23) & np.uint64(255)) - 127
        out[2] = _compose(np.clip(top + rng.integers(-50, 51, n), 0, 254), _fraction(n, rng), rng)
    return out


def _fraction(n: int, rng: np.random.Generator) -> Bits:
    return rng.integers(0, 1 << 23, n, dtype=np.uint64)


def _compose(exponent: np.ndarray, fraction: Bits, rng: np.random.Generator) -> Bits:
    sign = rng.integers(0, 2, len(fraction), dtype=np.uint64) << np.uint64(31)
    return sign | exponent.astype(np.uint64) << np.uint64(23) | fraction


def _ordinary(arity: int, n: int, rng: np.random.Generator) -> list[Bits]:
    return [bits_of(rng.normal(0, 1, n).astype(np.float32)) for _ in range(arity)]


def _cancelling(arity: int, n: int, rng: np.random.Generator) -> list[Bits]:
    """The last operand is minus the product (or the first operand) but for a few last bits."""
    out = [_words(0x30000000, 0x4F000000, n, rng) for _ in range(arity)]
    with np.errstate(all="ignore"):
        first = array(out[0], F32) * array(out[1], F32) if arity == 3 else array(out[0], F32)
    minus = bits_of(first) ^ np.uint64(SIGN)
    flip = rng.integers(0, 2, n, dtype=np.uint64) << np.uint64(31)
    out[-1] = (minus + rng.integers(-2, 3, n).astype(np.uint64) & np.uint64(0xFFFFFFFF)) ^ flip
    return out


def _halfway(arity: int, n: int, rng: np.random.Generator) -> list[Bits]:
    """Sums and products whose exact value is half a last bit off, or a hair from there."""
    a = _words(0x3F800000, 0x40000000, n, rng)
    scale = rng.integers(127 - 26, 127 - 21, n)
    b = _compose(scale, rng.integers(0, 3, n, dtype=np.uint64) * rng.choice([0, 1, 1 << 22], n).astype(np.uint64), rng)
    if arity == 3:
        return [a, b, _words(0x3F800000, 0x40000000, n, rng)]
    return [a, b][:arity]


def _subnormal(arity: int, n: int, rng: np.random.Generator) -> list[Bits]:
    """Results near the least normal and the least subnormal number, and operands that are subnormal."""
    tiny = [_words(0, 0x01800000, n, rng) for _ in range(arity)]
    a, b = _words(0x1B000000, 0x21000000, n, rng), _words(0x1B000000, 0x21000000, n, rng)
    product = rng.random(n) < 0.6
    out = [np.where(product, a, tiny[0]), *(np.where(product, b, t) for t in tiny[1:2]), *tiny[2:]]
    if arity == 2:  # and quotients
        large = rng.random(n) < 0.3
        out = [np.where(large, tiny[0], out[0]), np.where(large, _words(0x3E000000, 0x4C000000, n, rng), out[1])]
    return out


def _overflowing(arity: int, n: int, rng: np.random.Generator) -> list[Bits]:
    a, b = _words(0x5E800000, 0x60000000, n, rng), _words(0x5E800000, 0x60000000, n, rng)
    huge = [_words(0x7E000000, 0x7F800001, n, rng) for _ in range(arity)]
    product = rng.random(n) < 0.5
    out = [np.where(product, a, huge[0]), *(np.where(product, b, h) for h in huge[1:2]), *huge[2:]]
    if arity == 2:
        small = rng.random(n) < 0.3
        out[1] = np.where(small, _words(0x3E000000, 0x40000000, n, rng), out[1])
    return out


SPECIAL = np.array(
    [
        0, 1, 2, 0x007FFFFF, 0x00800000, 0x00800001, 0x00FFFFFF, 0x01000000, 0x33800000, 0x34000000, 0x3EFFFFFF, 0x3F000000,
        0x3F000001, 0x3F7FFFFF, 0x3F800000, 0x3F800001, 0x3FC00000, 0x40000000, 0x40200000, 0x4AFFFFFF, 0x4B000000, 0x4B000001,
        0x4B7FFFFF, 0x4B800000, 0x4EFFFFFF, 0x4F000000, 0x5F000000, 0x7E800000, 0x7F000000, 0x7F7FFFFF, 0x7F800000, 0x7F800001,
        0x7FC00000, 0x7FFFFFFF,
    ],
    np.uint64,
)  # fmt: skip


def _special(arity: int, n: int, rng: np.random.Generator) -> list[Bits]:
    values = np.concatenate([SPECIAL, SPECIAL | np.uint64(SIGN)])
    return [rng.choice(values, n) for _ in range(arity)]


EXTREME = np.array([0, 1, 0x3F800000, 0x7F7FFFFF, 0x7F800000, 0x7FC00000], np.uint64)


def _extreme(arity: int, n: int, rng: np.random.Generator) -> list[Bits]:
    """All combinations of zeros, infinities, NaN, and numbers that none of these is."""
    return [rng.choice(EXTREME, n) | _words(0, 1, n, rng) for _ in range(arity)]


def _few(arity: int, n: int, rng: np.random.Generator) -> list[Bits]:
    """Significands with few bits, exponents close together: sums and products that tie."""
    base = rng.choice([1, 30, 64, 127, 140, 190, 230], n)

    def one() -> Bits:
        fraction = np.zeros(n, np.uint64)
        for _ in range(3):
            fraction |= np.uint64(1) << rng.integers(0, 24, n, dtype=np.uint64)
        exponent = np.clip(base + rng.integers(-26, 27, n), 0, 254)
        return _compose(exponent, fraction & np.uint64(0x7FFFFF), rng)

    out = [one() for _ in range(arity)]
    if arity == 3:
        out[1] = _compose(rng.integers(110, 145, n), _fraction(n, rng) & np.uint64(0x700001), rng)
    return out


def _float_unary(arity: int, n: int, rng: np.random.Generator) -> list[Bits]:
    def integers(_: int, m: int, r: np.random.Generator) -> list[Bits]:
        """Where there are integers and halves to be found."""
        kept = np.uint64(0xFFFFFFFF) << r.integers(0, 24, m, dtype=np.uint64)
        return [_words(0x3E000000, 0x4C000000, m, r) & (kept | np.uint64(SIGN))]

    def half(_: int, m: int, r: np.random.Generator) -> list[Bits]:
        """Near the halves of binary16 and bfloat16, subnormal ones too."""
        narrow = array(r.integers(0, 1 << 16, m, dtype=np.uint64), DType.FLOAT16).astype(np.float32)
        brain = array(r.integers(0, 1 << 16, m, dtype=np.uint64), DType.BFLOAT16).astype(np.float32)
        step = bits_of(np.where(r.random(m) < 0.7, narrow, brain)).astype(np.int64)
        nudge = r.choice([0, 1, -1, 0x1000, 0x0FFF, 0x1001, 0x8000, 0x7FFF, 0x8001], m)
        return [(step + nudge).astype(np.uint64) & np.uint64(0xFFFFFFFF)]

    def small_half(_: int, m: int, r: np.random.Generator) -> list[Bits]:
        """Multiples of a quarter of binary16's least number."""
        value = (r.integers(0, 1 << 14, m) * 2.0**-26).astype(np.float32)
        nudge = r.integers(-1, 2, m)
        bits = np.clip(bits_of(value).astype(np.int64) + nudge, 0, None).astype(np.uint64)
        return [bits | r.integers(0, 2, m, dtype=np.uint64) << np.uint64(31)]

    return _mixture([_any, _special, _few, _ordinary, _subnormal, integers, half, small_half], 1, n, rng)


def _near_limits(_: int, n: int, rng: np.random.Generator) -> list[Bits]:
    """Near the ends of integer types."""
    exponent = rng.choice([7, 8, 15, 16, 31, 32, 63, 64], n)
    middle = (exponent + 127).astype(np.int64) << 23
    near = rng.integers(-3, 4, n) * rng.choice([1, 1 << 8, 1 << 15, 1 << 16], n)
    return [(middle + near).astype(np.uint64) | rng.integers(0, 2, n, dtype=np.uint64) << np.uint64(31)]


# --- integers


def _integers(kind: DType, arity: int, n: int, rng: np.random.Generator) -> list[Bits]:
    """Any bits, any magnitude, and edges."""
    width = kind.bits
    mask = np.uint64((1 << width) - 1)
    powers = [1 << p for p in range(width)]
    edges = np.array([e % (1 << width) for p in [0, *powers] for e in (p, p - 1, p + 1, -p, -p + 1, -p - 1)], np.uint64)

    def one() -> Bits:
        whole = rng.integers(0, 1 << 64, n, dtype=np.uint64)
        sized = whole >> rng.integers(0, 64, n, dtype=np.uint64)
        signed = np.where(rng.random(n) < 0.5, sized, ~sized)
        picked = rng.integers(0, 4, n)
        small = rng.integers(-4, 5, n).astype(np.uint64)
        return np.choose(picked, [whole, signed, rng.choice(edges, n), small]) & mask

    return [one() for _ in range(arity)]


def _ties(kind: DType, n: int, rng: np.random.Generator) -> Bits:
    """Integers with 24 or 25 leading bits, a half, and perhaps something below it."""
    mask = np.uint64((1 << kind.bits) - 1)
    top = rng.integers(1 << 23, 1 << 25, n, dtype=np.uint64) << rng.integers(0, 40, n, dtype=np.uint64)
    value = (top + rng.integers(-1, 2, n).astype(np.uint64)) & mask
    return np.where(rng.random(n) < 0.5, value, (~value + np.uint64(1)) & mask)


# --- named functions


def _named(op: str, arity: int, n: int, rng: np.random.Generator) -> list[Bits]:
    worst = [tuple(int(w, 16) for w in m["worst"]) for m in json.loads(ACCURACY.read_text()) if m["name"] == op]
    hard = np.array(worst, np.uint64)

    def around(_: int, m: int, r: np.random.Generator) -> list[Bits]:
        """The hard cases, and their neighbours."""
        picked = hard[r.integers(0, len(hard), m)]
        return [(picked[:, k] + r.integers(-4, 5, m).astype(np.uint64)) & np.uint64(0xFFFFFFFF) for k in range(arity)]

    def usual(_: int, m: int, r: np.random.Generator) -> list[Bits]:
        """Arguments for which there is something to compute."""
        scale = 2.0 ** r.integers(-8, 8, m)
        return [bits_of((r.normal(0, 1, m) * scale).astype(np.float32)) for _ in range(arity)]

    def seams(_: int, m: int, r: np.random.Generator) -> list[Bits]:
        """Where pieces of the functions meet, or their range ends."""
        points = np.array(
            [0.625, 0.9296875, 4, 10, 88.72284, 89, -87.33655, -103.97208, -104, 2 / 3, 4 / 3, 0.70710677, 1, 1.4142135, 2.0**19,
             2.0**42, 1.5707964, 3.1415927, 2.0**-126, 2.0**-64, 1.5, 2, 3, 0.5, -1, -2, 90, -105],
            np.float32,
        )  # fmt: skip
        out = []
        for _k in range(arity):
            bits = bits_of(r.choice(points, m)).astype(np.int64) + r.integers(-3, 4, m)
            out.append(bits.astype(np.uint64) ^ r.integers(0, 2, m, dtype=np.uint64) << np.uint64(31))
        return out

    def powers(_: int, m: int, r: np.random.Generator) -> list[Bits]:
        """Bases near 1 with large exponents, and small integers as exponents."""
        base = (1 + r.uniform(-1, 1, m) * 2.0 ** r.integers(-23, 0, m)).astype(np.float32)
        with np.errstate(all="ignore"):
            much = (r.uniform(-105, 105, m) / np.where(base == 1, 1, np.log(np.abs(base)))).astype(np.float32)
        whole = r.integers(-9, 10, m).astype(np.float32)
        first = np.where(r.random(m) < 0.7, base, r.normal(0, 10, m).astype(np.float32))
        return [bits_of(first), bits_of(np.where(r.random(m) < 0.6, much, whole))]

    makers = [_any, _special, usual, usual, around, seams, *([powers] if arity == 2 else [])]
    return _mixture(makers, arity, n, rng)
