"""The named functions: bits frozen, errors bounded, special cases. The page that shows them has tests of its own."""

from __future__ import annotations

import hashlib
import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from assay.engine.clear_float import NumpyOps
from assay.program.functions import FUNCTIONS
from assay.program.functions.trace import fingerprint, trace
from assay.program.scalar import OPS

PAGE = Path(__file__).parents[2] / "docs" / "numerics.md"
INF, NAN = math.inf, math.nan
UNARY = sorted(set(FUNCTIONS) - {"pow"})
REFERENCE = {
    "cos": np.cos,
    "erf": special.erf,
    "exp": np.exp,
    "log": np.log,
    "pow": np.power,
    "sigmoid": special.expit,
    "sin": np.sin,
    "tanh": np.tanh,
}


def evaluate(name: str, *operands: object) -> np.ndarray:
    """FUNCTIONS[name] on float32 arrays, with canonical NaN."""
    with np.errstate(all="ignore"):
        x = [np.atleast_1d(np.asarray(operand, np.float32)) for operand in operands]
        y = FUNCTIONS[name](NumpyOps(), *x)
    return np.where(np.isnan(y), np.float32(NAN), y).astype(np.float32)


def bits(array: np.ndarray) -> list[str]:
    return [f"{b:08x}" for b in array.view(np.uint32)]


def every(stride: int) -> np.ndarray:
    """Each stride-th of all float32."""
    return np.arange(0, 1 << 32, stride, dtype=np.uint32).view(np.float32)


GOLDEN = {
    "cos": "93f3a6d1cc7867e3",
    "erf": "7f5d390d4ab1de72",
    "exp": "db067d04f77428d1",
    "log": "6613327649970dd5",
    "pow": "5fd77d839257cbf4",
    "sigmoid": "65529483ae7c6e94",
    "sin": "95dfd16144acaede",
    "tanh": "d39065302eed2896",
}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_bits_never_change(name: str) -> None:
    x = every(65521)
    operands = (x, np.roll(x, 12345)) if name == "pow" else (x,)
    if name == "pow":  # and bases and exponents whose powers are finite
        near = np.exp(np.linspace(-5, 5, 4096)).astype(np.float32)
        operands = (
            np.concatenate([x, near]),
            np.concatenate([np.roll(x, 12345), np.linspace(-17, 17, 4096, dtype=np.float32)]),
        )
    got = hashlib.sha256(evaluate(name, *operands).astype("<f4").tobytes()).hexdigest()
    assert got[:16] == GOLDEN[name]


SPECIAL = [
    ("exp", [NAN, INF, -INF, 0.0, -0.0, 1e-45, 88.72284, 88.722832, -103.97209, -103.97207, 3e38, -3e38],
     [NAN, INF, 0.0, 1.0, 1.0, 1.0, INF, 3.4027986e38, 0.0, 1e-45, INF, 0.0]),
    ("log", [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, -1e-45, 1e-45],
     [NAN, INF, NAN, -INF, -INF, 0.0, NAN, NAN, -103.27893]),
    ("tanh", [NAN, INF, -INF, 0.0, -0.0, 1e-45, -1e-38, 9.1, -20.0], [NAN, 1.0, -1.0, 0.0, -0.0, 1e-45, -1e-38, 1.0, -1.0]),
    ("erf", [NAN, INF, -INF, 0.0, -0.0, 1e-45, 4.0, -5.0], [NAN, 1.0, -1.0, 0.0, -0.0, 1e-45, 1.0, -1.0]),
    ("sin", [NAN, INF, -INF, 0.0, -0.0, 1e-45, -1e-45, 2.0**42, -2e30], [NAN, NAN, NAN, 0.0, -0.0, 1e-45, -1e-45, NAN, NAN]),
    ("cos", [NAN, INF, -INF, 0.0, -0.0, 1e-45, 2.0**42], [NAN, NAN, NAN, 1.0, 1.0, 1.0, NAN]),
    ("sigmoid", [NAN, INF, -INF, 0.0, -0.0, 17.0, 88.8, -88.8, -103.0], [NAN, 1.0, 0.0, 0.5, 0.5, 1.0, 1.0, 2.7205e-39, 1e-45]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "x", "want"), SPECIAL, ids=[s[0] for s in SPECIAL])
def test_special_values(name: str, x: list[float], want: list[float]) -> None:
    got = evaluate(name, x)
    exact = np.array(want, np.float32)
    np.testing.assert_allclose(got, exact, rtol=2e-4)
    assert np.array_equal(np.signbit(got), np.signbit(np.where(np.isnan(exact), np.float32(NAN), exact)))


