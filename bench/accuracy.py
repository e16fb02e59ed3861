"""The largest error of every named function, in ulp of binary32: `python bench/accuracy.py [--stride 1]`.

Stride 1 is exhaustive: all 2^32 inputs, about a minute per function and core. The reference is binary64 (numpy and
scipy, wrong by about 2^-29 ulp of binary32 at most); the worst input found is computed again with 200 bits (mpmath).
pow has 2^64 inputs and is sampled in ranges where it is hard. The functions run as machine code (llvm_functions.py);
a sample is compared bit by bit with the clear version's arithmetic.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import mpmath as mp
import numpy as np
from llvm_functions import compile_function
from scipy import special

from assay.engine.clear_float import NumpyOps
from assay.program.functions import FUNCTIONS

Array = np.ndarray[Any, Any]
CHUNK = 1 << 20
INFINITY_BITS, SIGN = 0x7F800000, 1 << 31


def _exact_sigmoid(x: mp.mpf) -> mp.mpf:
    return 1 / (1 + mp.exp(-x))


REFERENCE: dict[str, tuple[Callable[..., Array], Callable[..., mp.mpf]]] = {
    "cos": (np.cos, mp.cos),
    "erf": (special.erf, mp.erf),
    "exp": (np.exp, mp.exp),
    "log": (np.log, mp.log),
    "pow": (np.power, mp.power),
    "sigmoid": (special.expit, _exact_sigmoid),
    "sin": (np.sin, mp.sin),
    "tanh": (np.tanh, mp.tanh),
}


@dataclass(frozen=True)
class Measure:
    """One line of the table. `worst` is the input of the largest error, as bits."""

    name: str
    inputs: str
    count: int
    ulp: float
    absolute: float
    worst: tuple[str, ...]
    exhaustive: bool
    seconds: float


def ulps(y: Array, exact: Array) -> Array:
    """|y - exact| in units of the spacing of binary32 at `exact`; infinite where exactly one of them is NaN.

    An infinity counts as 2^128, the next number after the largest one.
    """
    top = 2.0**128
    exponent = np.clip(((exact.view(np.int64) >> 52) & 0x7FF) - 1023, -126, 127)
    scale = ((23 - exponent + 1023) << 52).view(np.float64)
    error = np.abs(np.clip(y.astype(np.float64), -top, top) - np.clip(exact, -top, top)) * scale
    one_nan = np.isnan(y) != np.isnan(exact)
    return np.where(one_nan, np.inf, np.where(np.isnan(exact), 0.0, error))


def _magnitudes(low: int, high: int, stride: int) -> Iterator[tuple[Array, ...]]:
    """Floats of both signs whose magnitude's bits run from low to high - 1."""
    for start in range(low, high, stride * CHUNK):
        bits = np.arange(start, min(high, start + stride * CHUNK), stride, dtype=np.uint32)
        for sign in (0, SIGN):
            yield ((bits | np.uint32(sign)).view(np.float32),)


