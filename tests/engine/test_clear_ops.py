"""Golden bits for every scalar operation, on the operands where implementations differ."""

from __future__ import annotations

import numpy as np
import pytest

from assay.engine.clear import run_kernel
from assay.errors import UnsupportedOperator
from assay.program.functions import FUNCTIONS
from assay.program.kernel import Axis, Kernel, Read
from assay.program.scalar import OPS
from assay.program.types import DType

F32, F16, BF16 = DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16
I64, I32, I8, U8, U64, BOOL = DType.INT64, DType.INT32, DType.INT8, DType.UINT8, DType.UINT64, DType.BOOL

P0, M0, ONE, TWO, INF, NAN, MINF = 0, 0x80000000, 0x3F800000, 0x40000000, 0x7F800000, 0x7FC00000, 0xFF800000
SNAN, MNAN, TINY, HUGE, LEAST = 0x7F800001, 0xFFC00000, 1, 0x7F7FFFFF, 0x00800000
MIN8, MIN32, MIN64 = 0x80, 0x80000000, 1 << 63

FLOAT_GOLDEN = [
    ("add", [ONE, 0x33800000], ONE), ("add", [0x3F800001, 0x33800000], 0x3F800002), ("add", [P0, M0], P0),
    ("add", [M0, M0], M0), ("add", [TINY, LEAST], 0x00800001), ("add", [HUGE, 0x73000000], INF),
    ("add", [INF, MINF], NAN), ("add", [SNAN, ONE], NAN), ("sub", [ONE, ONE], P0),
    ("sub", [LEAST, 0x00800001], 0x80000001), ("sub", [M0, P0], M0), ("mul", [LEAST, 0x3F000000], 0x00400000),
    ("mul", [TINY, 0x3F000000], P0), ("mul", [3, 0x3F000000], 2), ("mul", [HUGE, TWO], INF),
    ("mul", [INF, M0], NAN), ("mul", [0x3F800001, 0x3F800001], 0x3F800002), ("div", [ONE, 0x40400000], 0x3EAAAAAB),
    ("div", [ONE, M0], MINF), ("div", [P0, P0], NAN), ("div", [ONE, MINF], M0), ("div", [TINY, TWO], P0),
    ("div", [ONE, 0x7F000000], 0x00400000), ("fma", [0x3F7FFFFE, 0x3F800001, 0x4B800001], 0x4B800001),
    ("fma", [INF, P0, ONE], NAN), ("fma", [M0, ONE, P0], P0), ("fma", [M0, ONE, M0], M0),
    ("fma", [TINY, 0x3F000000, TINY], 2), ("fma", [HUGE, TWO, MINF], MINF), ("fma", [HUGE, TWO, 0xFF7FFFFF], HUGE),
    ("sqrt", [TWO], 0x3FB504F3), ("sqrt", [M0], M0), ("sqrt", [0xBF800000], NAN), ("sqrt", [TINY], 0x1A3504F3),
    ("neg", [P0], M0), ("neg", [INF], MINF), ("neg", [SNAN], NAN), ("abs", [M0], P0), ("abs", [MNAN], NAN),
    ("abs", [0x80000001], TINY), ("sign", [M0], M0), ("sign", [TINY], ONE), ("sign", [MINF], 0xBF800000),
    ("sign", [MNAN], NAN), ("floor", [0xBE800000], 0xBF800000), ("floor", [M0], M0),
    ("floor", [0x4B000001], 0x4B000001), ("floor", [MINF], MINF), ("ceil", [0xBE800000], M0), ("ceil", [TINY], ONE),
    ("round", [0x3F000000], P0), ("round", [0x3FC00000], TWO), ("round", [0x40200000], TWO),
    ("round", [0xBF000000], M0), ("round", [0x3EFFFFFF], P0), ("trunc", [0xBFC00000], 0xBF800000),
    ("trunc", [0xBF000000], M0), ("min", [ONE, NAN], NAN), ("min", [MNAN, ONE], NAN), ("min", [P0, M0], M0),
    ("min", [M0, P0], P0), ("min", [MINF, ONE], MINF), ("max", [ONE, NAN], NAN), ("max", [SNAN, ONE], NAN),
    ("max", [P0, M0], M0), ("max", [M0, P0], P0), ("max", [TWO, ONE], TWO), ("copy", [SNAN], NAN),
    ("copy", [TINY], TINY),
]  # fmt: skip

