"""The largest error of every named function, in ulp of binary32: `python bench/accuracy.py [--stride 1]`.

Stride 1 is exhaustive: all 2^32 inputs, two minutes per function and core. It keeps what it finds in accuracy.json,
from which docs/numerics.md has its table (scripts/docs).

An error is |y - f(x)| with the exact f(x), not its rounding: below 1 ulp says more than "one of the two neighbours".
f(x) is computed in binary64 (numpy, scipy). How far that is from the exact value is measured as well, against 200 bits
(mpmath) on a sample: a few 2^-29 ulp of binary32, which the table's two digits, rounded up, do not show. The worst
input found is computed again with 200 bits. pow has 2^64 inputs and is sampled in ranges where it is hard.

sqrt and reciprocal are rounded correctly, or wrong: every result of the engine is compared with binary64's, rounded to
binary32. That second rounding is harmless, as 53 >= 2·24 + 2 (Figueroa, "When is double rounding innocuous?", 1995).

The functions run as machine code (llvm_functions.py); a sample is compared bit by bit with the clear version's
arithmetic and with the engine.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mpmath as mp
import msgspec
import numpy as np
from llvm_functions import compile_function
from scipy import special

from assay.engine.clear_float import NumpyOps
from assay.engine.exact import compile
from assay.program.functions import FUNCTIONS
from assay.program.functions.trace import fingerprint
from assay.program.kernel import Axis, Const, Kernel, Operand, Read
from assay.program.program import Cost, Program
from assay.program.types import DType, Port

Array = np.ndarray[Any, Any]
Run = Callable[..., Array]
CHUNK = 1 << 20
SIGN = 1 << 31
NAN_BITS = 0x7FC00000
CHECKED = 4096
"""Inputs on which the binary64 reference itself is checked."""
KEPT = Path(__file__).with_name("accuracy.json")


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


class Measure(msgspec.Struct, frozen=True):
    """One line of the table. `worst` is the input of the largest error, as bits."""

    name: str
    inputs: str
    count: int
    ulp: float
    """Largest error in units of the spacing of binary32 at the exact result."""
    absolute: float
    """Largest |y - f(x)| where both are finite."""
    worst: tuple[str, ...]
    reference: float
    """Largest error of the binary64 reference that was seen, in the same unit as `ulp`."""
    exhaustive: bool
    sequence: str
    """Fingerprint of the sequence that was measured ("" for an operation of its own)."""
    wrong: int = -1
    """Results that are not the correctly rounded ones; -1 where that is not asked."""


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


def in_ulps(error: mp.mpf, exact: mp.mpf) -> float:
    """`error` in units of the spacing of binary32 at `exact`."""
    exponent = max(-126, int(mp.floor(mp.log(abs(exact), 2)))) if exact else -126
    return float(abs(error) * mp.mpf(2) ** (23 - exponent))


def reference_error(reference: Callable[..., Array], precise: Callable[..., mp.mpf], x: tuple[Array, ...]) -> float:
    """Largest error of the binary64 reference at the inputs x, against 200 bits."""
    with np.errstate(all="ignore"):
        exact = reference(*(v.astype(np.float64) for v in x))
    largest = 0.0
    for *at, value in zip(*x, exact, strict=True):
        if np.isfinite(value) and all(map(np.isfinite, at)) and abs(value) < 2.0**128:
            true = precise(*(mp.mpf(float(v)) for v in at))
            largest = max(largest, in_ulps(mp.mpf(float(value)) - true, true))
    return largest


def measure(
    name: str, label: str, chunks: Iterator[tuple[Array, ...]], sample: Iterator[tuple[Array, ...]], exhaustive: bool
) -> Measure:
    """Run over all chunks and keep the worst; check the reference itself on `sample`."""
    run = compile_function(name)
    reference, precise = REFERENCE[name]
    worst, absolute, at, count, mp.mp.prec = -1.0, 0.0, (), 0, 200
    doubt = max(reference_error(reference, precise, x) for x in sample)
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
        true = precise(*(mp.mpf(float(v)) for v in at))
        worst = in_ulps(mp.mpf(float(value)) - true, true)
    return Measure(name, label, count, worst, absolute, _hex(at), doubt, exhaustive, fingerprint(name))


def _hex(at: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(f"{v.view(np.uint32):08x}" for v in at)


def engine(op: str, operands: int, *front: Operand) -> Run:
    """The engine's `op` of `front` and of so many arrays of CHUNK elements."""
    ports = tuple(Port(f"x{n}", DType.FLOAT32, (CHUNK,)) for n in range(operands))
    reads = tuple(Read(port.name, (CHUNK,), (Axis((1,)),)) for port in ports)
    kernel = Kernel(op, "y", DType.FLOAT32, (CHUNK,), (CHUNK,), (*front, *reads))
    output = (Port("y", DType.FLOAT32, (CHUNK,)), "y")
    made = compile(Program(b"", ports, (output,), {}, (kernel,), Cost(0, 0, 0)))
    return lambda *x: made.run({port.name: v for port, v in zip(ports, x, strict=True)})["y"]


ROUNDED: dict[str, tuple[Callable[[], Run], Callable[[Array], Array]]] = {
    "reciprocal": (lambda: engine("div", 1, Const(DType.FLOAT32, 0x3F800000)), lambda x: 1.0 / x),
    "sqrt": (lambda: engine("sqrt", 1), np.sqrt),
}
"""Operations that are rounded correctly: the engine's, and binary64's."""


