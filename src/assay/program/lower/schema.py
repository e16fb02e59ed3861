"""The signature of a standard operator in a given version: does the node fit it?"""

from __future__ import annotations

from functools import cache
from typing import Any

import onnx
from onnx import FunctionProto, NodeProto, TypeProto

from assay.errors import UnsupportedOperator

from ..tensors import DTYPES
from .node import Node
from .value import Value

__all__ = ["BODIES", "check_signature", "function_body", "schema_of"]

BODIES = frozenset(
    {
        "AffineGrid",
        "Attention",
        "CenterCropPad",
        "NegativeLogLikelihoodLoss",
        "RotaryEmbedding",
        "Shrink",
        "SoftmaxCrossEntropyLoss",
        "SwiGLU",
    }
)
"""Operators without a lowering of their own that are inlined from the ONNX standard's function body."""

_CODES = {dtype: code for code, dtype in DTYPES.items()}


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
    if not schema.min_input <= len(node.inputs) <= schema.max_input:
        node.refuse(f"{len(node.inputs)} inputs, expected {schema.min_input} to {schema.max_input}")
    if not schema.min_output <= len(node.outputs) <= schema.max_output:
        node.refuse(f"{len(node.outputs)} outputs, expected {schema.min_output} to {schema.max_output}")
    for name in node.attributes:
        if name not in schema.attributes:
            node.refuse(f"unknown attribute {name!r}")


def function_body(node: Node) -> FunctionProto | None:
    """The standard's own definition of the operator as a function of other operators, for those in BODIES."""
    if node.op not in BODIES:
        return None
    schema = schema_of(node.op, node.version)
    if schema.has_function:
        data = schema.get_function_with_opset_version(schema.function_opset_versions[-1])
        return _function(data)
    if not schema.has_context_dependent_function:
        return None
    proto = NodeProto(op_type=node.op, attribute=list(node.attributes.values()))
    proto.input.extend("" if v is None else f"i{n}" for n, v in enumerate(node.inputs))
    proto.output.extend(f"o{n}" if name else "" for n, name in enumerate(node.outputs))
    version = schema.context_dependent_function_opset_versions[-1]
    types = [_type(v) for v in node.inputs]
    data = schema.get_context_dependent_function_with_opset_version(version, proto.SerializeToString(), types)
    return _function(data) if data else None


def _function(data: bytes) -> FunctionProto:
    proto = FunctionProto()
    proto.ParseFromString(data)
    return proto


def _type(value: Value | None) -> bytes:
    if value is None:
        return b""
    proto: TypeProto = onnx.helper.make_tensor_type_proto(_CODES[value.dtype], value.shape)
    return bytes(proto.SerializeToString())
