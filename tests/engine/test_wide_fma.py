"""Fused multiply-add and rounding to integers at every level, against exact rationals; no level needs the C library."""

from __future__ import annotations

import struct
from fractions import Fraction

import llvmlite.binding as llvm
import llvmlite.ir as ir
import numpy as np
import pytest

from assay.engine.clear_float import fma as clear_fma
from assay.engine.exact.code import Code
from assay.engine.exact.native import LEVELS, Library, Machine, assemble, machine
from assay.engine.exact.wide_fma import bare, is_bare
from assay.errors import ConfigError

LARGEST = Fraction(2**24 - 1) * 2**104
WIDTHS = [1, 4, 8]


def rounded(exact: Fraction) -> float:
    """The binary32 nearest to a number, ties to even, by integers alone."""
    if exact == 0:
        return 0.0
    sign, size = (-1, -exact) if exact < 0 else (1, exact)
    exponent = max(size.numerator.bit_length() - size.denominator.bit_length() - 25, -149)
    while size / Fraction(2) ** exponent >= 2**24:
        exponent += 1
    scaled = size / Fraction(2) ** exponent
    whole = scaled.numerator // scaled.denominator
    rest = scaled - whole
    whole += rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2)
    result = whole * Fraction(2) ** exponent
    return sign * (float("inf") if result > LARGEST else float(result))


