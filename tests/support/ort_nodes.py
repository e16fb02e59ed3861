"""One node of a random program against ONNX Runtime, on the very values that the clear interpreter gave it.

So no error is carried from node to node, and a comparison that turned out otherwise in float arithmetic cannot make the
rest of the graph differ. What cannot be compared is named, by a reason, and not skipped by catching what goes wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
from onnx import NodeProto, ValueInfoProto, helper, numpy_helper
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as Missing
from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException
from random_programs import OPSET, Graph

from assay.program.types import DType

__all__ = ["compare"]

Array = np.ndarray[Any, Any]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NO_KERNEL = "types for which ONNX Runtime has no kernel"
LARGEST = 1e3
"""Float operands beyond this are not compared: tolerances are made for ordinary numbers."""
EXACT = _names(
    "Abs Neg Sign Ceil Floor Round Relu Identity Not IsNaN IsInf And Or Xor BitwiseAnd BitwiseOr BitwiseXor BitwiseNot "
    "Equal Less LessOrEqual Greater GreaterOrEqual Min Max Where Clip Cast BitCast Transpose Reshape Flatten Squeeze "
    "Unsqueeze Expand Tile Slice Concat Split Pad DepthToSpace SpaceToDepth Trilu ReduceMax ReduceMin ArgMax ArgMin "
    "MaxPool GlobalMaxPool Gather GatherElements GatherND OneHot BitShift Mod"
)
ROUNDED = _names("Add Sub Mul Div Sqrt Reciprocal")
LINEAR = _names(
    "ReduceSum ReduceMean ReduceL1 ReduceSumSquare MatMul Gemm Conv ConvTranspose AveragePool GlobalAveragePool CumSum Sum "
    "Mean"
)
"""Sums of products: the error is measured by the same node over absolute values."""
STANDARDISING = _names(
    "LayerNormalization RMSNormalization BatchNormalization InstanceNormalization GroupNormalization "
    "MeanVarianceNormalization"
)
"""They divide by a deviation that may be all rounding error: errors grow by up to 1/sqrt(epsilon)."""
EPSILON = {"float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}


def _in_range(x: Array, length: int) -> bool:
    return bool(((x >= -length) & (x < length)).all())


def _refused(node: NodeProto, x: list[Array]) -> str:
    """Why ONNX leaves the result of these operands open, or ONNX Runtime would end the process; "" if neither."""
    op, attributes = node.op_type, {a.name: helper.get_attribute_value(a) for a in node.attribute}
    for array in x:
        if DType.of(array).is_float:
            wide = array.astype(np.float32)
            if not np.isfinite(wide).all() or (np.abs(wide) > LARGEST).any():
                return "operands that are not finite, or large"
            if ((wide != 0) & (np.abs(wide) < 1e-30)).any():
                return "tiny operands"
    if op in ("Div", "Mod") and x[1].dtype.kind in "iu" and ((x[1] == 0) | (x[1].astype(np.int64) == -1)).any():
        return "integer division by 0 or -1"
    if op == "BitShift" and (x[1] >= 8 * x[1].dtype.itemsize).any():
        return "shift by the width or more"
    if op in ("Gather", "GatherElements", "ScatterElements"):
        inside = _in_range(x[1].astype(np.int64), x[0].shape[attributes.get("axis", 0)])
    elif op in ("GatherND", "ScatterND"):
        inside = all(_in_range(x[1][..., n], x[0].shape[n]) for n in range(x[1].shape[-1]))
    else:
        inside = op != "OneHot" or _in_range(x[0].astype(np.int64), int(x[1][0]))
    if not inside:
        return "an index out of range"
    if op in ("ScatterElements", "ScatterND") and attributes.get("reduction", b"none") == b"none":
        return "writes whose order ONNX leaves open"
    if op == "Cast" and DType.of(x[0]).is_float and attributes["to"] not in (1, 10, 16, 9):
        info = np.iinfo(helper.tensor_dtype_to_np_dtype(attributes["to"]))
        wide = x[0].astype(np.float64)
        if (wide >= float(info.max)).any() or (wide <= float(info.min) - 1).any():
            return "a cast that saturates"
    if op in ("Log", "Sqrt", "Pow", "ReduceLogSum", "BatchNormalization") and any(
        (a < 0).any() for a in x if a.dtype.kind not in "iub"
    ):
        return "roots, powers and logarithms of negative numbers"
    if (
        op in ("ReduceProd", "CumProd")
        and x[0].dtype.kind in "iu"
        and np.log2(np.maximum(np.abs(x[0] * 1.0), 1)).sum() > 24
    ):
        return "integers that ONNX Runtime sums or multiplies as floats"
    remainder = op == "Mod" and attributes.get("fmod", 0)
    if (
        x
        and x[0].dtype.kind in "iu"
        and (remainder or op not in EXACT)
        and np.abs(x[0].astype(np.float64)).sum() > 2**24
    ):
        return "integers that ONNX Runtime sums or multiplies as floats"
    if op == "LRN" and x[0].ndim != 4:
        return "a rank that ONNX Runtime does not take"
    if op == "MeanVarianceNormalization" and (x[0].std(tuple(attributes["axes"])) < 1e-2).any():
        return "a deviation that is all rounding error"
    return ""


RECURRENT = {"RNN", "GRU", "LSTM"}
"""Gates turn the rounding of large sums into that of numbers near one, once per step."""


def _tolerance(node: NodeProto, graph: Graph, x: list[Array], wanted: Array) -> Array | float:
    """The largest absolute difference per element."""
    unit = EPSILON[str(wanted.dtype)]
    widest = max([unit, *(EPSILON[str(a.dtype)] for a in x if DType.of(a).is_float)])
    size = np.abs(wanted.astype(np.float32))
    op = node.op_type
    if op in EXACT:
        return 0.0
    if op in ROUNDED:
        return unit * size + np.float32(1e-38)
    if op in LINEAR:
        found = _run(node, graph, [np.asarray(np.abs(a)) if DType.of(a).is_float else a for a in x], absolute=True)
        return (16 * unit + 4 * widest) * np.abs(np.asarray(found[0], np.float32)) + 1e-30
    largest = max([1.0, *(float(np.abs(a.astype(np.float32)).max()) for a in x if DType.of(a).is_float)])
    if op in STANDARDISING or op in RECURRENT:
        return 2e3 * widest * largest + 64 * unit * size
    return (
        64 * unit * size
        + 16 * widest * largest * (op in ("Softmax", "LogSoftmax", "ReduceLogSumExp", "Gelu", "Mish", "Attention"))
        + 8 * unit
    )


def _run(node: NodeProto, graph: Graph, x: list[Array], absolute: bool = False) -> list[Array]:
    """What ONNX Runtime computes without optimisations; `absolute` also drops the signs of Gemm's factors.

    Integers that are constants of the graph stay constants: axes, shapes and the like.
    """
    if absolute:
        node = NodeProto.FromString(node.SerializeToString())
        for attribute in node.attribute:
            if attribute.name in ("alpha", "beta"):
                attribute.f = abs(attribute.f)
    arrays = dict(zip((n for n in node.input if n), x, strict=True))
    fixed = [n for n in arrays if n in graph.constants and graph.constants[n].dtype.kind in "iu"]
    infos = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for n, a in arrays.items()
        if n not in fixed
    ]
    outputs = [ValueInfoProto(name=n) for n in node.output]
    constants = [numpy_helper.from_array(graph.constants[n], n) for n in fixed]
    body = helper.make_graph([node], "one", infos, outputs, constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return session.run(list(node.output), {n: a for n, a in arrays.items() if n not in fixed})


def compare(node: NodeProto, graph: Graph, values: Mapping[str, Array]) -> str:
    """Check that the node's outputs agree with ONNX Runtime's; returns the reason if they are not compared, else ""."""
    names = [n for n in node.input if n]
    x, wanted = [values[n] for n in names], [values[n] for n in node.output]
    if any(DType.of(a) is DType.BFLOAT16 for a in (*x, *wanted)):
        return "bfloat16, which ONNX Runtime's Python interface does not take"
    refused = _refused(node, x)
    if refused:
        return refused
    try:
        found = _run(node, graph, x)
    except Missing:
        return _NO_KERNEL
    except RuntimeException as error:  # some kernels find out late
        if "is not supported with" not in str(error):
            raise
        return _NO_KERNEL
    for name, have, want in zip(node.output, wanted, found, strict=True):
        want = np.asarray(want)
        assert (have.dtype, have.shape) == (want.dtype, want.shape), _message(node, graph, name, have, want)
        if not DType.of(have).is_float:
            assert np.array_equal(have, want), _message(node, graph, name, have, want)
            continue
        limit = _tolerance(node, graph, x, want)
        with np.errstate(all="ignore"):
            distance = np.abs(have.astype(np.float64) - want.astype(np.float64))
        good = (have == want) | (np.isnan(have) & np.isnan(want)) | (distance <= limit)
        assert good.all(), _message(node, graph, name, np.where(good, 0, have), np.where(good, 0, want))
    return ""


def _message(node: NodeProto, graph: Graph, name: str, have: Array, want: Array) -> str:
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    shapes = [graph.type(n) for n in node.input if n]
    return f"{node.op_type} {attributes} {shapes}: {name} is {have.reshape(-1)[:8]}, ONNX Runtime has {want.reshape(-1)[:8]}"
