"""An ONNX model over a dataset becomes a task, or is refused before anything is paid."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from assay.errors import NotFoundError, RefusedError, UsageError
from assay.market import Inference, package_inference, quote
from assay.market.job import package_job, read_job

NODES = [
    helper.make_node("Sin", ["x"], ["inner"]),
    helper.make_node("Exp", ["inner"], ["y"]),
    helper.make_node("ArgMax", ["inner"], ["label"], axis=1, keepdims=0),
]
GRAPH = helper.make_graph(
    NODES,
    "model",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
    [
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3]),
        helper.make_tensor_value_info("label", TensorProto.INT64, ["n"]),
    ],
)
MODEL = helper.make_model(GRAPH, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()
X = np.zeros((10, 3), np.float32)


def job(**changes):
    return Inference(**{"name": "answers", "model": MODEL, "dataset": {"x": X}, "batch_size": 4, **changes})


def test_the_steps_cover_the_rows_and_the_sheet_begins_empty(store):
    package = package_inference(job(interval=2), store)
    spec = package.spec
    assert (spec.rows, spec.batch_size, spec.steps, spec.intervals) == (10, 4, 3, 2)
    assert {name: port.shape for name, port in package.program.state.items()} == {"y": (10, 3), "label": (10,)}
    assert quote(package.program, spec).price > 0
    assert set(package_inference(job(results=["label"]), store).program.state) == {"label"}
    assert set(package_inference(job(outputs=["y"]), store).program.state) == {"y"}


def test_a_file_of_the_user_may_return_one(tmp_path, store):
    (tmp_path / "model.onnx").write_bytes(MODEL)
    (tmp_path / "answer.py").write_text(
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from assay.market import Inference\n"
        "def task():\n"
        "    model = Path(__file__).parent / 'model.onnx'\n"
        "    x = np.zeros((10, 3), np.float32)\n"
        "    return Inference(name='answers', model=model, dataset={'x': x}, batch_size=4)\n"
    )
    found = package_job(read_job(tmp_path / "answer.py"), store)
    assert found.blob == package_inference(job(), store).blob


@pytest.mark.parametrize(
    ("changes", "error", "why"),
    [
        ({"batch_size": 11}, UsageError, "at most the 10 rows"),
        ({"batch_size": 0}, UsageError, "at least 1"),
        ({"dataset": {"x": X, "z": X[:9]}}, UsageError, "as many rows as each other"),
        ({"dataset": {}}, UsageError, "as many rows as each other"),
        ({"dataset": {"x": X, "z": X}}, UsageError, "no input 'z'"),
        ({"dataset": {"x": X, "row": np.arange(10)}}, UsageError, "no input 'row'"),
        ({"dataset": {"x": X[:, :2]}}, UsageError, "does not fit"),
        ({"dataset": {"x": X.astype(np.float64)}}, UsageError, "float64"),
        ({"dataset": {"x": X.astype(np.float16)}}, RefusedError, "the program wants float32"),
        ({"results": ["absent"]}, UsageError, "no result 'absent'"),
        ({"outputs": ["absent"]}, UsageError, "no output 'absent'"),
    ],
)
def test_what_does_not_fit_is_refused(changes, error, why, store):
    with pytest.raises(error, match=why):
        package_inference(job(**changes), store)


def test_a_file_that_is_not_there(tmp_path, store):
    with pytest.raises(NotFoundError):
        package_inference(job(model=tmp_path / "absent.onnx"), store)
