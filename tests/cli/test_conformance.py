"""`assay conformance` over a handful of cases: what is counted, what is printed, and the exit code."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.backend.test.case.test_case import TestCase as Case

import assay.engine.conformance
from assay.cli.main import app
from assay.cli.main import run as run_command

Case.__test__ = False


def case(name: str, op: str, x: np.ndarray, expected: np.ndarray, **attributes) -> Case:
    info = helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
    out = onnx.ValueInfoProto(name="y")
    graph = helper.make_graph([helper.make_node(op, ["x"], ["y"], **attributes)], "g", [info], [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return Case(name, name, None, None, model, [([x], [expected])], "node", 1e-3, 1e-7)


X = np.float32([1, -2])
RIGHT = [
    case("test_neg", "Neg", X, -X),
    case("test_neg_double", "Neg", X.astype(np.float64), -X.astype(np.float64)),
    case("test_random", "RandomNormalLike", X, X),
]
WRONG = [
    case("test_wrong_value", "Abs", X, X),
    case("test_wrong_type", "Abs", X, np.abs(X).astype(np.float16)),
    case("test_wrong_shape", "Abs", X, np.abs(X).reshape(2, 1)),
]


@pytest.fixture
def conformance(monkeypatch, capsys):
    def call(cases, *arguments):
        monkeypatch.setattr(assay.engine.conformance, "cases", lambda: cases)
        monkeypatch.setattr(sys, "argv", ["assay", "conformance", *arguments])
        code = run_command(lambda: app(standalone_mode=True))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.mark.parametrize("engine", ["exact", "clear"])
def test_the_report(conformance, engine):
    code, out, _ = conformance(RIGHT, "--json", "--engine", engine)
    assert code == 0
    (line,) = out.splitlines()
    report = json.loads(line)
    assert report.pop("seconds") >= 0
    reasons = report["operators"].pop("RandomNormalLike")
    assert reasons == {
        "passed": 0,
        "unsupported": {"RandomNormalLike: the operator RandomNormalLike is not covered": 1},
        "wrong": [],
    }
    assert report == {
        "passed": 1,
        "unsupported": 2,
        "wrong": 0,
        "operators": {
            "Neg": {
                "passed": 1,
                "unsupported": {"the input 'x' has element type double, which exact-1 does not cover": 1},
                "wrong": [],
            }
        },
        "onnx": onnx.__version__,
        "engine": engine,
    }


def test_wrong_answers_are_code_3(conformance):
    code, out, err = conformance([*RIGHT, *WRONG], "--json")
    assert code == 3
    (line,) = out.splitlines()
    report = json.loads(line)
    assert (report["passed"], report["unsupported"], report["wrong"]) == (1, 2, 3)
    assert report["operators"]["Abs"] == {"passed": 0, "unsupported": {}, "wrong": [c.name for c in WRONG]}
    assert "test_wrong_value" in err
    code, out, err = conformance(WRONG)
    assert code == 3
    assert "mismatch" in err


def test_the_table_and_the_filter(conformance):
    code, out, _ = conformance(RIGHT, "--filter", "RANDOM")
    assert code == 0
    assert "RandomNormalLike" in out
    assert "Neg" not in out
    code, _, err = conformance(RIGHT, "--filter", "nothing like it")
    assert (code, "not-found" in err) == (6, True)
    assert conformance(RIGHT, "--engine", "fast")[0] == 2


def test_help_is_instant():
    probe = (
        "import sys; from assay.cli.main import app; sys.exit(bool({'onnx', 'llvmlite', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", probe], check=False, timeout=60).returncode == 0
