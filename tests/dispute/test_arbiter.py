"""The arbiter's arithmetic against the engine's, on the operands that also the contract gets."""

from __future__ import annotations

import ast
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from operand_patterns import SIGN, SPECIAL, Case, cases, engine, engine_store, engine_widen, patterns

from assay.dispute.arbiter import apply, store, widen
from assay.errors import UnsupportedOperator
from assay.program.functions import FUNCTIONS
from assay.program.types import DType

CASES = list(cases())
F32, I32, BOOL = DType.FLOAT32, DType.INT32, DType.BOOL


def differing(case: Case, operands: list[np.ndarray]) -> list[str]:
    right = engine(case, operands).tolist()
    sets = list(zip(*(o.tolist() for o in operands), strict=True))
    found = [apply(*case, *values) for values in sets]
    wrong = [n for n in range(len(right)) if found[n] != right[n]][:3]
    return [f"{case} of {[hex(v) for v in sets[n]]}: {found[n]:x}, not {right[n]:x}" for n in wrong]


@pytest.mark.parametrize("op", sorted({case.op for case in CASES}))
def test_every_operation_is_the_engines(op: str) -> None:
    chosen = [case for case in CASES if case.op == op]
    count = 600 if op in FUNCTIONS else 4000 if len(chosen) < 5 else 1000
    for case in chosen:
        assert differing(case, patterns(case, count, seed=11)) == []


@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "min", "max", "lt", "le", "gt", "ge", "eq", "ne"])
def test_all_pairs_of_special_values(op: str) -> None:
    values = np.concatenate([SPECIAL, SPECIAL | np.uint64(SIGN)])
    a, b = (x.ravel() for x in np.meshgrid(values, values))
    assert differing(Case(op, F32, F32), [a, b]) == []


@pytest.mark.parametrize("dtype", list(DType), ids=str)
def test_reading_and_storing_are_the_engines(dtype: DType) -> None:
    every = np.arange(1 << 16, dtype=np.uint64) if dtype.bits == 16 else np.arange(256, dtype=np.uint64)
    if dtype is not F32:
        assert [widen(dtype, b) for b in every.tolist()] == engine_widen(every, dtype).tolist()
    if dtype.is_float:
        values = patterns(Case("cast", F32, dtype), 20_000, seed=12)[0]
        assert [store(dtype, v) for v in values.tolist()] == engine_store(values, dtype).tolist()
    else:
        assert [store(dtype, b) for b in every.tolist()] == every.tolist()


def test_halves_of_narrow_types_are_among_the_operands() -> None:
    """Every half between two neighbours of binary16 rounds to the even one."""
    neighbours = np.arange(0x7BFF, dtype=np.uint64)
    middles = (engine_widen(neighbours, DType.FLOAT16).astype(np.uint32).view(np.float32).astype(np.float64)
               + engine_widen(neighbours + 1, DType.FLOAT16).astype(np.uint32).view(np.float32)) / 2  # fmt: skip
    bits = middles.astype(np.float32).view(np.uint32).tolist()
    assert [store(DType.FLOAT16, b) for b in bits] == [n + n % 2 for n in neighbours.tolist()]


@pytest.mark.parametrize("op", ["add", "mul", "div", "fma"])
def test_operands_reach_every_kind_of_result(op: str) -> None:
    """Each at least once in 200 times."""
    case = Case(op, F32, F32)
    size = engine(case, patterns(case, 20_000, seed=13)) & np.uint64(SIGN - 1)
    kinds = {
        "zero": size == 0,
        "subnormal": (size > 0) & (size < 0x00800000),
        "least normal": (size >= 0x00800000) & (size < 0x02000000),
        "greatest": (size >= 0x7E800000) & (size < 0x7F800000),
        "infinite": size == 0x7F800000,
        "NaN": size > 0x7F800000,
    }
    assert {name for name, found in kinds.items() if found.mean() < 0.005} == set()


def test_refusals() -> None:
    wrong = [
        ("first", F32, F32, (0, 0)), ("mod", F32, F32, (0, 0)), ("add", BOOL, BOOL, (0, 0)), ("sqrt", I32, I32, (0,)),
        ("add", F32, F32, (0,)), ("add", DType.FLOAT16, F32, (0, 0)), ("bitcast", I32, DType.INT64, (0,)),
        ("bitcast", DType.UINT8, BOOL, (0,)), ("nothing", F32, F32, ()),
    ]  # fmt: skip
    for op, kind, out, operands in wrong:
        with pytest.raises(UnsupportedOperator):
            apply(op, kind, out, *operands)


def test_nothing_of_the_engine_takes_part() -> None:
    for source in files("assay.dispute").joinpath("arbiter").iterdir():
        if source.name not in ("__init__.py", "scalar.py", "floats.py", "integers.py", "named.py"):
            continue
        names = set()
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module or "")
        assert not [n for n in names if "numpy" in n or "engine" in n or "ml_dtypes" in n], source.name
