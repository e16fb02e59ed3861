"""Arbiter against contract against engine, one scalar operation at a time: `scripts/bench referee_fuzz [--patterns N]`.

The same operands (tests/support/operand_patterns.py) go to the contract `arithmetic` on an EVM, to `assay.dispute.arbiter` and
to the engine's clear version. Each operation runs with every element type that it takes and, where that counts, gives: N
patterns for each class of types (float, integer, bool, and for casts the class of the source and that of the target), which
the types of the class share. The last line is JSON: per operation the combinations of types, the patterns, and how often
contract or arbiter differ from the engine (exit code 1 if they do). `--gas` measures what a call costs instead, and `--write`
puts that into docs/dispute.md.

py-evm makes a few hundred operations a second. Where pyrevm is installed (`pip install pyrevm`) it takes its place: the same
bytes run on revm, some two hundred times as fast. The gas figures are the EVM's and do not depend on which of them counts.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from arithmetic_contract import FAST, Contract
from operand_patterns import (
    Bits,
    Case,
    cases,
    engine,
    engine_store,
    engine_widen,
    patterns,
)

from assay.dispute.arbiter import apply, store, widen
from assay.program.scalar import OPS
from assay.program.types import DType

PAGE = ROOT / "docs" / "dispute.md"
MARKS = ("<!-- generated: gas -->", "<!-- end of gas -->")
CHUNK = 20_000
Row = dict[str, int]


def compare(label: str, operands: Sequence[Bits], right: Bits, contract: Bits, arbiter: Callable[..., int]) -> Row:
    """Counts of differences; the first one of each goes to stderr."""
    values = np.array([arbiter(*v) for v in zip(*(o.tolist() for o in operands), strict=True)], np.uint64)
    row = {"patterns": len(right)}
    for name, found in (("contract", contract), ("arbiter", values)):
        wrong = np.flatnonzero(found != right)
        row[f"{name}_differences"] = len(wrong)
        if len(wrong):
            n = wrong[0]
            given = ", ".join(f"{int(o[n]):x}" for o in operands)
            print(f"{label}({given}): {name} {int(found[n]):x}, engine {int(right[n]):x}", file=sys.stderr)
    return row


def fuzz_case(contract: Contract, case: Case, count: int, seed: int) -> Row:
    """One operation on one combination of types."""
    total: Row = {}
    for part, start in enumerate(range(0, count, CHUNK)):
        operands = patterns(case, min(CHUNK, count - start), seed * 1000 + part)
        found = contract.apply_many(*case, operands)
        row = compare(str(case), operands, engine(case, operands), found, lambda *v, case=case: apply(*case, *v))
        total = added(total, row)
    return total


def fuzz_memory(contract: Contract, count: int, seed: int) -> dict[str, Row]:
    """`widen` and `store`: every pattern of 16 bits, and `count` of others."""
    rows: dict[str, Row] = {"widen": {}, "store": {}}
    for dtype in DType:
        width = dtype.bits
        rng = np.random.default_rng(seed)
        stored = (
            np.arange(1 << 16, dtype=np.uint64) if width == 16 else rng.integers(0, 1 << width, count, dtype=np.uint64)
        )
        if dtype is not DType.FLOAT32:  # which is read as it is, a NaN's bits included
            right, found = engine_widen(stored, dtype), contract.widen_many(dtype, stored)
            row = compare(f"widen {dtype}", [stored], right, found, lambda b, d=dtype: widen(d, b))
            rows["widen"] = added(rows["widen"], row)
        if dtype.is_float:
            values = patterns(Case("cast", DType.FLOAT32, dtype), count, seed + 1)[0]
            right, found = engine_store(values, dtype), contract.store_many(dtype, values)
            row = compare(f"store {dtype}", [values], right, found, lambda b, d=dtype: store(d, b))
            rows["store"] = added(rows["store"], row)
    return rows


def added(a: Row, b: Row) -> Row:
    """Sums by name."""
    return {name: a.get(name, 0) + b[name] for name in b}


def fuzz(contract: Contract, only: set[str], count: int, seed: int) -> dict[str, Row]:
    """Rows by operation."""
    rows: dict[str, Row] = {}
    sharing = Counter((case.op, class_of(case)) for case in cases())
    for case in cases():
        if only and case.op not in only:
            continue
        begun = time.monotonic()
        share = -(-count // sharing[case.op, class_of(case)])
        row = {"types": 1} | fuzz_case(contract, case, share, seed)
        rows[case.op] = added(rows.get(case.op, {}), row)
        print(f"{case}: {json.dumps(row)}, {time.monotonic() - begun:.1f} s", file=sys.stderr, flush=True)
    if not only or only & {"widen", "store"}:
        rows |= fuzz_memory(contract, count, seed)
    return rows


def class_of(case: Case) -> str:
    """The types of a case, in classes."""
    names = ["float" if d.is_float else "bool" if d is DType.BOOL else "integer" for d in (case.kind, case.out)]
    return " to ".join(names) if OPS[case.op].result == "output" else names[0]


def gas_table(contract: Contract, count: int, seed: int) -> str:
    """Mean and maximum of `apply` by operation and class of types, as a table."""
    found: dict[tuple[str, str], list[int]] = {}
    for case in cases():
        if case.op == "bitcast" and case.kind.bits != 32:
            continue
        label = class_of(case)
        operands = patterns(case, count, seed)
        costs = [contract.gas(*case, *map(int, values)) for values in zip(*operands, strict=True)]
        found.setdefault((case.op, label), []).extend(costs)
    lines = ["| operation | on | mean gas | most gas |", "| --- | --- | --- | --- |"]
    for (op, label), costs in found.items():
        lines.append(f"| {op} | {label} | {sum(costs) / len(costs):,.0f} | {max(costs):,} |")
    return "\n".join(lines)


def write_table(table: str) -> None:
    """Put the table between its marks in docs/dispute.md."""
    begin, end = MARKS
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(
        re.sub(f"{begin}.*?{end}", lambda _: f"{begin}\n{table}\n{end}", text, flags=re.DOTALL), encoding="utf-8"
    )


def main() -> int:
    """See the module's text."""
    parser = argparse.ArgumentParser(description="Arbiter against contract against engine, per scalar operation.")
    parser.add_argument("--patterns", type=int, default=100_000, help="operand sets per operation and class of types")
    parser.add_argument("--only", default="", help="operations, with commas between them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gas", action="store_true", help="measure gas instead; 1,000 patterns are plenty")
    parser.add_argument("--write", action="store_true", help="with --gas: put the table into docs/dispute.md")
    options = parser.parse_args()
    contract = Contract()
    if options.gas:
        table = gas_table(contract, options.patterns, options.seed)
        print(table)
        if options.write:
            write_table(table)
        return 0
    begun = time.monotonic()
    rows = fuzz(contract, set(filter(None, options.only.split(","))), options.patterns, options.seed)
    wrong = sum(row["contract_differences"] + row["arbiter_differences"] for row in rows.values())
    report: dict[str, Any] = {"evm": "revm" if FAST else "py-evm", "seconds": round(time.monotonic() - begun, 1)}
    report |= {"patterns": sum(row["patterns"] for row in rows.values()), "differences": wrong, "operations": rows}
    print(json.dumps(report))
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
