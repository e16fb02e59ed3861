"""If, Loop and Scan: unrolled, or both sides computed; refused where what decides them is not known."""

from __future__ import annotations

import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from assay.errors import ProgramRefused, RefusedError, UnsupportedOperator

RNG = np.random.default_rng(6)
KINDS = {"f": TensorProto.FLOAT, "i": TensorProto.INT64, "b": TensorProto.BOOL}


def info(name: str, kind: str = "f", shape: list[int] | None = None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, KINDS[kind], shape)


def body(nodes, inputs, outputs, **constants) -> onnx.GraphProto:
    """A graph; inputs and outputs are "name:kind" with kind f, i or b, and of any shape."""
    infos = [[info(*text.split(":")) for text in side] for side in (inputs, outputs)]
    return helper.make_graph(nodes, "body", *infos, [numpy_helper.from_array(v, n) for n, v in constants.items()])


def op(kind, inputs, outputs, **attributes):
    return helper.make_node(kind, inputs.split(), outputs.split(), **attributes)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


NEGATE = body([op("Neg", "x", "then")], [], ["then:f"])
DOUBLE = body([op("Add", "x x", "else")], [], ["else:f"])


@pytest.mark.parametrize("condition", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_if(graph, same, condition, known):
    g = graph(inputs={"x": floats(2, 3)}, outputs=["y"])
    (g.constants if known else g.inputs)["c"] = np.array(condition)
    g.node("If", ["c"], ["y"], then_branch=NEGATE, else_branch=DOUBLE)
    assert len(g.program().kernels) == (1 if known else 3)
    same(g.run(), g.expected())


def test_the_branch_that_is_not_taken_may_be_impossible(graph, same):
    broken = body([op("MatMul", "x x", "else")], [], ["else:f"])
    g = graph(inputs={"x": floats(2, 3)}, constants={"c": np.array(True)}, outputs=["y"])
    g.node("If", ["c"], ["y"], then_branch=NEGATE, else_branch=broken)
    np.testing.assert_array_equal(g.run()["y"], -g.inputs["x"])
    g.inputs["c"] = g.constants.pop("c")
    with pytest.raises(UnsupportedOperator, match="one branch is refused") as refusal:
        g.program()
    assert refusal.value.evidence["needs"] == ["c"]


def test_branches_of_different_shapes_need_the_condition(graph):
    other = body([op("Transpose", "x", "else")], [], ["else:f"])
    g = graph(inputs={"x": floats(2, 3), "c": np.array(True)}, outputs=["y"])
    g.node("Not", ["c"], ["n"]).node("If", ["n"], ["y"], then_branch=NEGATE, else_branch=other)
    with pytest.raises(UnsupportedOperator, match="different types") as refusal:
        g.program()
    assert refusal.value.evidence["needs"] == ["c"]


STEP = body(
    [
        op("Mul", "v factor", "next"),
        op("Add", "next outer", "row"),
        op("Less", "i last", "go"),
    ],
    ["i:i", "c:b", "v:f"],
    ["go:b", "next:f", "row:f"],
    factor=np.float32([1.5]),
    last=np.array(2),
)


@pytest.mark.parametrize("trips", [0, 1, 3, 7])
@pytest.mark.parametrize("start", [True, False])
def test_loop(graph, same, trips, start):
    g = graph(inputs={"x": floats(2), "outer": floats(3, 1)}, outputs=["y", "rows"])
    g.constants |= {"m": np.array(trips), "c": np.array(start)}
    g.node("Loop", ["m", "c", "x"], ["y", "rows"], body=STEP)
    found = g.run()
    rounds = min(trips, 3) if start else 0  # the condition after round i says whether there is another
    assert found["rows"].shape == (rounds, 3, 2)
    expected, value = [], g.inputs["x"]
    for _ in range(rounds):
        value = value * np.float32(1.5)
        expected.append(value + g.inputs["outer"])
    np.testing.assert_array_equal(found["y"], value)
    np.testing.assert_array_equal(found["rows"], np.array(expected, np.float32).reshape(rounds, 3, 2))


def test_while(graph):
    g = graph(inputs={"x": floats(2), "outer": floats(1)}, outputs=["y", "rows"], constants={"c": np.array(True)})
    g.node("Loop", ["", "c", "x"], ["y", "rows"], body=STEP)
    assert g.run()["rows"].shape == (3, 2)


def test_shapes_may_change_from_round_to_round(graph):
    grow = body(
        [op("Concat", "v v", "next", axis=0), op("Identity", "c", "go")], ["i:i", "c:b", "v:f"], ["go:b", "next:f"]
    )
    g = graph(inputs={"x": floats(2)}, constants={"m": np.array(3)}, outputs=["y"])
    g.node("Loop", ["m", "", "x"], ["y"], body=grow)
    np.testing.assert_array_equal(g.run()["y"], np.tile(g.inputs["x"], 8))


def test_what_a_loop_must_know(graph):
    g = graph(inputs={"x": floats(2), "outer": floats(1), "m": np.array(3)}, outputs=["y", "rows"])
    g.node("Loop", ["m", "", "x"], ["y", "rows"], body=STEP)
    with pytest.raises(UnsupportedOperator, match="the trip count is not known") as refusal:
        g.program()
    assert refusal.value.evidence["needs"] == ["m"]
    moving = body(
        [op("ReduceSum", "v", "s", keepdims=0), op("Cast", "s", "go", to=TensorProto.BOOL), op("Neg", "v", "next")],
        ["i:i", "c:b", "v:f"],
        ["go:b", "next:f"],
    )
    g = graph(inputs={"x": floats(2)}, constants={"m": np.array(3)}, outputs=["y"])
    g.node("Loop", ["m", "", "x"], ["y"], body=moving)
    with pytest.raises(UnsupportedOperator, match="condition that the body computes is not known"):
        g.program()


SUM = body([op("Add", "s e", "t"), op("Mul", "t e", "out")], ["s:f", "e:f"], ["t:f", "out:f"])


@pytest.mark.parametrize("options", [{}, {"scan_input_directions": [1]}, {"scan_output_directions": [1]}])
def test_scan(graph, same, options):
    g = graph(inputs={"s": floats(3), "x": floats(4, 3)}, outputs=["y", "rows"])
    g.node("Scan", ["s", "x"], ["y", "rows"], body=SUM, num_scan_inputs=1, **options)
    same(g.run(), g.expected())


def test_scan_axes(graph, same):
    g = graph(inputs={"s": floats(3), "x": floats(3, 4)}, outputs=["y", "rows"])
    axes = {"scan_input_axes": [-1], "scan_output_axes": [1]}
    g.node("Scan", ["s", "x"], ["y", "rows"], body=SUM, num_scan_inputs=1, **axes)
    same(g.run(), g.expected())


def test_loops_within_loops_see_what_is_around_them(graph):
    inner = body([op("Add", "w j", "w2"), op("Identity", "c2", "go2")], ["j2:i", "c2:b", "w:i"], ["go2:b", "w2:i"])
    outer = body(
        [op("Add", "i one", "j"), op("Loop", "m  v", "next", body=inner), op("Identity", "c", "go")],
        ["i:i", "c:b", "v:i"],
        ["go:b", "next:i"],
        one=np.array(1),
    )
    outer.node[1].input[:] = ["m", "", "v"]
    g = graph(inputs={"x": np.int64([0, 10])}, constants={"m": np.array(3)}, outputs=["y"])
    g.node("Loop", ["m", "", "x"], ["y"], body=outer)
    assert g.run()["y"].tolist() == [3 * (1 + 2 + 3), 10 + 3 * (1 + 2 + 3)]


def test_floats_that_follow_from_constants_decide_trip_counts(graph):
    g = graph(inputs={"x": floats(2), "outer": floats(1)}, outputs=["y", "rows"], constants={"f": np.float32(2.5)})
    g.node("Ceil", ["f"], ["g"]).node("Cast", ["g"], ["m"], to=TensorProto.INT64)
    g.node("Loop", ["m", "", "x"], ["y", "rows"], body=STEP)
    assert g.run()["rows"].shape == (3, 2)


@pytest.mark.parametrize("trips", [[10**9], [10**4, 10**9], [2**62]])
def test_too_many_rounds_are_refused_before_they_are_made(graph, trips):
    names = [f"m{n}" for n in range(len(trips))]
    loop = body([op("Neg", "v", "next"), op("Identity", "c", "go")], ["i:i", "c:b", "v:f"], ["go:b", "next:f"])
    for name in names[1:]:
        node = helper.make_node("Loop", [name, "", "v"], ["next"], body=loop)
        loop = body([node, op("Identity", "c", "go")], ["i:i", "c:b", "v:f"], ["go:b", "next:f"])
    g = graph(
        inputs={"x": floats(2)}, constants={n: np.array(t) for n, t in zip(names, trips, strict=True)}, outputs=["y"]
    )
    g.node("Loop", ["m0", "", "x"], ["y"], body=loop)
    started = time.process_time()
    with pytest.raises(ProgramRefused, match="too many to unroll"):
        g.program()
    assert time.process_time() - started < 3


def test_functions_that_double_within_branches_are_refused(graph):
    functions = []
    for n in range(21):
        call = helper.make_node(f"F{n - 1}", ["x"], ["r"], domain="local") if n else op("Neg", "x", "r")
        branch = body([call], [], ["r:f"])
        nodes = [op("ReduceSum", "x", "s", keepdims=0), op("Cast", "s", "c", to=TensorProto.BOOL)]
        nodes.append(op("If", "c", "y", then_branch=branch, else_branch=branch))
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid("local", 1)]
        functions.append(helper.make_function("local", f"F{n}", ["x"], ["y"], nodes, opsets))
    g = graph(inputs={"x": floats(2)}, outputs=["y"], functions=functions, domains=("local",))
    g.node("F20", ["x"], ["y"], domain="local")
    with pytest.raises(RefusedError, match="nodes after inlining"):
        g.program()


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("If", ["c"], ["y"], then_branch=NEGATE),
        helper.make_node("If", ["c"], ["y", "z"], then_branch=NEGATE, else_branch=NEGATE),
        helper.make_node("Loop", ["", "", "x"], ["y", "rows"], body=STEP),
        helper.make_node("Loop", ["c", "", "x"], ["y", "rows"], body=SUM),
        helper.make_node("Scan", ["x"], ["y"], body=SUM, num_scan_inputs=2),
        helper.make_node("Scan", ["x", "x"], ["y", "rows"], body=SUM),
    ],
    ids=range(6),
)
def test_malformed(graph, node):
    g = graph(inputs={"x": floats(2), "outer": floats(1)}, constants={"c": np.array(True)}, outputs=list(node.output))
    g.nodes.append(node)
    with pytest.raises(RefusedError, match=node.op_type):
        g.program()