def hard_cases() -> np.ndarray:
    """Rows (a, b, c): ties and near-ties of the sum, cancellation, subnormal results, the edge of overflow, any bits."""
    rng = np.random.default_rng(7)
    rows: list[np.ndarray] = []

    def add(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
        with np.errstate(all="ignore"):
            rows.append(np.stack([np.asarray(v, np.float32) for v in np.broadcast_arrays(a, b, c)], 1))

    n = 400
    short = rng.integers(1, 2**12, n) * 2.0 ** rng.integers(-20, 20, n)
    other = rng.integers(1, 2**12, n) * 2.0 ** rng.integers(-20, 20, n)
    add(short, other, -short * other * 2.0 ** rng.integers(-1, 2, n))  # exact products that cancel, or halve
    a, b = rng.normal(size=(2, n)).astype(np.float32)
    for gap in (0, 1, 23, 24, 25, 26, 29, 47, 48, 49, 50, 53, 54):  # the addend lies `gap` bits from the product
        for sign in (1, -1):
            add(a, b, sign * a * b * 2.0**gap)
            add(a, b, sign * a * b * 2.0**-gap)
    tie = (rng.integers(2**23, 2**24, n) * 2 + 1) * 2.0**-24  # 25 bits: a tie, which a tiny addend decides
    add(tie * 0 + 1 + 2.0**-12, 1 + 2.0**-12, rng.choice([1, -1], n) * 2.0 ** -rng.integers(20, 149, n))
    power = 2.0 ** rng.integers(-149, -100, n)
    add(tie.astype(np.float32), power, rng.choice([0, 1, -1], n) * 2.0**-149)
    tiny = rng.integers(-(2**24), 2**24, (2, n)) * 2.0**-98
    add(tiny[0], tiny[1] * 2.0**26, rng.integers(-50, 50, n) * 2.0**-149)  # results around the subnormals
    add(tiny[0] * 2.0**23, tiny[1] * 2.0**23, rng.integers(-50, 50, n) * 2.0**-149)
    great = np.float32(LARGEST)
    add(1 + rng.integers(-2, 3, n) * 2.0**-23, great, rng.integers(-4, 5, n) * 2.0**102)
    add(great * 0.5, 2.0, rng.integers(-4, 5, n) * 2.0**102)
    rows.append(rng.integers(0, 2**32, (20 * n, 3), dtype=np.uint32).view(np.float32))
    specials = np.array([0, -0.0, 1, -1, np.inf, -np.inf, np.nan, 1e-45, -1e-45, great], np.float32)
    rows.append(np.stack(np.meshgrid(specials, specials, specials), -1).reshape(-1, 3))
    cases = np.concatenate(rows)
    return np.concatenate([cases, cases[: -len(cases) % 8]])


def exact(a: float, b: float, c: float) -> float:
    if not np.isfinite([a, b, c]).all():
        with np.errstate(all="ignore"):
            return float(np.float64(a) * np.float64(b) + np.float64(c))  # infinities and NaN need no rounding
    total = Fraction(a) * Fraction(b) + Fraction(c)
    if total == 0:
        return a * b + c if a * b == 0 else 0.0  # signs of zeros as in any sum; a cancellation gives +0
    value = rounded(total)
    return value if value else (-0.0 if total < 0 else 0.0)


@pytest.fixture(scope="module")
def cases() -> np.ndarray:
    return hard_cases()


@pytest.fixture(scope="module")
def wanted(cases: np.ndarray) -> np.ndarray:
    return np.array([exact(*map(float, row)) for row in cases], np.float32)


def same(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Equal bits, or both NaN: its bits are made canonical only when a kernel stores it."""
    return (found.view(np.uint32) == wanted.view(np.uint32)) | (np.isnan(found) & np.isnan(wanted))


@pytest.fixture(params=LEVELS)
def target(request: pytest.FixtureRequest) -> Machine:
    try:
        return machine(request.param)
    except ConfigError:
        pytest.skip(f"this machine has no {request.param}")


def compiled(target: Machine, width: int, name: str, arity: int) -> tuple[Library, bytes]:
    """void f(out, in...): one vector of each."""
    module = ir.Module("test")
    bare(module, target)
    pointer, lane = ir.PointerType(), ir.FloatType()
    kind = lane if width == 1 else ir.VectorType(lane, width)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [pointer] * (1 + arity)), "f")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    code = Code(builder, width)
    values = [builder.load(p, typ=kind, align=4) for p in function.args[1:]]
    result = code.fma(*values) if name == "fma" else code.unary(name, values[0])
    builder.store(result, function.args[0], align=4)
    builder.ret_void()
    made = assemble(str(module), target)
    return Library([made], target), made


def called(library: Library, width: int, *arrays: np.ndarray) -> np.ndarray:
    from ctypes import CFUNCTYPE, c_void_p

    function = CFUNCTYPE(None, *[c_void_p] * (1 + len(arrays)))(library.address("f"))
    arrays = tuple(np.ascontiguousarray(a) for a in arrays)
    result = np.empty_like(arrays[0])
    for at in range(0, len(result), width):
        function(*(a.ctypes.data + 4 * at for a in (result, *arrays)))
    return result


def test_the_reference_rounds_as_the_platform_does() -> None:
    rng = np.random.default_rng(1)
    for value in rng.integers(0, 2**63, 20000, dtype=np.uint64).view(np.float64).tolist():
        if np.isfinite(value):
            with np.errstate(all="ignore"):
                assert rounded(Fraction(value)) == np.float32(value)


def test_the_clear_version(cases: np.ndarray, wanted: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        found = clear_fma(*cases.T)
    assert same(found, wanted).all(), cases[~same(found, wanted)][:5]


@pytest.mark.parametrize("width", WIDTHS)
def test_fma_is_rounded_once(target: Machine, width: int, cases: np.ndarray, wanted: np.ndarray) -> None:
    library, _ = compiled(target, width, "fma", 3)
    found = called(library, width, *cases.T)
    good = same(found, wanted)
    assert good.all(), [
        (row.tolist(), struct.pack(">f", f).hex()) for row, f in zip(cases[~good], found[~good], strict=True)
    ][:5]


ROUND = {"floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "roundeven": np.rint}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ROUND)
def test_rounding_to_integers(target: Machine, name: str, width: int) -> None:
    rng = np.random.default_rng(3)
    halves = np.arange(-40, 40, 0.25, np.float32)
    edges = np.array([2**22, 2**23, 2**24, 2**31, 2**32, 1e38], np.float32)[:, None] + np.array([-1, -0.5, 0, 0.5, 1])
    special = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 0.49999997, -0.49999997], np.float32)
    bits = rng.integers(0, 2**32, 40_000, dtype=np.uint32).view(np.float32)
    x = np.concatenate([halves, edges.astype(np.float32).ravel(), -edges.astype(np.float32).ravel(), special, bits])
    x = x[: len(x) // 8 * 8]
    with np.errstate(all="ignore"):
        wanted = ROUND[name](x)
    found = called(compiled(target, width, name, 1)[0], width, x)
    assert same(found, wanted).all(), x[~same(found, wanted)][:5]


@pytest.mark.parametrize("name", ["fma", *ROUND])
def test_nothing_is_called(target: Machine, name: str) -> None:
    """The object file knows of no function but its own."""
    _, made = compiled(target, 4, name, 3 if name == "fma" else 1)
    for symbol in (b"fmaf", b"floorf", b"ceilf", b"truncf", b"roundevenf", b"rintf", b"nearbyintf"):
        assert symbol not in made


def test_only_a_processor_without_fma_gets_the_software() -> None:
    for cpu, features, vector, expected in [
        ("x86-64", "", 4, True),
        ("x86-64-v3", "", 8, False),
        ("x86-64-v4", "", 16, False),
        ("penryn", "+sse4.1,-fma", 4, True),
        ("somebody's", "+fma,+sse4.1", 4, False),
    ]:
        module = ir.Module("test")
        bare(module, Machine(cpu, features, vector, True))
        assert is_bare(module) == expected
        llvm.parse_assembly(str(module)).verify()