POW = [
    # x, y, x^y: IEEE 754-2019, 9.2.1
    (NAN, 0.0, 1.0), (NAN, -0.0, 1.0), (0.0, 0.0, 1.0), (INF, 0.0, 1.0), (-INF, -0.0, 1.0),
    (1.0, NAN, 1.0), (1.0, INF, 1.0), (1.0, -INF, 1.0), (-1.0, INF, 1.0), (-1.0, -INF, 1.0),
    (NAN, 1.0, NAN), (2.0, NAN, NAN), (-1.0, NAN, NAN),
    (0.0, -1.0, INF), (-0.0, -1.0, -INF), (-0.0, -3.0, -INF), (-0.0, -2.0, INF), (-0.0, -0.5, INF), (0.0, -INF, INF),
    (0.0, 3.0, 0.0), (-0.0, 3.0, -0.0), (-0.0, 2.0, 0.0), (-0.0, 0.5, 0.0), (-0.0, INF, 0.0), (-0.0, 16777216.0, 0.0),
    (0.5, -INF, INF), (2.0, -INF, 0.0), (0.5, INF, 0.0), (-0.5, INF, 0.0), (-2.0, INF, INF),
    (INF, -1.0, 0.0), (INF, 0.5, INF), (-INF, -3.0, -0.0), (-INF, -2.0, 0.0), (-INF, -0.5, 0.0),
    (-INF, 3.0, -INF), (-INF, 2.0, INF), (-INF, 0.5, INF), (-INF, -INF, 0.0),
    (-2.0, 0.5, NAN), (-2.0, 1e-45, NAN), (-1e-45, 1.5, NAN), (-2.0, 3.0, -8.0), (-2.0, 2.0, 4.0), (-2.0, -1.0, -0.5),
    (-1.0, 16777215.0, -1.0), (-1.0, 16777216.0, 1.0), (-1.0, 3e38, 1.0),
    (2.0, 127.0, 2.0**127), (2.0, 128.0, INF), (2.0, -149.0, 1e-45), (2.0, -151.0, 0.0), (-2.0, -151.0, -0.0),
    (1e-45, 1.0, 1e-45), (1e-45, -1.0, INF), (3e38, 1.0, 3e38), (10.0, 30.0, 1e30), (1e-45, 1e-45, 1.0),
    (1.0000001, 3e38, INF), (0.99999994, 3e38, 0.0), (-1.0000001, 3e38, INF), (5.0, 1e-45, 1.0),
]  # fmt: skip


@pytest.mark.parametrize(("x", "y", "want"), POW)
def test_pow_follows_ieee(x: float, y: float, want: float) -> None:
    got, exact = evaluate("pow", x, y)[0], np.float32(want)
    assert got == pytest.approx(exact, rel=2e-7, nan_ok=True)
    assert np.isnan(exact) or np.signbit(got) == np.signbit(exact)


def test_odd_functions_are_odd() -> None:
    x = every(1 << 16)
    for name in ("sin", "tanh", "erf"):
        y, mirrored = evaluate(name, x), evaluate(name, -x)
        assert bits(y[~np.isnan(y)]) == bits(-mirrored[~np.isnan(y)])


def ulps(y: np.ndarray, exact: np.ndarray) -> np.ndarray:
    exponent = np.clip(np.frexp(exact)[1] - 1, -126, 127)
    clipped = np.clip(y.astype(np.float64), -(2.0**128), 2.0**128) - np.clip(exact, -(2.0**128), 2.0**128)
    assert np.array_equal(np.isnan(y), np.isnan(exact))
    return np.where(np.isnan(exact), 0.0, np.abs(np.ldexp(clipped, 23 - exponent)))


def stated_error(name: str) -> float:
    """The ulp that docs/numerics.md states for the whole range, or for |x| <= 2^17."""
    row = re.search(rf"^\| {name} \| [^|]*\| ([\d.]+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert row is not None
    return float(row[1])


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("stride", [4099, pytest.param(257, marks=pytest.mark.slow)])
def test_error_is_as_stated(name: str, stride: int) -> None:
    x = every(stride)
    if name in ("sin", "cos"):
        x = x[np.abs(x) <= 2.0**17]
    with np.errstate(all="ignore"):
        worst = max(
            float(ulps(evaluate(name, part), REFERENCE[name](part.astype(np.float64))).max(initial=0.0))
            for part in np.array_split(x, 1 + x.size // (1 << 20))
        )
    assert worst <= stated_error(name) <= {"exp": 1, "log": 1, "sin": 1, "cos": 1}.get(name, 2)
    assert worst > 0.5  # the measurement measures


def test_pow_error_is_as_stated() -> None:
    rng = np.random.default_rng(7)
    x = np.abs(rng.integers(0, 0x7F800000, 1 << 19, dtype=np.uint32).view(np.float32))
    near = (1 + rng.uniform(-1, 1, x.size) * 2.0 ** rng.integers(-23, 0, x.size)).astype(np.float32)
    x = np.where(np.arange(x.size) % 2, x, near)
    with np.errstate(all="ignore"):
        y = (rng.uniform(-104, 89, x.size) / np.log(x.astype(np.float64))).astype(np.float32)
        error = ulps(evaluate("pow", x, y), np.power(x.astype(np.float64), y.astype(np.float64)))
    assert 0.5 < error.max() <= stated_error("pow") <= 4


def test_sin_and_cos_stay_accurate_in_absolute_terms_up_to_2_42() -> None:
    x = np.arange(0x48000000, 0x54800000, 997, dtype=np.uint32).view(np.float32)
    for name in ("sin", "cos"):
        assert np.abs(evaluate(name, x) - REFERENCE[name](x.astype(np.float64))).max() < 2.0**-24


def test_a_fingerprint_tells_sequences_apart() -> None:
    assert len({fingerprint(name) for name in FUNCTIONS}) == len(FUNCTIONS)
    assert fingerprint("exp") == "40b032acd16f837a"


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_weight_is_the_length_of_the_sequence(name: str) -> None:
    record, parameters, result = trace(name)
    assert OPS[name].weight == record.operations
    assert OPS[name].arity == len(parameters)
    used = {operand for _, _, operands in record.lines for operand in operands} | {result}
    assert all(target in used for target, _, _ in record.lines), "an operation whose result nobody reads"


def test_the_pages_philox_gives_the_words_it_states() -> None:
    c, k, mask = [0, 0, 0, 0], [0, 0], 2**32 - 1
    for turn in range(10):
        if turn:
            k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
        high, low = 0xCD9E8D57 * c[2], 0xD2511F53 * c[0]
        c = [(high >> 32) ^ c[1] ^ k[0], high & mask, (low >> 32) ^ c[3] ^ k[1], low & mask]
    assert " ".join(f"{word:08x}" for word in c) in PAGE.read_text(encoding="utf-8")
