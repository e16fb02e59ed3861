"""The answer sheet: an inference program that is run as steps gives what it gives when it is run by hand."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from assay.engine.clear import Interpreter
from assay.errors import RefusedError, UsageError
from assay.program import DType, adopt, load, sheet
from assay.proof import rows as drawn

BATCH, ROWS = 4, 11


def model(outputs=("scores", "label", "above"), opset=21, more=()):
    """Three classes: softmax(tanh(x·w)), the class as int64, and whether each hidden value is above zero."""
    axis = helper.make_node("ReduceSum", ["e", "axes"], ["s"], keepdims=1)
    if opset < 13:
        axis = helper.make_node("ReduceSum", ["e"], ["s"], axes=[1], keepdims=1)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Tanh", ["h"], ["t"]),
        helper.make_node("Exp", ["t"], ["e"]),
        axis,
        helper.make_node("Div", ["e", "s"], ["scores"]),
        helper.make_node("ArgMax", ["h"], ["label"], axis=1, keepdims=0),
        helper.make_node("Greater", ["h", "zero"], ["above"]),
        *more,
    ]
    draw = np.random.default_rng(0)
    constants = {
        "w": draw.standard_normal((5, 3)).astype(np.float32),
        "zero": np.float32(0),
        "axes": np.array([1]),
    }
    kinds = {"label": TensorProto.INT64, "deep": TensorProto.INT64, "above": TensorProto.BOOL}
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 5])],
        [helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), None) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return adopt(data.SerializeToString(), {"x": (BATCH, 5)})


def filled(program, x, steps, seed=3):
    """The state after `steps` steps, and the metrics of each."""
    run = Interpreter(program).run
    state = {name: np.zeros(port.shape, port.dtype.numpy) for name, port in program.state.items()}
    probes = []
    for step in range(steps):
        row = drawn(seed, step, BATCH, len(x))
        out = run({"batch/x": x[row], "batch/row": row, **{f"state/{name}": a for name, a in state.items()}})
        state = {name: out[f"next/{name}"] for name in state}
        probes.append(out["metric/probe"])
    return state, probes


def by_hand(data, x):
    """The inference program itself on the rows in their order, the last batch filled up."""
    run, parts = Interpreter(load(data)).run, []
    for start in range(0, len(x), BATCH):
        batch = np.resize(x[start : start + BATCH], (BATCH, x.shape[1]))
        parts.append({name: array[: len(x) - start] for name, array in run({"batch/x": batch}).items()})
    return {name.removeprefix("result/"): np.concatenate([p[name] for p in parts]) for name in parts[0]}


@pytest.fixture
def x():
    return np.random.default_rng(1).standard_normal((ROWS, 5)).astype(np.float32)


@pytest.mark.parametrize("opset", [12, 21])
def test_every_row_of_every_type_lands_in_the_order_of_the_dataset(x, opset):
    data = model(opset=opset)
    program = load(sheet(data, ROWS))
    assert program.is_training
    assert program.batch["row"].dtype is DType.INT64
    assert {name: port.dtype.value for name, port in program.state.items()} == {
        "scores": "float32",
        "label": "int64",
        "above": "bool",
    }
    state, _ = filled(program, x, -(-ROWS // BATCH))
    wanted = by_hand(data, x)
    assert set(state) == set(wanted)
    for name, array in wanted.items():
        assert state[name].dtype == array.dtype
        assert state[name].tobytes() == array.tobytes(), name
    again, _ = filled(program, x, 9)
    assert {name: array.tobytes() for name, array in again.items()} == {
        name: array.tobytes() for name, array in state.items()
    }, "a row that is drawn again is written again, with the same bits"


def test_a_step_touches_only_its_rows(x):
    state, _ = filled(load(sheet(model(), ROWS)), x, 1)
    row = drawn(3, 0, BATCH, ROWS)
    others = np.setdiff1d(np.arange(ROWS), row)
    assert (state["scores"][row] > 0).all()
    assert not state["scores"][others].any()


def test_only_the_wanted_results_are_kept_and_the_same_bytes_come_out():
    program = load(sheet(model(), ROWS, results=["label"]))
    assert set(program.state) == {"label"}
    assert sheet(model(), ROWS) == sheet(model(), ROWS)
    assert {port.name for port, _ in program.outputs} == {"next/label", "metric/probe"}


def test_the_probe_sees_every_row_of_what_is_computed_and_not_of_what_is_kept(x):
    data = sheet(model(), ROWS)
    read = {node.input[0] for node in onnx.load_from_string(data).graph.node if node.output[0].startswith("sheet/cast")}
    assert read == {"h", "t", "e", "s"}, "neither the input nor the kept scores"
    program = load(data)
    assert program.metrics["probe"].shape == (4 + 4 + 4 + 4,)
    probes = filled(program, x, 1)[1]
    for row in drawn(3, 0, BATCH, ROWS):
        changed = x.copy()
        changed[row] += 0.5
        assert filled(program, changed, 1)[1][0].tobytes() != probes[0].tobytes()
    more = onnx.load_from_string(sheet(model(), ROWS, results=["label"])).graph.node
    read = {node.input[0] for node in more if node.output[0].startswith("sheet/cast")}
    assert read == {"h", "t", "e", "s", "scores"}, "a result that is not kept shows that somebody has computed it"


def test_at_most_eight_tensors_are_probed_the_last_one_included():
    chain = [helper.make_node("Sin", [f"c{k}" if k else "h"], [f"c{k + 1}"]) for k in range(30)]
    chain.append(helper.make_node("ArgMax", ["c30"], ["deep"], axis=1, keepdims=0))
    nodes = onnx.load_from_string(sheet(model(("scores", "deep"), more=chain), ROWS)).graph.node
    read = [node.input[0] for node in nodes if node.output[0].startswith("sheet/cast")]
    assert len(read) == 8
    assert len(set(read)) == 8
    assert read[-1] == "c30"


def test_what_can_be_read_off_the_results_is_nothing_to_probe():
    nodes = [helper.make_node("Tanh", ["x"], ["y"]), helper.make_node("Flatten", ["y"], ["z"])]
    graph = helper.make_graph(
        nodes,
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [BATCH, 5])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)],
    )
    data = adopt(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]).SerializeToString())
    with pytest.raises(RefusedError, match="copy instead of computing"):
        sheet(data, ROWS)


def test_what_is_no_inference_program_is_refused():
    total = [helper.make_node("ReduceMax", ["h"], ["total"], keepdims=0)]
    for data, rows, results, why in (
        (model(), BATCH - 1, None, "a batch of 4 rows does not fit"),
        (model(), ROWS, ["absent"], "no result 'absent'"),
        (model(), ROWS, [], "no result to keep"),
        (model(("scores", "total"), more=total), ROWS, None, r"'total' has shape \(\)"),
        (sheet(model(), ROWS), ROWS, None, "has a state already"),
    ):
        with pytest.raises(UsageError, match=why):
            sheet(data, rows, results=results)


def bare(inputs, nodes):
    ports = [helper.make_tensor_value_info(f"batch/{n}", TensorProto.FLOAT, shape) for n, shape in inputs.items()]
    result = [helper.make_tensor_value_info("result/y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "bare", ports, result)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]).SerializeToString()


def test_names_that_collide_and_columns_that_differ_are_refused():
    def node(*names, out="result/y"):
        return helper.make_node("Add" if len(names) == 2 else "Tanh", list(names), [out])

    for data, why in (
        (bare({"row": [4, 2]}, [node("batch/row")]), "'batch/row' is needed"),
        (bare({"x": [4, 2]}, [node("batch/x", out="sheet/rows"), node("sheet/rows")]), "'sheet/rows' is needed"),
        (bare({"x": [4, 2]}, [node("batch/x", out="next/y"), node("next/y")]), "'next/y' is needed"),
        (bare({"x": [4, 2], "z": [1, 2]}, [node("batch/x", "batch/z")]), "do not share a first axis"),
        (bare({"x": []}, [node("batch/x")]), "do not share a first axis"),
    ):
        with pytest.raises(UsageError, match=why):
            sheet(data, ROWS)
