"""Older versions of operators, and tensors without elements."""

from __future__ import annotations

import numpy as np
import pytest

from assay.errors import RefusedError, UnsupportedOperator

RNG = np.random.default_rng(18)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("op", "arrays", "opset", "options"),
    [
        ("Squeeze", [floats(1, 3, 1)], 11, {"axes": [0, 2]}),
        ("Squeeze", [floats(1, 3, 1)], 11, {}),
        ("Unsqueeze", [floats(3)], 11, {"axes": [0, 2]}),
        ("ReduceSum", [floats(3, 4)], 11, {"axes": [0], "keepdims": 0}),
        ("ReduceSum", [floats(3, 4)], 7, {}),
        ("Split", [floats(3, 4)], 11, {"axis": 1, "split": [1, 3]}),
        ("Clip", [floats(9)], 6, {"min": -0.5, "max": 0.5}),
        ("Clip", [floats(9)], 6, {"max": 0.5}),
        ("BatchNormalization", [floats(2, 3, 4), floats(3), floats(3), floats(3), np.abs(floats(3))], 9, {}),
        ("Dropout", [floats(4)], 10, {"ratio": 0.9}),
        ("Gemm", [floats(2, 3), floats(3, 4), floats(4)], 7, {"alpha": 0.5}),
        ("MaxPool", [floats(1, 1, 5, 5)], 8, {"kernel_shape": [2, 2]}),
        ("Upsample", [floats(1, 1, 2, 2)], 7, {"scales": [1.0, 1.0, 2.0, 3.0]}),
        ("Flatten", [floats(2, 3, 4)], 1, {"axis": 2}),
        ("Mul", [floats(2, 3), floats(3)], 7, {}),
        ("TopK", [floats(3, 4)], 9, {"k": 2}),
    ],
)
def test_older_forms(one_node, same, op, arrays, opset, options):
    from onnx.reference import ReferenceEvaluator

    outputs = 2 if op in ("Split", "TopK") else 1
    graph = one_node(op, arrays, opset=opset, outputs=outputs, **options)
    try:
        expected = graph.expected()
    except Exception:  # neither knows the version
        expected = dict(zip(graph.outputs, ReferenceEvaluator(graph.model()).run(None, graph.inputs), strict=True))
    same(graph.run(), expected)


@pytest.mark.parametrize(("op", "opset"), [("Add", 6), ("Clip", 5), ("Softplus", 0), ("Pad", 2), ("Cast", 1)])
def test_forms_that_meant_something_else(one_node, op, opset):
    with pytest.raises(UnsupportedOperator, match=f"{op} as of version|operator set 0"):
        one_node(op, [floats(2)] * (2 if op == "Add" else 1), opset=opset).program()


EMPTY = np.zeros((0, 3), np.float32)


@pytest.mark.parametrize(
    ("op", "arrays", "constant", "options", "want"),
    [
        ("Neg", [EMPTY], [], {}, EMPTY),
        ("Add", [EMPTY, floats(3)], [], {}, EMPTY),
        ("ReduceSum", [EMPTY, np.int64([0])], [1], {"keepdims": 0}, np.zeros(3, np.float32)),
        ("ReduceProd", [EMPTY, np.int64([0])], [1], {"keepdims": 0}, np.ones(3, np.float32)),
        ("ReduceMax", [EMPTY, np.int64([0])], [1], {"keepdims": 0}, np.full(3, -np.inf, np.float32)),
        ("ReduceMean", [EMPTY, np.int64([0])], [1], {"keepdims": 0}, np.full(3, np.nan, np.float32)),
        ("ReduceSum", [EMPTY, np.int64([1])], [1], {"keepdims": 0}, np.zeros(0, np.float32)),
        ("MatMul", [np.zeros((2, 0), np.float32), EMPTY], [], {}, np.zeros((2, 3), np.float32)),
        ("MatMul", [EMPTY, floats(3, 4)], [], {}, np.zeros((0, 4), np.float32)),
        ("Concat", [EMPTY, np.ones((1, 3), np.float32)], [], {"axis": 0}, np.ones((1, 3), np.float32)),
        ("Concat", [EMPTY, EMPTY], [], {"axis": 1}, np.zeros((0, 6), np.float32)),
        ("Concat", [EMPTY.T, EMPTY.T], [], {"axis": 0}, np.zeros((6, 0), np.float32)),
        ("Gather", [floats(3, 2), np.zeros((0,), np.int64)], [1], {}, np.zeros((0, 2), np.float32)),
        ("Reshape", [EMPTY, np.int64([3, 0, 2])], [1], {"allowzero": 1}, np.zeros((3, 0, 2), np.float32)),
        ("Softmax", [EMPTY], [], {}, EMPTY),
        ("Expand", [np.ones((1, 3), np.float32), np.int64([0, 3])], [1], {}, EMPTY),
        ("Where", [np.zeros((0, 1), bool), EMPTY, floats(3)], [], {}, EMPTY),
        ("Cast", [EMPTY], [], {"to": 7}, EMPTY.astype(np.int64)),
        ("NonZero", [np.zeros(4, np.float32)], [0], {}, np.zeros((1, 0), np.int64)),
    ],
)
@pytest.mark.parametrize("engine", ["exact", "clear"])
def test_nothing_at_all(one_node, op, arrays, constant, options, want, engine):
    from assay.engine.onnx_backend import AssayBackend

    graph = one_node(op, arrays, constant=constant, **options)
    found = AssayBackend.run_model(graph.model(), graph.inputs, engine=engine)[0]
    assert found.dtype == want.dtype
    np.testing.assert_array_equal(found, want)


def test_a_scatter_of_nothing_is_its_base(one_node):
    data = floats(3, 2)
    arrays = [data, np.zeros((0, 1), np.int64), np.zeros((0, 2), np.float32)]
    np.testing.assert_array_equal(one_node("ScatterND", arrays).run()["y0"], data)


def test_elements_cannot_come_from_nothing(one_node):
    with pytest.raises(RefusedError, match="without elements"):
        one_node("Gather", [EMPTY, np.int64([0, 1])]).program()