def _powers(samples: int) -> Iterator[tuple[Array, ...]]:
    """Bases and exponents: results over the whole range from any base, bases near 1, common exponents, any bits."""
    rng = np.random.default_rng(20)
    common = np.array([-3, -2, -1, -0.5, 1 / 3, 0.5, 1, 1.5, 2, 3, 4, 10], np.float32)
    for part in range(max(1, samples // CHUNK)):
        any_bits = rng.integers(0, 1 << 32, CHUNK, dtype=np.uint32).view(np.float32)
        near_one = (1 + rng.uniform(-1, 1, CHUNK) * 2.0 ** rng.integers(-23, 0, CHUNK)).astype(np.float32)
        x = [np.abs(any_bits), near_one, np.exp(rng.uniform(-6, 6, CHUNK)).astype(np.float32), any_bits][part % 4]
        with np.errstate(all="ignore"):
            reach = (rng.uniform(-104, 89, CHUNK) / np.log(np.abs(x).astype(np.float64))).astype(np.float32)
        y = [reach, reach, rng.choice(common, CHUNK), rng.permutation(any_bits)][part % 4]
        yield np.ascontiguousarray(x), np.ascontiguousarray(y)


def measure(name: str, label: str, chunks: Iterator[tuple[Array, ...]], exhaustive: bool) -> Measure:
    """Run over all chunks and keep the worst."""
    started, run = time.perf_counter(), compile_function(name)
    reference, precise = REFERENCE[name]
    worst, absolute, at, count = -1.0, 0.0, (), 0
    for x in chunks:
        with np.errstate(all="ignore"):
            y, exact = run(*x), reference(*(v.astype(np.float64) for v in x))
            error = ulps(y, exact)
            difference = np.abs(y - exact)
            finite = difference[np.isfinite(difference)]
        absolute = max(absolute, float(finite.max(initial=0.0)))
        count += error.size
        i = int(np.argmax(error))
        if error[i] > worst:
            worst, at, value = float(error[i]), tuple(v[i] for v in x), y[i]
    if np.isfinite(worst) and np.isfinite(value):
        mp.mp.prec = 200
        exact = precise(*(mp.mpf(float(v)) for v in at))
        exponent = max(-126, int(mp.floor(mp.log(abs(exact), 2)))) if exact else -126
        worst = float(abs(mp.mpf(float(value)) - exact) * mp.mpf(2) ** (23 - exponent))
    bits = tuple(f"{v.view(np.uint32):08x}" for v in at)
    return Measure(name, label, count, worst, absolute, bits, exhaustive, time.perf_counter() - started)


def same_bits(name: str) -> bool:
    """Whether machine code and numpy agree on a sample of a million inputs, NaN aside."""
    chunk = next(_powers(CHUNK)) if name == "pow" else next(_magnitudes(0, SIGN, SIGN // CHUNK))
    fast = compile_function(name)(*chunk)
    with np.errstate(all="ignore"):
        clear = np.asarray(FUNCTIONS[name](NumpyOps(), *chunk))
    return bool(np.all((fast.view(np.uint32) == clear.view(np.uint32)) | (np.isnan(fast) & np.isnan(clear))))


def measures(names: list[str], stride: int, samples: int) -> Iterator[Measure]:
    """All lines of the table."""
    turn = {"2^17": 0x48000000, "2^19": 0x49000000, "2^42": 0x54800000}
    for name in names:
        if name == "pow":
            yield measure(name, "sampled", _powers(samples), False)
        elif name in ("sin", "cos"):
            yield measure(name, "|x| <= 2^17", _magnitudes(0, turn["2^17"] + 1, stride), stride == 1)
            yield measure(name, "2^17 < |x| < 2^19", _magnitudes(turn["2^17"] + 1, turn["2^19"], stride), stride == 1)
            yield measure(name, "2^19 <= |x| < 2^42", _magnitudes(turn["2^19"], turn["2^42"], stride), stride == 1)
        else:
            yield measure(name, "all", _magnitudes(0, SIGN, stride), stride == 1)


def main() -> None:
    """Print the table, or with --json one object per line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=sorted(FUNCTIONS), help="functions (default: all)")
    parser.add_argument("--stride", type=int, default=127, help="measure every n-th input; 1 is exhaustive")
    parser.add_argument("--samples", type=int, default=1 << 26, help="inputs of pow")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for name in options.names:
        if not same_bits(name):
            sys.exit(f"{name}: machine code and the clear version differ")
    for m in measures(options.names, options.stride, options.samples):
        if options.json:
            print(json.dumps(m.__dict__), flush=True)
        else:
            how = "exhaustive" if m.exhaustive else "sampled"
            print(
                f"{m.name:8s}{m.inputs:20s}{m.ulp:12.4f} ulp  {m.absolute:10.2e} absolute  {m.count:12d} {how:11s}"
                f"{m.seconds:8.1f} s  worst at {' '.join(m.worst)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
