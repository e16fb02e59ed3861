"""Training steps that are nearly the task's: another learning rate, another precision."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from assay.errors import UsageError
from assay.program import Program, load

__all__ = ["with_half_rate", "with_low_precision"]

PRODUCTS = ("MatMul", "Gemm", "Conv")


def with_half_rate(program: Program) -> Program:
    """The same training step with its learning rate halved, wherever the graph uses it."""
    model = onnx.load_from_string(program.source)
    graph = model.graph
    # An initializer or a node gives the rate; everything that reads it now reads half of it.
    for node in graph.node:
        for position, name in enumerate(node.input):
            if name == "learning_rate":
                node.input[position] = "learning_rate/half"
    graph.initializer.append(numpy_helper.from_array(np.array(0.5, np.float32), "half"))
    halving = helper.make_node("Mul", ["learning_rate", "half"], ["learning_rate/half"])
    made_by = [i for i, node in enumerate(graph.node) if "learning_rate" in node.output]
    if not made_by and all(tensor.name != "learning_rate" for tensor in graph.initializer):
        raise UsageError("This program has no value called learning_rate to cheat with.")
    nodes = list(graph.node)
    nodes.insert(made_by[0] + 1 if made_by else 0, halving)
    return _with_nodes(model, nodes)


def with_low_precision(program: Program) -> Program:
    """The same training step with both operands of every product rounded to bfloat16, as tensor cores would take them."""
    model = onnx.load_from_string(program.source)
    nodes: list[onnx.NodeProto] = []
    rounded: set[str] = set()
    for node in model.graph.node:
        if node.op_type in PRODUCTS and node.domain in ("", "ai.onnx"):
            for position in (0, 1):
                name = node.input[position]
                if name not in rounded:
                    rounded.add(name)
                    nodes.append(helper.make_node("Cast", [name], [f"{name}/low"], to=TensorProto.BFLOAT16))
                    nodes.append(helper.make_node("Cast", [f"{name}/low"], [f"{name}/rounded"], to=TensorProto.FLOAT))
                node.input[position] = f"{name}/rounded"
        nodes.append(node)
    if not rounded:
        raise UsageError("This program has no product to compute in another precision.")
    return _with_nodes(model, nodes)


def _with_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> Program:
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    return load(model.SerializeToString())
