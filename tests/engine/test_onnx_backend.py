"""The standard's backend interface, and the standard's own runner and tests on top of it."""

from __future__ import annotations

import io
import unittest
import warnings

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.base import Backend

from assay.engine.conformance import Tally, run
from assay.engine.onnx_backend import AssayBackend
from assay.errors import ProgramRefused, UnsupportedOperator, UsageError
from assay.program import Limits

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
RNG = np.random.default_rng(2)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def model(nodes, inputs, outputs=("y",), constants=(), opset=21) -> onnx.ModelProto:
    infos = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs]
    results = [onnx.ValueInfoProto(name=name) for name in outputs]
    graph = helper.make_graph([helper.make_node(*n[:3], **n[3]) for n in nodes], "g", infos, results, list(constants))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


RESHAPE = model(
    [("Reshape", ["x", "s"], ["r"], {}), ("Neg", ["r"], ["y"], {})], [("x", FLOAT, [2, 6]), ("s", INT64, [2])]
)

# One of each kind: element-wise, folds, quantised, control flow, recurrent, resampling, shape-deciding inputs, bodies.
CHOSEN = [
    "abs",
    "add_bcast",
    "argmax_default_axis_example",
    "attention_3d_causal",
    "clip_example",
    "conv_with_strides_padding",
    "convinteger_with_padding",
    "dynamicquantizelinear",
    "einsum_sum_bfloat16",
    "expand_dim_changed",
    "gridsample_bicubic",
    "gru_defaults",
    "if",
    "layer_normalization_2d_axis0",
    "loop11",
    "lstm_with_peepholes",
    "maxpool_2d_ceil",
    "mod_mixed_sign_float32",
    "nllloss_NCd1",
    "nonmaxsuppression_limit_output_size",
    "nonzero_example",
    "onehot_with_axis",
    "qlinearmatmul_2D_uint8_float32",
    "quantizelinear_axis",
    "range_float_type_positive_delta_expanded",
    "reduce_max_empty_set",
    "reshape_negative_dim",
    "resize_upsample_scales_cubic",
    "roialign_mode_max",
    "scan9_sum",
    "shape",
    "softmax_axis_0",
    "stft",
    "tile",
    "top_k_smallest",
    "unique_sorted_with_axis",
    "upsample_nearest",
    "where_example",
]


@pytest.fixture(scope="module")
def runner():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # expected values overflow and divide by zero on purpose
        from onnx.backend.test import BackendTest

        made = BackendTest(AssayBackend, __name__)
    for name in CHOSEN:
        made.include(f"^test_{name}_cpu$")
    return made


def test_the_standards_runner_drives_the_engine(runner):
    output = io.StringIO()
    result = unittest.TextTestRunner(output).run(runner.test_suite)
    assert result.wasSuccessful(), output.getvalue()
    assert result.testsRun - len(result.skipped) == len(CHOSEN)


def test_devices():
    assert AssayBackend.supports_device("CPU")
    assert AssayBackend.supports_device("CPU:0")
    assert not AssayBackend.supports_device("CUDA")
    with pytest.raises(UsageError, match="no such device"):
        AssayBackend.prepare(RESHAPE, "CUDA")
    assert issubclass(AssayBackend, Backend)


@pytest.mark.parametrize("engine", ["exact", "clear"])
def test_shape_deciding_inputs_are_specialised_on(engine):
    x = floats(2, 6)
    prepared = AssayBackend.prepare(RESHAPE, engine=engine)
    for shape in ([3, 4], [12, 1], [-1, 2], [3, 4]):
        found = prepared.run([x, np.int64(shape)])
        np.testing.assert_array_equal(found[0], -x.reshape(shape))
        np.testing.assert_array_equal(found["y"], found[0])
    assert len(prepared._ready) == 3  # the fourth shape was the first
    with pytest.raises(ProgramRefused, match="cannot reshape"):
        prepared.run([x, np.int64([5, 5])])
    with pytest.raises(UsageError, match="no such engine"):
        AssayBackend.prepare(RESHAPE, engine="fast").run([x, np.int64([3, 4])])