def measure_rounded(name: str, stride: int) -> Measure:
    """Count the results that differ in any bit from the correctly rounded one, and take the largest error."""
    run, exact_of = ROUNDED[name][0](), ROUNDED[name][1]
    wrong, count, worst, absolute, at = 0, 0, -1.0, 0.0, ()
    for (x,) in _magnitudes(0, SIGN, stride):
        if x.size < CHUNK:
            x = np.concatenate([x, np.zeros(CHUNK - x.size, np.float32)])
        with np.errstate(all="ignore"):
            y, exact = run(x), exact_of(x.astype(np.float64))
            error, difference, right = ulps(y, exact), np.abs(y - exact), exact.astype(np.float32).view(np.uint32)
        differs = y.view(np.uint32) != np.where(np.isnan(exact), np.uint32(NAN_BITS), right)
        wrong, count = wrong + int(differs.sum()), count + x.size
        # An overflow is rounded correctly and yet further from the exact value than half of a spacing.
        error = np.where(np.isinf(y) & ~differs, 0.0, error)
        absolute = max(absolute, float(difference[np.isfinite(difference)].max(initial=0.0)))
        i = int(np.argmax(error))
        if error[i] > worst:
            worst, at = float(error[i]), (x[i],)
    return Measure(name, "all", count, worst, absolute, _hex(at), 0.0, stride == 1, "", wrong)


def same_bits(name: str) -> bool:
    """Whether machine code, numpy and the engine agree on a sample of a million inputs, NaN aside."""
    chunk = next(_powers(CHUNK)) if name == "pow" else next(_magnitudes(0, SIGN, SIGN // CHUNK))
    fast = compile_function(name)(*chunk)
    with np.errstate(all="ignore"):
        clear = np.asarray(FUNCTIONS[name](NumpyOps(), *chunk))
    nan = np.isnan(fast) & np.isnan(clear)
    same = nan | (fast.view(np.uint32) == clear.view(np.uint32))
    engines = engine(name, len(chunk))(*chunk).view(np.uint32)
    return bool(same.all() and np.array_equal(engines, np.where(nan, np.uint32(NAN_BITS), clear.view(np.uint32))))


def _sample(name: str, low: int, high: int) -> Iterator[tuple[Array, ...]]:
    """About CHECKED inputs from the same range or ranges."""
    if name == "pow":
        return (tuple(v[: CHECKED // 4] for v in x) for x in _powers(4 * CHUNK))
    return _magnitudes(low, high, 2 * (high - low) // CHECKED)


TURNS = {
    "|x| <= 2^17": (0, 0x48000001),
    "2^17 < |x| < 2^19": (0x48000001, 0x49000000),
    "2^19 <= |x| < 2^42": (0x49000000, 0x54800000),
}
"""Ranges of sin and cos, as bits of magnitudes; from 2^42 on they give NaN."""


def measures(names: list[str], stride: int, samples: int) -> Iterator[Measure]:
    """All lines of the table."""
    for name in names:
        if name in ROUNDED:
            yield measure_rounded(name, stride)
        elif name == "pow":
            yield measure(name, "sampled", _powers(samples), _sample(name, 0, 0), False)
        elif name in ("sin", "cos"):
            for label, (low, high) in TURNS.items():
                yield measure(name, label, _magnitudes(low, high, stride), _sample(name, low, high), stride == 1)
        else:
            yield measure(name, "all", _magnitudes(0, SIGN, stride), _sample(name, 0, SIGN), stride == 1)


def keep(measure: Measure) -> None:
    """Put a line into accuracy.json, in place of an older one for the same inputs."""
    known = msgspec.json.decode(KEPT.read_bytes(), type=list[Measure]) if KEPT.exists() else []
    lines = {(m.name, m.inputs): m for m in [*known, measure]}
    kept = msgspec.json.encode(sorted(lines.values(), key=lambda m: (m.name, m.worst)))
    KEPT.write_bytes(msgspec.json.format(kept, indent=1) + b"\n")


def main() -> None:
    """Print the table, or with --json one object per line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=sorted({*FUNCTIONS, *ROUNDED}), help="functions (default: all)")
    parser.add_argument("--stride", type=int, default=127, help="measure every n-th input; 1 is exhaustive")
    parser.add_argument("--samples", type=int, help="inputs of pow (default: 2^26, with stride 1 2^28)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    samples = options.samples or 1 << (28 if options.stride == 1 else 26)
    for name in set(options.names) & set(FUNCTIONS):
        if not same_bits(name):
            sys.exit(f"{name}: machine code, the engine and the clear version differ")
    started = time.perf_counter()
    for m in measures(options.names, options.stride, samples):
        if options.stride == 1:
            keep(m)
        if options.json:
            print(json.dumps(msgspec.to_builtins(m)), flush=True)
        else:
            how = "exhaustive" if m.exhaustive else "sampled"
            wrong = "" if m.wrong < 0 else f"  {m.wrong} not rounded correctly"
            print(
                f"{m.name:11s}{m.inputs:20s}{m.ulp:12.4f} ulp (reference within {m.reference:.1e}) {m.absolute:10.2e}"
                f" absolute  {m.count:12d} {how:11s}{time.perf_counter() - started:8.1f} s"
                f"  worst at {' '.join(m.worst)}{wrong}",
                flush=True,
            )


if __name__ == "__main__":
    main()
