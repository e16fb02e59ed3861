"""`scripts/bench referee_fuzz`: the report of a small run, and that it would count what differs."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


def test_report_of_a_small_run():
    command = [sys.executable, "referee_fuzz.py", "--patterns", "24", "--only", "sub,exp"]
    done = subprocess.run(command, cwd=BENCH, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["differences"] == 0
    assert report["patterns"] == 24 + 24 + 24  # sub of floats, of eight integer types, and exp
    assert report["operations"]["sub"]["types"] == 9


def test_differences_are_counted(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(BENCH))
    bench = importlib.import_module("referee_fuzz")
    a = np.arange(10, dtype=np.uint64)
    wrong = np.where(a == 7, a + 1, a)
    row = bench.compare("copy", [a], a, wrong, lambda v: v if v < 3 else 0)
    assert row == {"patterns": 10, "contract_differences": 1, "arbiter_differences": 7}
    assert "copy(7): contract 8, engine 7" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("op", "kind", "out", "label"), [("add", "int8", "int8", "integer"), ("cast", "bool", "float16", "bool to float")]
)
def test_classes_of_types(monkeypatch, op, kind, out, label):
    monkeypatch.syspath_prepend(str(BENCH))
    bench = importlib.import_module("referee_fuzz")
    assert bench.class_of(bench.Case(op, bench.DType(kind), bench.DType(out))) == label