COMPARE_GOLDEN = [
    ("lt", [M0, P0], 0), ("lt", [TINY, LEAST], 1), ("lt", [NAN, ONE], 0), ("le", [M0, P0], 1),
    ("le", [ONE, NAN], 0), ("gt", [INF, HUGE], 1), ("gt", [NAN, NAN], 0), ("ge", [P0, M0], 1),
    ("ge", [NAN, NAN], 0), ("eq", [P0, M0], 1), ("eq", [NAN, NAN], 0), ("eq", [TINY, P0], 0), ("ne", [NAN, NAN], 1),
    ("ne", [P0, M0], 0), ("isnan", [SNAN], 1), ("isnan", [INF], 0), ("isinf", [MINF], 1), ("isinf", [NAN], 0),
    ("isinf", [HUGE], 0),
]  # fmt: skip

INTEGER_GOLDEN = [
    (I8, "add", [127, 1], MIN8), (U8, "add", [255, 2], 1), (I64, "add", [2**63 - 1, 1], MIN64),
    (U8, "sub", [0, 1], 255), (I8, "mul", [0x40, 4], 0), (I32, "mul", [0x10001, 0x10001], 0x20001),
    (I8, "div", [0xF9, 2], 0xFD), (I8, "div", [7, 0xFE], 0xFD), (I8, "div", [7, 0], 0),
    (I8, "div", [MIN8, 0xFF], MIN8), (I64, "div", [MIN64, 2**64 - 1], MIN64), (U8, "div", [255, 2], 127),
    (U8, "div", [1, 255], 0), (U64, "div", [2**64 - 1, 3], 0x5555555555555555), (U8, "div", [5, 0], 0),
    (I8, "mod", [0xF9, 2], 1), (I8, "mod", [7, 0xFE], 0xFF), (I8, "mod", [7, 0], 0), (I8, "mod", [MIN8, 0xFF], 0),
    (U8, "mod", [255, 16], 15), (I8, "rem", [0xF9, 2], 0xFF), (I8, "rem", [7, 0xFE], 1), (I8, "rem", [0xF9, 0], 0),
    (I32, "rem", [MIN32, 0xFFFFFFFF], 0), (U8, "rem", [200, 0], 0), (I8, "fma", [100, 100, 1], 0x11),
    (U64, "fma", [2**63, 2, 7], 7), (I8, "neg", [MIN8], MIN8), (U8, "neg", [1], 255), (I8, "abs", [MIN8], MIN8),
    (I8, "abs", [0xFF], 1), (U8, "abs", [255], 255), (I8, "sign", [MIN8], 0xFF), (I8, "sign", [0], 0),
    (U8, "sign", [200], 1), (I8, "min", [0xFF, 0], 0xFF), (U8, "min", [255, 0], 0), (I8, "max", [0xFF, 0], 0),
    (U64, "max", [2**63, 1], 2**63), (I8, "and", [0xF0, 0x3C], 0x30), (U8, "or", [0xF0, 0x0F], 255),
    (I64, "xor", [2**64 - 1, 1], 2**64 - 2), (U8, "not", [0x0F], 0xF0), (I8, "not", [0], 0xFF),
    (I8, "shl", [1, 7], MIN8), (I8, "shl", [1, 8], 0), (I8, "shl", [1, 0xFF], 0), (U64, "shl", [1, 63], 2**63),
    (U64, "shl", [1, 64], 0), (I8, "shr", [MIN8, 7], 0xFF), (I8, "shr", [MIN8, 8], 0xFF), (I8, "shr", [0x7F, 8], 0),
    (I8, "shr", [0x7F, 0x80], 0), (I8, "shr", [0xFE, 0xFF], 0xFF), (U8, "shr", [0x80, 7], 1),
    (U8, "shr", [0x80, 8], 0), (U64, "shr", [2**63, 63], 1), (I64, "copy", [5], 5),
]  # fmt: skip

