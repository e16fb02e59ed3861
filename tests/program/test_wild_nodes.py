"""Any operator with any inputs and attributes: lowered to kernels whose reads stay in range, or refused."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import AttributeProto, helper

from assay.engine.clear import Interpreter
from assay.errors import RefusedError
from assay.program import OPS, DType, Limits, Read, load
from assay.program.lower import LOWERINGS

DTYPES = ["float32", "float32", "float32", "float16", "int64", "int32", "uint8", "bool"]
EXTREME = [0, 1, -1, 2, 3, -2, 7, 2**31 - 1, 2**31, -(2**31), 2**40, 2**62, 2**63 - 1, -(2**63)]
WHOLE = st.one_of(st.integers(0, 2), st.integers(-3, 4), st.sampled_from(EXTREME))
KINDS = {
    onnx.defs.OpSchema.AttrType.INT: WHOLE,
    onnx.defs.OpSchema.AttrType.INTS: st.lists(WHOLE, min_size=1, max_size=5),
    onnx.defs.OpSchema.AttrType.FLOAT: st.floats(width=32),
    onnx.defs.OpSchema.AttrType.STRING: st.sampled_from(
        ["", "none", "add", "max", "SAME_UPPER", "LEFT", "tanh", "CRD", "edge"]
    ),
}
SMALL = Limits(tensor_bytes=2**16, operations=2**18, peak_bytes=2**20)


@st.composite
def nodes(draw):
    """A model of one node, and values for its inputs."""
    op = draw(st.sampled_from(sorted(LOWERINGS)))
    opset = draw(st.integers(13, 24))
    try:
        schema = onnx.defs.get_schema(op, opset, "")
    except onnx.defs.SchemaError:
        schema = onnx.defs.get_schema(op, 28, "")
        opset = 28
    # Equal extents let the inputs of products, gathers and normalisations fit together.
    equal = [draw(st.integers(1, 3))] * draw(st.sampled_from([0, 1, 2, 3, 4, 4, 5]))
    shape = draw(st.one_of(st.just(equal), st.lists(st.integers(1, 4), max_size=5)))
    dtype = draw(st.sampled_from(DTYPES))
    graph = helper.make_graph([helper.make_node(op, [], ["y0", "y1"][: draw(st.integers(1, 2))])], "g", [], [])
    values = {}
    for n in range(draw(st.integers(schema.min_input, min(schema.min_input + 2, schema.max_input)))):
        own = draw(
            st.sampled_from([shape, shape, shape, shape[:1], draw(st.lists(st.integers(1, 4), max_size=3)), [2]])
        )
        kind = draw(st.sampled_from([dtype, dtype, dtype, draw(st.sampled_from(DTYPES)), "int64"]))
        numbers = draw(st.lists(st.integers(-4, 5), min_size=prod(own), max_size=prod(own)))
        if kind == "int64" and draw(st.booleans()):
            numbers = draw(st.lists(WHOLE, min_size=prod(own), max_size=prod(own)))
        with np.errstate(all="ignore"):
            array = np.array(numbers, np.int64).astype(kind).reshape(own)
        graph.node[0].input.append(f"x{n}")
        if draw(st.booleans()):
            graph.initializer.append(onnx.numpy_helper.from_array(array, f"x{n}"))
        else:
            graph.input.append(
                helper.make_tensor_value_info(f"x{n}", helper.np_dtype_to_tensor_dtype(array.dtype), own)
            )
            values[f"x{n}"] = array
    for name in (
        draw(st.lists(st.sampled_from(sorted(schema.attributes)), max_size=4, unique=True)) if schema.attributes else []
    ):
        kind = schema.attributes[name].type
        if kind in KINDS:
            value = draw(KINDS[kind])
            value = draw(st.sampled_from([1, 6, 7, 9, 10, 16])) if name in ("to", "dtype", "stash_type") else value
            graph.node[0].attribute.append(
                helper.make_attribute(name, value, attr_type=AttributeProto.AttributeType.Value(kind.name))
            )
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in graph.node[0].output)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10), values


def in_range(program):
    """Kernels refer to earlier tensors of the right size, with one stride per loop axis, and a known operation."""
    sizes = {p.name: p.size for p in program.inputs} | {n: a.size for n, a in program.constants.items()}
    for kernel in program.kernels:
        assert kernel.op in OPS
        assert kernel.scatter or prod(kernel.domain) == prod(kernel.shape)
        for operand in kernel.operands:
            if isinstance(operand, Read):
                assert prod(operand.view) == sizes[operand.tensor]
                assert len(operand.axes) == len(operand.view)
                for axis in operand.axes:
                    assert len(axis.strides) == len(kernel.domain)
                    assert len(axis.fold_strides) in (0, len(kernel.fold))
        sizes[kernel.output] = prod(kernel.shape)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(nodes())
def test_any_node(case):
    model, values = case
    try:
        program = load(model.SerializeToString(), SMALL, named=False)
    except RefusedError:
        return
    in_range(program)
    results = Interpreter(program).run(values)  # the clear version refuses a read that leaves its view unguarded
    assert [(DType.of(a), a.shape) for a in results.values()] == [(p.dtype, p.shape) for p, _ in program.outputs]


def test_the_table_of_operators():
    """Every operator with a lowering is one of the standard's, and is documented."""
    for name, lowering in LOWERINGS.items():
        assert onnx.defs.has(name), name
        assert lowering.__doc__, name
    with pytest.raises(onnx.defs.SchemaError):
        onnx.defs.get_schema("NoSuchOperator", 21, "")
