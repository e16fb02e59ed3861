"""The signature of a standard operator in a given version: does the node fit it?"""

from __future__ import annotations

from functools import cache
from typing import Any

import onnx

from assay.errors import UnsupportedOperator

from .node import Node

__all__ = ["OLDEST", "SETTLED", "check_signature", "schema_of"]

SETTLED = 13
"""From this version of the operator set on, every form of an operator that has a lowering is understood."""

OLDEST = {
    **dict.fromkeys(("ConstantOfShape", "Flatten", "Gather", "Identity", "If", "LRN", "Loop", "MatMul"), 1),
    **dict.fromkeys(("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean"), 1),
    **dict.fromkeys(("ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Shape", "Size", "SpaceToDepth"), 1),
    **dict.fromkeys(("ArgMax", "ArgMin", "Conv", "ConvTranspose", "DepthToSpace", "LogSoftmax", "Softmax"), 1),
    **dict.fromkeys(("Constant", "Hardmax", "Squeeze", "TopK", "Transpose", "Unsqueeze"), 1),
    **dict.fromkeys(("LpPool", "Split"), 2),
    **dict.fromkeys(("Concat",), 4),
    **dict.fromkeys(("Reshape",), 5),
    **dict.fromkeys(("Abs", "Cast", "Ceil", "Clip", "Exp", "Floor", "Log", "Max", "Mean", "Min", "Neg"), 6),
    **dict.fromkeys(("Reciprocal", "Relu", "Sigmoid", "Sqrt", "Sum", "Tanh", "Tile"), 6),
    **dict.fromkeys(("Add", "AveragePool", "BatchNormalization", "Div", "Dropout", "Equal", "Gemm", "Greater"), 7),
    **dict.fromkeys(("Less", "Mul", "Pow", "PRelu", "Sub", "Upsample"), 7),
    **dict.fromkeys(("Expand", "MaxPool"), 8),
    **dict.fromkeys(("Compress", "Erf", "IsNaN", "MaxUnpool", "MeanVarianceNormalization", "NonZero", "OneHot"), 9),
    **dict.fromkeys(("Scan", "Scatter", "Sign"), 9),
    **dict.fromkeys(("DequantizeLinear", "Mod", "NonMaxSuppression", "QuantizeLinear", "Resize", "Slice"), 10),
    **dict.fromkeys(("GatherElements", "GatherND", "Pad", "ScatterElements", "ScatterND"), 11),
    **dict.fromkeys(("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"), 12),
}
"""The version that brought the oldest form that means what a lowering does, where that is not the one of SETTLED."""


@cache
def schema_of(op: str, version: int) -> Any:
    """The ONNX schema, or None where the standard has no such operator in that version."""
    try:
        return onnx.defs.get_schema(op, version, "")
    except onnx.defs.SchemaError:
        return None


def check_signature(node: Node) -> None:
    """Refuse unknown operators and attributes, and wrong numbers of inputs or outputs."""
    schema = schema_of(node.op, node.version)
    if schema is None or schema.deprecated:
        raise UnsupportedOperator(
            f"{node.label}: unknown operator {node.op!r} in ONNX version {node.version}",
            operator=node.op,
            node=node.name,
        )
    if node.version < SETTLED and schema.since_version < (oldest := _oldest(node.op)):
        node.unsupported(
            f"{node.op} as of version {schema.since_version} is not covered",
            hint=f"Export the model for ONNX version {oldest} or later.",
            version=schema.since_version,
        )
    if not schema.min_input <= len(node.inputs) <= schema.max_input:
        node.refuse(f"{len(node.inputs)} inputs, expected {schema.min_input} to {schema.max_input}")
    if not schema.min_output <= len(node.outputs) <= schema.max_output:
        node.refuse(f"{len(node.outputs)} outputs, expected {schema.min_output} to {schema.max_output}")
    for name in node.attributes:
        if name not in schema.attributes:
            node.refuse(f"unknown attribute {name!r}")


def _oldest(op: str) -> int:
    settled = schema_of(op, SETTLED)
    return OLDEST.get(op, settled.since_version if settled else SETTLED)
