"""Whole programs, other versions, and ONNX's own test cases."""

from __future__ import annotations

import warnings
from importlib.resources import files

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from assay.engine.clear import Interpreter
from assay.errors import RefusedError
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


def constant_inputs(model, values):
    """The model with its small integer and scalar inputs made initializers, as the shape of a result demands."""
    small = {n for n, a in values.items() if a.size == 1 or (a.dtype.kind in "iub" and a.size <= 64)}
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.graph.initializer.extend(numpy_helper.from_array(values[n], n) for n in small)
    kept = [i for i in copy.graph.input if i.name not in small]
    del copy.graph.input[:]
    copy.graph.input.extend(kept)
    return copy, {n: a for n, a in values.items() if n not in small}


def run_case(model, values):
    try:
        program = load(model.SerializeToString(), named=False)
    except RefusedError:
        model, values = constant_inputs(model, values)
        program = load(model.SerializeToString(), named=False)
    return Interpreter(program).run(values)


def arrays(values):
    return [numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else np.asarray(v) for v in values]


@pytest.mark.slow
def test_the_standards_node_cases():
    """Every case of ONNX's backend test-suite that is not refused is right; and most are not refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        cases = [c for c in collect_testcases(None) if c.model is not None]
    passed = 0
    for case in cases:
        try:
            inputs, outputs = (arrays(values) for values in case.data_sets[0])
        except (TypeError, ValueError):
            continue  # sequences
        if any(a.dtype == object for a in inputs + outputs):
            continue  # optionals and strings
        try:
            found = run_case(case.model, dict(zip([i.name for i in case.model.graph.input], inputs, strict=False)))
        except RefusedError:
            continue
        for value, want in zip(found.values(), outputs, strict=True):
            assert (value.dtype, value.shape) == (want.dtype, want.shape), case.name
            loose = value.dtype.itemsize < 4
            wide = (np.asarray(a, np.float64) for a in (value, want))
            np.testing.assert_allclose(
                *wide, rtol=1e-2 if loose else 1e-3, atol=1e-2 if loose else 1e-5, err_msg=case.name
            )
        passed += 1
    assert passed >= 1100
