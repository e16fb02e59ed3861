"""Casts between float types that are passed by: the same bits with fewer kernels, NaN and borders included."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper

from assay.engine import exact
from assay.engine.clear import Interpreter
from assay.program import load, loader

TYPES = {TensorProto.BFLOAT16: ml_dtypes.bfloat16, TensorProto.FLOAT16: np.float16}


def model(kind, nodes, outputs, shape=(2, 3, 4, 4)):
    ports = [helper.make_tensor_value_info("batch/x", kind, shape)]
    results = [helper.make_tensor_value_info(f"result/{name}", code, None) for name, code in outputs.items()]
    nodes = [helper.make_node(op, list(given), [out], **more) for op, given, out, more in nodes]
    graph = helper.make_graph(nodes, "narrow", ports, results)
    opsets = [helper.make_opsetid("", 22)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()


def to(code):
    return {"to": code}


F32 = TensorProto.FLOAT


def everything(kind):
    """Chains through float32 and back: element-wise, folds, a pool with a border of -inf, padding, choices, joints."""
    pool = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        ("Cast", ["batch/x"], "wide", to(F32)),
        ("Exp", ["wide"], "power", {}),
        ("Cast", ["power"], "result/exp", to(kind)),
        ("MaxPool", ["wide"], "pooled", pool),
        ("Cast", ["pooled"], "result/pool", to(kind)),
        ("ReduceSum", ["wide"], "total", {"keepdims": 0}),
        ("Cast", ["total"], "result/total", to(kind)),
        ("Transpose", ["wide"], "turned", {"perm": [0, 1, 3, 2]}),
        ("MatMul", ["wide", "turned"], "product", {}),
        ("Add", ["product", "power"], "both", {}),
        ("Cast", ["both"], "result/both", to(kind)),
        ("Concat", ["wide", "power"], "joint", {"axis": 1}),
        ("IsNaN", ["joint"], "lost", {}),
        ("Where", ["lost", "power2", "joint"], "result/chosen", {}),
        ("Identity", ["wide"], "result/wide", {}),
        ("Cast", ["wide"], "result/whole", to(TensorProto.INT32)),
    ]
    nodes.insert(-3, ("Concat", ["power", "power"], "power2", {"axis": 1}))
    narrow = dict.fromkeys(("exp", "pool", "total", "both"), kind)
    return model(kind, nodes, {**narrow, "chosen": F32, "wide": F32, "whole": TensorProto.INT32})


def values(kind):
    draw = np.random.default_rng(0)
    x = (draw.standard_normal((2, 3, 4, 4)) * 4).astype(TYPES[kind])
    bits = x.reshape(-1).view(np.uint16)
    bits[:6] = [0x7FFF, 0xFFC1, 0x7F80, 0x0001, 0x8000, 0x7E01]  # NaN with payloads, infinity, subnormal, -0
    return x


@pytest.mark.parametrize("kind", TYPES)
def test_the_bits_are_those_of_the_casts(kind, monkeypatch):
    data, feeds = everything(kind), {"batch/x": values(kind)}
    short = load(data)
    monkeypatch.setattr(loader, "without_float_casts", lambda kernels, types, outputs: list(kernels))
    long = load(data)
    assert len(short.kernels) < len(long.kernels)
    assert short.cost.bytes_moved < long.cost.bytes_moved
    expected = {name: value.tobytes() for name, value in Interpreter(long).run(feeds).items()}
    for engine in (Interpreter(short), exact.compile(short), exact.compile(long)):
        assert {name: value.tobytes() for name, value in engine.run(feeds).items()} == expected


def test_what_stays_a_kernel():
    """An output is cast; so is what is read as bits, or what a scatter starts from."""
    kind = TensorProto.BFLOAT16
    program = load(model(kind, [("Cast", ["batch/x"], "result/wide", to(F32))], {"wide": F32}))
    assert [(k.op, k.dtype.value) for k in program.kernels] == [("cast", "float32")]
    twice = [
        ("Cast", ["batch/x"], "wide", to(F32)),
        ("Exp", ["wide"], "power", {}),
        ("Cast", ["power"], "result/narrow", to(kind)),
        ("Neg", ["power"], "result/wide", {}),
    ]
    program = load(model(kind, twice, {"narrow": kind, "wide": F32}))
    assert [(k.op, k.dtype.value) for k in program.kernels] == [
        ("exp", "float32"),
        ("cast", "bfloat16"),
        ("neg", "float32"),
    ]


def test_two_roundings_stay_two():
    """An integer rounded to float32 and then to bfloat16 is not the integer rounded to bfloat16."""
    kind = TensorProto.BFLOAT16
    nodes = [
        ("Cast", ["batch/x"], "whole", to(TensorProto.INT64)),
        ("Cast", ["whole"], "wide", to(F32)),
        ("Cast", ["wide"], "result/narrow", to(kind)),
    ]
    program = load(model(kind, nodes, {"narrow": kind}))
    assert [k.dtype.value for k in program.kernels] == ["int64", "float32", "bfloat16"]