CAST_GOLDEN = [
    # operation, from, bits, to, bits
    ("cast", F32, 0xBFC00000, I32, 0xFFFFFFFF), ("cast", F32, NAN, I32, 0), ("cast", F32, INF, I32, 0x7FFFFFFF),
    ("cast", F32, MINF, I8, MIN8), ("cast", F32, 0x43000000, I8, 0x7F), ("cast", F32, 0xBF800000, U8, 0),
    ("cast", F32, 0x5F800000, U64, 2**64 - 1), ("cast", F32, 0x5F7FFFFF, U64, 0xFFFFFF0000000000),
    ("cast", F32, 0xDF000000, I64, MIN64), ("cast", F32, NAN, BOOL, 1), ("cast", F32, M0, BOOL, 0),
    ("cast", F32, TINY, BOOL, 1), ("cast", F32, ONE, F16, 0x3C00), ("cast", F32, 0x477FF000, F16, 0x7C00),
    ("cast", F32, 0x477FEFFF, F16, 0x7BFF), ("cast", F32, 0x33000000, F16, 0), ("cast", F32, 0x33000001, F16, 1),
    ("cast", F32, 0x3F808000, BF16, 0x3F80), ("cast", F32, 0x3F818000, BF16, 0x3F82),
    ("cast", F32, 0x7F7FFFFF, BF16, 0x7F80), ("cast", F32, MNAN, F16, 0x7E00), ("cast", F32, SNAN, BF16, 0x7FC0),
    ("cast", F16, 1, F32, 0x33800000), ("cast", F16, 0xFE01, F32, NAN), ("cast", BF16, 0x0001, F32, 0x00010000),
    ("cast", F16, 0x3C00, BF16, 0x3F80), ("cast", I64, 2**24 + 1, F32, 0x4B800000),
    ("cast", I64, 2**24 + 3, F32, 0x4B800002), ("cast", U64, 2**64 - 1, F32, 0x5F800000),
    ("cast", U64, 2**63 + 2**39 + 1, F32, 0x5F000001), ("cast", I64, 2**62 + 2**38 + 1, F32, 0x5E800001),
    ("cast", I64, MIN64, F32, 0xDF000000), ("cast", I64, 2**64 - 1, F32, 0xBF800000),
    ("cast", I32, 70000, F16, 0x7C00), ("cast", I32, 0xFFFFFFFF, I8, 0xFF), ("cast", I32, 0x1FF, U8, 0xFF),
    ("cast", I8, 0xFF, U64, 2**64 - 1), ("cast", U8, 0xFF, I64, 255), ("cast", I64, 256, BOOL, 1),
    ("cast", I64, 256, I8, 0), ("cast", BOOL, 1, F32, ONE), ("cast", BOOL, 1, I64, 1), ("cast", BOOL, 0, F16, 0),
    ("cast", BOOL, 1, BOOL, 1), ("bitcast", F32, MNAN, I32, 0xFFC00000), ("bitcast", F32, SNAN, DType.UINT32, SNAN),
    ("bitcast", I32, 0xFFC00001, F32, NAN), ("bitcast", I32, 0x80000000, F32, M0),
    ("bitcast", F16, 0xFC01, DType.INT16, 0xFC01), ("bitcast", DType.UINT16, 0x7F81, BF16, 0x7FC0),
    ("bitcast", I64, MIN64, U64, MIN64),
]  # fmt: skip


def array(dtype: DType, bits: list[int]) -> np.ndarray:
    return np.array(bits, f"u{dtype.itemsize}").view(dtype.numpy)


def result(op: str, operands: list[tuple[DType, int]], dtype: DType) -> int:
    """The stored bits of op(operands) as `dtype`, by a kernel of two equal elements."""
    tensors = {f"x{n}": array(kind, [bits, bits]) for n, (kind, bits) in enumerate(operands)}
    reads = tuple(Read(name, (2,), (Axis((1,)),)) for name in tensors)
    out = run_kernel(Kernel(op, "y", dtype, (2,), (2,), reads), tensors)
    assert out.dtype == dtype.numpy
    assert out.shape == (2,)
    both = out.view(f"u{dtype.itemsize}").tolist()
    assert both[0] == both[1]
    return both[0]


@pytest.mark.parametrize(("op", "operands", "want"), FLOAT_GOLDEN)
def test_float(op: str, operands: list[int], want: int) -> None:
    assert hex(result(op, [(F32, x) for x in operands], F32)) == hex(want)


@pytest.mark.parametrize(("op", "operands", "want"), COMPARE_GOLDEN)
def test_float_comparison(op: str, operands: list[int], want: int) -> None:
    assert result(op, [(F32, x) for x in operands], BOOL) == want


