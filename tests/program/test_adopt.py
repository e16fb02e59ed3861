"""A model from elsewhere: what adoption changes, and what it refuses."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from assay.engine.clear import Interpreter
from assay.errors import NotFoundError, ProgramRefused, UnsupportedOperator, UsageError
from assay.program import adopt, load

OPEN = ["rows", 3]


def model(nodes, outputs, initializers=(), shape=OPEN, more=(), imports=(("", 21),)):
    """A graph with the float input x; every output is a float of unknown size."""
    ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape), *more]
    results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", "?"]) for name in outputs]
    graph = helper.make_graph(nodes, "elsewhere", ports, results, list(initializers))
    opsets = [helper.make_opsetid(*entry) for entry in imports]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()


def weights():
    return numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(3, 2), "w")


def product():
    """y = x·w, where the file also lists w among its inputs, as old exporters do."""
    listed = helper.make_tensor_value_info("w", TensorProto.FLOAT, [3, 2])
    return model([helper.make_node("MatMul", ["x", "w"], ["y"])], ["y"], [weights()], more=[listed])


def test_ports_are_renamed_and_initializers_are_constants():
    program = load(adopt(product(), {"x": (4, 3)}))
    assert [(port.name, port.shape) for port in program.inputs] == [("batch/x", (4, 3))]
    assert [(port.name, port.shape) for port, _ in program.outputs] == [("result/y", (4, 2))]
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    out = Interpreter(program).run({"batch/x": x})
    np.testing.assert_array_equal(out["result/y"], x @ np.arange(6, dtype=np.float32).reshape(3, 2))


def test_the_same_bytes_and_no_file_changed(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(product())
    assert adopt(path, {"x": (4, 3)}) == adopt(product(), {"x": (4, 3)})
    assert path.read_bytes() == product()


def test_only_the_wanted_outputs_are_computed():
    nodes = [
        helper.make_node("Relu", ["x"], ["good"]),
        helper.make_node("NobodyKnowsThis", ["x"], ["bad"], domain="elsewhere"),
    ]
    data = model(nodes, ["good", "bad"], imports=[("", 21), ("elsewhere", 1)])
    with pytest.raises(UnsupportedOperator, match="NobodyKnowsThis"):
        load(adopt(data, {"x": (1, 3)}))
    program = load(adopt(data, {"x": (1, 3)}, outputs=["good"]))
    assert [port.name for port, _ in program.outputs] == ["result/good"]


def test_what_a_branch_takes_from_around_it_is_kept():
    branches = {
        name: helper.make_graph(
            [helper.make_node(op, ["around"], ["inner"])],
            name,
            [],
            [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)],
        )
        for name, op in (("then_branch", "Exp"), ("else_branch", "Neg"))
    }
    yes = numpy_helper.from_array(np.array(True), "yes")
    nodes = [helper.make_node("Abs", ["x"], ["around"]), helper.make_node("If", ["yes"], ["y"], **branches)]
    program = load(adopt(model(nodes, ["y"], [yes]), {"x": (2, 3)}))
    assert [kernel.op for kernel in program.kernels] == ["abs", "exp"]


def test_a_set_of_operators_imported_twice_is_imported_once():
    data = model([helper.make_node("Relu", ["x"], ["y"])], ["y"], imports=[("", 20), ("ai.onnx", 21), ("", 20)])
    kept = onnx.load_from_string(adopt(data, {"x": (1, 3)}))
    assert [(entry.domain, entry.version) for entry in kept.opset_import] == [("", 21)]


@pytest.mark.parametrize(
    ("shapes", "outputs", "words"),
    [
        (None, None, "the input 'x' is declared as .'rows', 3., which .0, 3. does not fit"),
        ({"x": (2, 4)}, None, "does not fit"),
        ({"x": (2, 3, 1)}, None, "does not fit"),
        ({"x": (-2, 3)}, None, "does not fit"),
        ({"z": (2, 3)}, None, "no input 'z'"),
        ({"x": (2, 3)}, ["z"], "no output 'z'"),
    ],
)
def test_shapes_and_outputs_that_do_not_fit(shapes, outputs, words):
    with pytest.raises(UsageError, match=words):
        adopt(product(), shapes, outputs=outputs)


def test_what_is_no_model(tmp_path):
    with pytest.raises(ProgramRefused):
        adopt(b"\x07\xff")
    with pytest.raises(NotFoundError):
        adopt(tmp_path / "nothing.onnx")


def trees(**changed):
    """x[0] <= 0.5 ? 1 : (x[1] <= 2 ? 10 : 100), and a second tree that is one leaf of weight 1000."""
    nodes = {
        "nodes_treeids": [0, 0, 0, 0, 0, 1], "nodes_nodeids": [0, 1, 2, 3, 4, 0],
        "nodes_featureids": [0, 0, 1, 0, 0, 0], "nodes_values": [0.5, 0.0, 2.0, 0.0, 0.0, 0.0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"],
        "nodes_truenodeids": [1, 0, 3, 0, 0, 0], "nodes_falsenodeids": [2, 0, 4, 0, 0, 0],
        "target_treeids": [0, 0, 0, 1], "target_nodeids": [1, 3, 4, 0], "target_ids": [0, 0, 0, 0],
        "target_weights": [1.0, 10.0, 100.0, 1000.0], "n_targets": 1,
    }  # fmt: skip
    node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", **{**nodes, **changed})
    return adopt(model([node], ["y"], shape=[5, 3], imports=[("", 21), ("ai.onnx.ml", 3)]))


X = np.array([[0.5, 9, 0], [0.6, 2, 0], [1, 2.5, 0], [np.nan, 0, 0], [0, np.nan, 0]], np.float32)


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({}, [1001, 1010, 1100, 1010, 1001]),
        ({"nodes_missing_value_tracks_true": [1, 0, 0, 0, 0, 0]}, [1001, 1010, 1100, 1001, 1001]),
        ({"nodes_modes": ["BRANCH_GT", "LEAF", "BRANCH_GT", "LEAF", "LEAF", "LEAF"]}, [1010, 1001, 1001, 1100, 1100]),
        ({"aggregate_function": "AVERAGE", "base_values": [0.5]}, [501, 505.5, 550.5, 505.5, 501]),
        ({"aggregate_function": "MIN"}, [1, 10, 100, 10, 1]),
    ],
)
def test_trees_are_walked(changed, wanted):
    out = Interpreter(load(trees(**changed))).run({"batch/x": X})
    np.testing.assert_array_equal(out["result/y"][:, 0], np.array(wanted, np.float32))


@pytest.mark.parametrize(
    "changed",
    [
        {"nodes_falsenodeids": [2, 0, 0, 0, 0, 0]},  # a cycle
        {"nodes_falsenodeids": [2, 0, 9, 0, 0, 0]},  # a child that does not exist
        {"nodes_nodeids": [0, 1, 2, 3, 3, 0]},  # one node twice
        {"nodes_featureids": [7, 0, 1, 0, 0, 0]},
        {"target_ids": [0, 0, 0, 5]},
        {"target_nodeids": [1, 3, 8, 0]},
        {"nodes_values": [0.5]},
        {"aggregate_function": "MEDIAN"},
    ],
)
def test_trees_that_are_none(changed):
    with pytest.raises(ProgramRefused):
        load(trees(**changed))
