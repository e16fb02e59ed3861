"""`scripts/bench engine`: the report of a small run, and the parts that its figures rest on."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


def run(*arguments):
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=BENCH, capture_output=True, text=True, check=False, timeout=300)


def test_report_of_one_workload():
    options = ("--only", "mlp", "--without", "torch_compile,memory", "--repeat", "10", "--threads", "1", "--json")
    done = run("engine.py", *options)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    mlp = report["workloads"]["mlp"]
    assert mlp["torch_compile_ms"] is None
    assert mlp["reasons"] == {"torch_compile": "left out by --without"}
    assert report["geomean"]["torch_compile"] is None
    for name in ("torch_eager", "onnxruntime"):
        assert mlp["ratios"][name] == pytest.approx(mlp[f"{name}_ms"] / mlp["ours_ms"], abs=2e-3)
        assert mlp["ratios"]["fastest"] <= mlp["ratios"][name] == report["geomean"][name]
        assert mlp["differences"][name] < 1e-3
    assert mlp["threads"] == {"ours": 1, "torch_eager": 1, "onnxruntime": 1}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--repeat", "9"), "at least 10"),
        (("--threads", "0"), "at least 1"),
        (("--only", "mpl"), "there is no 'mpl'"),
        (("--without", "ours"), "there is no 'ours'"),
    ],
)
def test_a_measurement_that_makes_no_sense_is_refused(options, complaint, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(BENCH))
    monkeypatch.setattr(sys, "argv", ["engine.py", *options])
    engine = importlib.import_module("engine")
    with pytest.raises(SystemExit) as stopped:
        engine.parse()
    assert stopped.value.code == 2
    assert complaint in capsys.readouterr().err


def test_peak_counts_what_a_step_holds_at_once(tmp_path):
    script = tmp_path / "peak.py"
    script.write_text(
        "import memory, numpy as np\n"
        "def build():\n"
        "    passing = np.ones(80 << 17)\n"
        "    held = np.ones(40 << 17)\n"
        "    return lambda: (held + 1).sum()\n"
        "print(memory._peak(build))\n"
    )
    done = run("-c", f"import sys; sys.path.insert(0, '.'); exec(open({str(script)!r}).read())")
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(80, abs=4)  # 40 MiB held and as much again in a step


@pytest.mark.slow
def test_peak_memory_of_a_training_step():
    done = run("engine.py", "--only", "mlp", "--without", "torch_compile,onnxruntime", "--json")
    assert done.returncode == 0, done.stderr
    peak = json.loads(done.stdout.splitlines()[-1])["workloads"]["mlp"]["peak_mib"]
    state = 3 * 4 * 669_706 / 2**20  # parameters with two moments each, of 4 bytes
    assert state < peak["torch_eager"] < 10 * state
    assert state < peak["ours"] <= peak["ours_first"] + 1 < 10 * state
    assert peak["ratio"] == pytest.approx(peak["ours"] / peak["torch_eager"], abs=1e-3)


def test_what_differs_is_not_timed(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    from checks import Disagreement, same_first, same_outputs

    right = {"metric/loss": np.float32(2), "next/w": np.ones(100, np.float32)}
    assert same_outputs(right, right) == 0
    for name, wrong in (("metric/loss", np.float32(2.001)), ("next/w", np.full(100, 1.03, np.float32)),
                        ("next/w", np.full(100, np.nan, np.float32))):  # fmt: skip
        with pytest.raises(Disagreement, match=name):
            same_outputs(right | {name: wrong}, right)
    with pytest.raises(Disagreement, match="outputs differ"):
        same_outputs(right, {"metric/loss": np.float32(2)})
    with pytest.raises(Disagreement, match="torch_eager"):
        same_first(np.float32(2.001), np.float32(2), "torch_eager")