def test_values_that_decide_shapes_through_others():
    steps = [
        ("Add", ["a", "b"], ["s"], {}),
        ("Concat", ["s", "a"], ["t"], {"axis": 0}),
        ("Reshape", ["x", "t"], ["y"], {}),
    ]
    proto = model(steps, [("x", FLOAT, [2, 6]), ("a", INT64, [1]), ("b", INT64, [1])])
    assert AssayBackend.is_compatible(proto)
    x = floats(2, 6)
    found = AssayBackend.run_model(proto, {"b": np.int64([1]), "a": np.int64([3]), "x": x})
    np.testing.assert_array_equal(found[0], x.reshape(4, 3))


def test_symbolic_sizes_come_from_the_inputs():
    proto = model([("Neg", ["x"], ["y"], {})], [("x", FLOAT, ["N", None])])
    prepared = AssayBackend.prepare(proto)
    for shape in ((2, 3), (1, 1), (0, 4)):
        x = floats(*shape)
        np.testing.assert_array_equal(prepared.run([x])[0], -x)


def test_initializers_that_are_inputs_have_a_default():
    constant = numpy_helper.from_array(np.float32([1, 2]), "c")
    proto = model([("Add", ["x", "c"], ["y"], {})], [("x", FLOAT, [2]), ("c", FLOAT, [2])], constants=[constant])
    prepared = AssayBackend.prepare(proto)
    assert prepared.run([np.float32([1, 1])])[0].tolist() == [2, 3]
    assert prepared.run({"x": np.float32([1, 1]), "c": np.float32([5, 5])})[0].tolist() == [6, 6]


def test_wrong_inputs():
    prepared = AssayBackend.prepare(RESHAPE)
    with pytest.raises(UsageError, match="2 inputs; 3 were given"):
        prepared.run([floats(2, 6)] * 3)
    with pytest.raises(UsageError, match="input s is missing"):
        prepared.run([floats(2, 6)])
    with pytest.raises(UsageError, match="input x is float64"):
        prepared.run([np.zeros((2, 6)), np.int64([3, 4])])


def test_one_node():
    node = helper.make_node("Split", ["x", "sizes"], ["a", "b"], axis=1)
    x = floats(2, 5)
    found = AssayBackend.run_node(node, [x, np.int64([2, 3])])
    np.testing.assert_array_equal(found.a, x[:, :2])
    np.testing.assert_array_equal(found.b, x[:, 2:])
    old = helper.make_node("Squeeze", ["x"], ["y"], axes=[0])
    assert AssayBackend.run_node(old, {"x": floats(1, 3)}, opset_version=11)[0].shape == (3,)
    with pytest.raises(UsageError, match="Split has 2 inputs; 1 were given"):
        AssayBackend.run_node(node, [x])


def test_what_is_not_covered():
    proto = model([("RandomNormalLike", ["x"], ["y"], {})], [("x", FLOAT, [2])])
    assert not AssayBackend.is_compatible(proto)
    assert not AssayBackend.is_compatible(RESHAPE, "CUDA")
    with pytest.raises(UnsupportedOperator) as refusal:
        AssayBackend.run_model(proto, [floats(2)])
    assert refusal.value.evidence["operator"] == "RandomNormalLike"
    with pytest.raises(ProgramRefused, match="bytes of memory"):
        AssayBackend.prepare(RESHAPE, limits=Limits(peak_bytes=1)).run([floats(2, 6), np.int64([3, 4])])


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["exact", "clear"])
def test_all_of_the_standards_node_tests(engine):
    """None is wrong, each is in one class, and every refusal names the operator, or the input and its type."""
    tally = Tally()
    total = 0
    for result in run(engine):
        total += 1
        tally.add(result)
        if result.outcome == "unsupported":
            assert any(word in result.reason for word in (result.operator, "input", "element type", ":")), result
    assert tally.wrong == 0, {op: e["wrong"] for op, e in tally.operators.items() if e["wrong"]}
    assert total == tally.passed + tally.unsupported >= 1884
    assert tally.passed >= 1550
