"""The contract `arithmetic` against the engine, on operands chosen to hurt (tests/support/operand_patterns.py).

On py-evm a few hundred operations a second are what there is; where revm is installed (pyrevm), thousands of patterns per
operation run in the same time. `scripts/bench referee_fuzz` runs 100,000.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import boa
import numpy as np
import pytest
from contract_world import deploy

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from arithmetic_contract import FAST, Contract
from operand_patterns import EXTREME, SIGN, Case, cases, engine, engine_store, engine_widen, patterns

from assay.contracts.sequences import source
from assay.dispute.arbiter import apply
from assay.program.functions import FUNCTIONS
from assay.program.scalar import OPS
from assay.program.types import DType

CASES = list(cases())
OPERATIONS = sorted({case.op for case in CASES})
F32, I32, BOOL = DType.FLOAT32, DType.INT32, DType.BOOL
VYPER = files("assay.contracts").joinpath("vyper")


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract()


@pytest.fixture(scope="module")
def entries() -> Any:
    return deploy("arithmetic")


def count(op: str) -> int:
    """Patterns per combination of types, so that all of it takes less than a minute on the EVM at hand."""
    types = sum(case.op == op for case in CASES)
    if FAST:
        return 3000 if types < 5 else 1000
    return 4 if op in FUNCTIONS else max(8, 64 // types)


def differing(case: Case, operands: Sequence[np.ndarray], found: np.ndarray) -> list[str]:
    """What is wrong, for a message that helps."""
    right = engine(case, list(operands))
    wrong = np.flatnonzero(found != right)[:3]
    return [f"{case} of {[hex(o[n]) for o in operands]}: {found[n]:x}, not {right[n]:x}" for n in wrong]


@pytest.mark.parametrize("op", OPERATIONS)
def test_every_operation_is_the_engines(contract: Contract, op: str) -> None:
    for case in (case for case in CASES if case.op == op):
        operands = patterns(case, count(op), seed=1)
        assert differing(case, operands, contract.apply_many(*case, operands)) == []


@pytest.mark.parametrize("op", ["add", "mul", "div", "fma", "min", "max"])
def test_all_combinations_of_extremes(contract: Contract, op: str) -> None:
    case, values = Case(op, F32, F32), np.concatenate([EXTREME, EXTREME | np.uint64(SIGN)])
    operands = [x.ravel() for x in np.meshgrid(*[values] * OPS[op].arity)]
    if op == "fma" and not FAST:  # 1,728 of them
        operands = [x[::7] for x in operands]
    assert differing(case, operands, contract.apply_many(*case, operands)) == []


@pytest.mark.parametrize("dtype", list(DType), ids=str)
def test_reading_and_storing_are_the_engines(contract: Contract, dtype: DType) -> None:
    n = 1 << 16 if FAST else 600
    stored = np.random.default_rng(2).integers(0, 1 << dtype.bits, n, dtype=np.uint64)
    if dtype is F32:  # is read as it is: it is the operation that makes a NaN canonical
        assert (contract.widen_many(dtype, stored) == stored).all()
    else:
        assert (contract.widen_many(dtype, stored) == engine_widen(stored, dtype)).all()
    if dtype.is_float:
        values = patterns(Case("cast", F32, dtype), n, seed=3)[0]
        assert (contract.store_many(dtype, values) == engine_store(values, dtype)).all()
    else:
        assert (contract.store_many(dtype, stored) == stored).all()


@pytest.mark.parametrize("op", OPERATIONS)
def test_one_call_is_what_a_batch_says(contract: Contract, op: str) -> None:
    case = next(case for case in reversed(CASES) if case.op == op)
    operands = patterns(case, 3 if op in FUNCTIONS else 8, seed=4)
    alone = [contract.apply(*case, *map(int, values)) for values in zip(*operands, strict=True)]
    assert alone == contract.apply_many(*case, operands).tolist() == engine(case, operands).tolist()


def test_the_shipped_chains_evm_agrees() -> None:
    """py-evm, whichever EVM the other tests run on."""
    slow = Contract(fast=False)
    for op in ("add", "fma", "div", "sqrt"):
        case = Case(op, F32, F32)
        operands = patterns(case, 60, seed=5)
        assert differing(case, operands, slow.apply_many(*case, operands)) == []


@pytest.mark.parametrize(
    ("op", "kind", "out", "reason"),
    [
        ("first", F32, F32, "op"), ("first", I32, I32, "op"), ("first", BOOL, BOOL, "op"),
        ("mod", F32, F32, "op"), ("rem", F32, F32, "op"), ("and", F32, F32, "op"), ("shr", F32, F32, "op"),
        ("sqrt", I32, I32, "op"), ("floor", I32, I32, "op"), ("isnan", I32, I32, "op"), ("exp", I32, I32, "op"),
        ("add", BOOL, BOOL, "op"), ("lt", BOOL, BOOL, "op"), ("shl", BOOL, BOOL, "op"), ("pow", BOOL, BOOL, "op"),
        ("add", DType.FLOAT16, DType.FLOAT16, "type"), ("copy", DType.BFLOAT16, DType.BFLOAT16, "type"),
        ("cast", DType.FLOAT16, F32, "type"), ("bitcast", I32, DType.INT64, "type"), ("bitcast", BOOL, BOOL, "type"),
        ("bitcast", DType.UINT8, BOOL, "type"),
    ],
)  # fmt: skip
def test_what_does_not_exist_is_refused(entries: Any, op: str, kind: DType, out: DType, reason: str) -> None:
    types = list(DType)
    with pytest.raises(boa.BoaError, match=reason):
        entries.apply(list(OPS).index(op), types.index(kind), types.index(out), 1, 1, 1)


def test_numbers_beyond_the_tables_are_refused(entries: Any) -> None:
    for numbers in (
        (len(OPS), 0, 0),
        (2**255, 0, 0),
        (0, 12, 12),
        (26, 12, 12),
        (34, 0, 12),
        (35, 12, 12),
        (35, 4, 2**255),
    ):
        with pytest.raises(boa.BoaError, match=r"op|type"):
            entries.apply(*numbers, 1, 1, 1)
    for entry in (entries.widen, entries.store):
        with pytest.raises(boa.BoaError, match="type"):
            entry(12, 0)
    for op in (list(OPS).index("exp") - 1, len(OPS)):
        with pytest.raises(boa.BoaError, match="op"):
            entries.evaluate(op, 0, 0)


@pytest.mark.parametrize("name", ["arithmetic", "integers"])
def test_numbers_are_those_of_the_tables(name: str) -> None:
    found = dict(
        re.findall(r"^([A-Z0-9_]+): constant\(uint256\) = (\d+)$", VYPER.joinpath(f"{name}.vy").read_text(), re.M)
    )
    tables = {op.upper(): n for n, op in enumerate(OPS)} | {d.name: n for n, d in enumerate(DType)}
    found = {key.removeprefix("BIT_"): int(number) for key, number in found.items() if key != "BATCH"}
    assert len(found) > 10
    assert found == {key: tables[key] for key in found}


def test_the_machines_code_is_made_from_the_functions() -> None:
    assert VYPER.joinpath("sequences.vy").read_text() == source()


def test_a_call_stays_affordable(contract: Contract) -> None:
    """Ceilings a little above what was measured (docs/dispute.md)."""
    ceilings = {"fma": 2_500, "add": 2_300, "mul": 1_900, "div": 2_100, "sqrt": 2_500, "pow": 175_000, "cos": 135_000}
    for op, ceiling in ceilings.items():
        case = Case(op, F32, F32)
        costs = [contract.gas(*case, *map(int, values)) for values in zip(*patterns(case, 5, seed=6), strict=True)]
        assert 500 < max(costs) < ceiling, op


def test_a_mistake_would_be_seen(contract: Contract) -> None:
    """The comparison has teeth: the operands tell each operation from its neighbours."""
    for op, other in (
        ("fma", "mul"),
        ("min", "max"),
        ("floor", "trunc"),
        ("sin", "cos"),
        ("lt", "le"),
        ("round", "ceil"),
    ):
        case = Case(op, F32, F32)
        operands = patterns(case, 40 if op not in FUNCTIONS else 8, seed=7)
        found = contract.apply_many(other, F32, F32, operands)
        assert differing(case, operands, found), (op, other)
    assert apply("lt", F32, F32, 0x80000000, 0) == 0
