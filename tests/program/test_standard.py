"""Whole programs, other versions, and ONNX's own test cases."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from assay.engine.clear import Interpreter
from assay.program import OPSETS, load

RNG = np.random.default_rng(4)


def example(port):
    """A plausible value for an input port."""
    if port.name == "step":
        return np.array(3, np.int64)
    if port.dtype.is_float:
        return np.abs(RNG.normal(size=port.shape) * 0.1).astype(port.dtype.numpy)
    return RNG.integers(0, 8, port.shape).astype(port.dtype.numpy)


@pytest.mark.parametrize("name", ["program", "inference"])
def test_the_captured_digits_example_computes_what_onnx_says(name):
    data = files("assay").joinpath(f"assets/digits/{name}.onnx").read_bytes()
    program = load(data)
    assert program.is_training == (name == "program")
    inputs = {port.name: example(port) for port in program.inputs}
    found = Interpreter(program).run(inputs)
    reference = ReferenceEvaluator(onnx.load_from_string(data))
    expected = dict(zip(reference.output_names, reference.run(None, inputs), strict=True))
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("opset", [v for v in OPSETS if v >= 13])
def test_versions(graph, same, opset):
    g = graph(opset, inputs={"x": RNG.normal(size=(4, 6)).astype(np.float32)}, constants={"s": np.int64([2, 12])})
    g.outputs = ["y"]
    g.node("Softmax", ["x"], ["a"], axis=0).node("Reshape", ["a", "s"], ["b"]).node("ReduceMax", ["b"], ["c"])
    g.node("Sub", ["b", "c"], ["d"]).node("Split", ["d"], ["e", "f"], **({"num_outputs": 2} if opset >= 18 else {}))
    g.node("Concat", ["f", "e"], ["y"], axis=1)
    same(g.run(), g.expected())


def test_attention_comes_from_the_standards_function_body(agrees):
    q, k, v = (RNG.normal(size=(2, 3, 4, 8)).astype(np.float32) for _ in range(3))
    agrees("Attention", [q, k, v], opset=23, is_causal=1)


def test_functions_with_attributes_and_defaults(graph, same):
    from onnx import helper

    leaky = helper.make_node("LeakyRelu", ["x"], ["y"])
    leaky.attribute.add(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    opsets = [helper.make_opsetid("", 21)]
    function = helper.make_function("local", "F", ["x"], ["y"], [leaky], opsets, attributes=["slope"])
    g = graph(inputs={"x": RNG.normal(size=5).astype(np.float32)}, functions=[function], domains=("local",))
    g.outputs = ["y", "z"]
    g.node("F", ["x"], ["y"], domain="local", slope=0.5).node("F", ["x"], ["z"], domain="local")
    same(g.run(), g.expected())
