"""The task that is attacked: a network of two layers, small enough that a whole dispute takes seconds, but trained for real.

It has what an attack may want to deviate in: a learning rate, products, labels, random numbers within a step, a counter.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from assay.market import Package, Plan, package
from assay.store import Store
from assay.words import Audit

__all__ = ["dataset", "initial_state", "onnx_program", "toy"]

BATCH, ROWS, WIDTH, HIDDEN = 16, 64, 8, 16

NODES: tuple[tuple[str, list[str], str, dict[str, Any]], ...] = (
    # noise that depends on seed and step, added to the inputs
    ("Cast", ["seed"], "seed_f", {"to": TensorProto.FLOAT}),
    ("Cast", ["step"], "step_f", {"to": TensorProto.FLOAT}),
    ("Mul", ["seed_f", "hundredth"], "spread", {}),
    ("Add", ["spread", "step_f"], "phase", {}),
    ("Add", ["phase", "offsets"], "phases", {}),
    ("Sin", ["phases"], "waves", {}),
    ("Mul", ["waves", "hundredth"], "noise", {}),
    ("Add", ["batch/x", "noise"], "x", {}),
    # forward
    ("MatMul", ["x", "state/a"], "z", {}),
    ("Tanh", ["z"], "h", {}),
    ("MatMul", ["h", "state/b"], "guess", {}),
    ("Cast", ["batch/y"], "y", {"to": TensorProto.FLOAT}),
    ("Sub", ["guess", "y"], "error", {}),
    ("Mul", ["error", "error"], "square", {}),
    ("ReduceMean", ["square"], "metric/loss", {"keepdims": 0}),
    # backward
    ("Transpose", ["h"], "h_t", {"perm": [1, 0]}),
    ("MatMul", ["h_t", "error"], "pull_b", {}),
    ("Transpose", ["state/b"], "b_t", {"perm": [1, 0]}),
    ("MatMul", ["error", "b_t"], "pull_h", {}),
    ("Mul", ["h", "h"], "h_square", {}),
    ("Sub", ["one", "h_square"], "slope", {}),
    ("Mul", ["pull_h", "slope"], "pull_z", {}),
    ("Transpose", ["x"], "x_t", {"perm": [1, 0]}),
    ("MatMul", ["x_t", "pull_z"], "pull_a", {}),
    ("Slice", ["pull_a", "zero_i", "one_i1"], "row", {}),
    ("Reshape", ["row", "flat"], "metric/probe", {}),
    # a step down
    ("Div", ["step_f", "ten"], "age", {}),
    ("Add", ["age", "one"], "slowness", {}),
    ("Div", ["rate", "slowness"], "learning_rate", {}),
    ("Mul", ["pull_a", "learning_rate"], "change_a", {}),
    ("Mul", ["pull_b", "learning_rate"], "change_b", {}),
    ("Sub", ["state/a", "change_a"], "next/a", {}),
    ("Sub", ["state/b", "change_b"], "next/b", {}),
    ("Add", ["state/calls", "one_i"], "next/calls", {}),
)


@cache
def onnx_program() -> bytes:
    """One step of gradient descent on the mean square error; ONNX bytes."""
    f32, i64, info = TensorProto.FLOAT, TensorProto.INT64, helper.make_tensor_value_info
    inputs = [info("state/a", f32, [WIDTH, HIDDEN]), info("state/b", f32, [HIDDEN, 1]), info("state/calls", i64, [])]
    inputs += [info("batch/x", f32, [BATCH, WIDTH]), info("batch/y", TensorProto.UINT8, [BATCH, 1])]
    inputs += [info("step", i64, []), info("seed", TensorProto.UINT64, [])]
    outputs = [info("next/a", f32, [WIDTH, HIDDEN]), info("next/b", f32, [HIDDEN, 1]), info("next/calls", i64, [])]
    outputs += [info("metric/loss", f32, []), info("metric/probe", f32, [HIDDEN])]
    constants = {
        "hundredth": np.float32(0.01),
        "offsets": np.arange(WIDTH, dtype=np.float32),
        "one": np.float32(1),
        "ten": np.float32(10),
        "rate": np.float32(0.005),
        "one_i": np.int64(1),
        "zero_i": np.array([0], np.int64),
        "one_i1": np.array([1], np.int64),
        "flat": np.array([HIDDEN], np.int64),
    }
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    nodes = [helper.make_node(kind, read, [made], **attributes) for kind, read, made, attributes in NODES]
    graph = helper.make_graph(nodes, "toy", inputs, outputs, tensors)
    made: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10
    ).SerializeToString()
    return made


def initial_state() -> dict[str, np.ndarray]:
    """Small random weights, and a counter at zero."""
    generator = np.random.Generator(np.random.PCG64(1))
    return {
        "a": (generator.standard_normal((WIDTH, HIDDEN), np.float32) / 3).astype(np.float32),
        "b": (generator.standard_normal((HIDDEN, 1), np.float32) / 4).astype(np.float32),
        "calls": np.array(0, np.int64),
    }


def dataset() -> dict[str, np.ndarray]:
    """Points in eight dimensions; the label says how many of four quarter-spaces one is in."""
    generator = np.random.Generator(np.random.PCG64(2))
    x = generator.standard_normal((ROWS, WIDTH), np.float32)
    y = ((x[:, :4] > 0) & (x[:, 4:] > 0)).sum(axis=1, keepdims=True).astype(np.uint8)
    return {"x": x, "y": y}


def toy(store: Store, **changes: Any) -> Package:
    """12 steps in intervals of 3, or what `changes` make of it; its blobs are in `store`."""
    fields: dict[str, Any] = {"steps": 12, "batch_size": BATCH, "interval": 3, "seed": 1, "audit": Audit(2, 2)}
    return package(store, Plan(**({"name": "toy"} | fields | changes)), onnx_program(), initial_state(), dataset())