@pytest.mark.parametrize(("dtype", "op", "operands", "want"), INTEGER_GOLDEN)
def test_integer(dtype: DType, op: str, operands: list[int], want: int) -> None:
    assert hex(result(op, [(dtype, x) for x in operands], dtype)) == hex(want)


@pytest.mark.parametrize(("op", "source", "bits", "target", "want"), CAST_GOLDEN)
def test_conversion(op: str, source: DType, bits: int, target: DType, want: int) -> None:
    assert hex(result(op, [(source, bits)], target)) == hex(want)


def test_integer_comparisons_know_the_sign() -> None:
    for op, (signed, unsigned) in {
        "lt": (1, 0),
        "le": (1, 0),
        "gt": (0, 1),
        "ge": (0, 1),
        "ne": (1, 1),
        "eq": (0, 0),
    }.items():
        assert result(op, [(I8, 0xFF), (I8, 1)], BOOL) == signed
        assert result(op, [(U8, 0xFF), (U8, 1)], BOOL) == unsigned


def test_bools() -> None:
    for a in (0, 1):
        for b in (0, 1):
            x = [(BOOL, a), (BOOL, b)]
            assert result("and", x, BOOL) == result("min", x, BOOL) == a & b
            assert result("or", x, BOOL) == result("max", x, BOOL) == a | b
            assert result("xor", x, BOOL) == a ^ b
            assert result("eq", x, BOOL) == (a == b)
            assert result("ne", x, BOOL) == (a != b)
        assert result("not", [(BOOL, a)], BOOL) == 1 - a
        assert result("select", [(BOOL, a), (F32, ONE), (F32, MNAN)], F32) == (ONE if a else NAN)
        assert result("select", [(BOOL, a), (U64, 2**63), (U64, 1)], U64) == (2**63 if a else 1)
        assert result("select", [(BOOL, a), (BOOL, 0), (BOOL, 1)], BOOL) == 1 - a


def test_sixteen_bit_floats_are_computed_in_binary32_and_rounded_once() -> None:
    # 2049 is no binary16: rounded after each step, 2048 + 1 + 1 would stay 2048
    assert result("fma", [(F16, 0x3C00), (F16, 0x6800), (F16, 0x3C00)], F16) == 0x6800
    assert result("add", [(F16, 0x6800), (F16, 0x4200)], F16) == 0x6802
    assert result("mul", [(BF16, 0x3F81), (BF16, 0x3F81)], BF16) == 0x3F82
    assert result("add", [(F16, 0x7BFF), (F16, 0x7BFF)], F16) == 0x7C00
    assert result("add", [(F16, 0x7BFF), (F16, 0x7BFF)], F32) == 0x47FFE000  # stored wide, the sum is kept
    assert result("sqrt", [(BF16, 0xBF80)], BF16) == 0x7FC0
    assert result("neg", [(F16, 0x0001)], F16) == 0x8001
    assert result("copy", [(BF16, 0x7F81)], BF16) == 0x7FC0


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_named_functions_are_reached(name: str) -> None:
    operands = [(F32, ONE)] * OPS[name].arity
    want = {"exp": 0x402DF854, "log": 0, "tanh": 0x3F42F7D6, "erf": 0x3F57BB3D, "sin": 0x3F576AA4, "cos": 0x3F0A5141,
            "pow": ONE, "sigmoid": 0x3F3B26A8}  # fmt: skip
    assert hex(result(name, operands, F32)) == hex(want[name])


def test_every_operation_has_a_test() -> None:
    tested = {op for op, *_ in (*FLOAT_GOLDEN, *COMPARE_GOLDEN, *CAST_GOLDEN)} | {op for _, op, *_ in INTEGER_GOLDEN}
    assert tested | {"select", "first"} | set(FUNCTIONS) == set(OPS)


@pytest.mark.parametrize(
    ("op", "dtype"), [("add", BOOL), ("shl", F32), ("sqrt", I32), ("and", F32), ("lt", BOOL), ("no", I8)]
)
def test_what_an_operation_is_not_defined_on_is_refused(op: str, dtype: DType) -> None:
    with pytest.raises(UnsupportedOperator) as caught:
        result(op, [(dtype, 0)] * OPS[op].arity if op in OPS else [(dtype, 0)], dtype)
    assert caught.value.evidence["op"] == op
