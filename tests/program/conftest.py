"""One ONNX node or graph in, results of the clear version and of ONNX Runtime (or onnx.reference) out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from assay.engine.clear import Interpreter
from assay.program import Program, load

Array = np.ndarray[Any, Any]


def _tensor_type(array: Array) -> int:
    return helper.np_dtype_to_tensor_dtype(array.dtype)


@dataclass
class Graph:
    """A model under construction: nodes, inputs with example values, and initializers."""

    opset: int = 21
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    inputs: dict[str, Array] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    functions: list[onnx.FunctionProto] = field(default_factory=list)
    domains: tuple[str, ...] = ()

    def node(self, op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> Graph:
        """Append a node."""
        self.nodes.append(helper.make_node(op, list(inputs), list(outputs), **attributes))
        return self

    def model(self) -> onnx.ModelProto:
        """The model; outputs carry no type, which ONNX Runtime infers."""
        infos = [helper.make_tensor_value_info(n, _tensor_type(a), a.shape) for n, a in self.inputs.items()]
        outputs = [onnx.ValueInfoProto(name=name) for name in self.outputs]
        constants = [numpy_helper.from_array(a, n) for n, a in self.constants.items()]
        graph = helper.make_graph(self.nodes, "g", infos, outputs, constants)
        opsets = [helper.make_opsetid(domain, 1) for domain in self.domains]
        opsets.append(helper.make_opsetid("", self.opset))
        return helper.make_model(graph, opset_imports=opsets, functions=self.functions, ir_version=10)

    def program(self) -> Program:
        """Loaded without the naming rule."""
        return load(self.model().SerializeToString(), named=False)

    def run(self) -> dict[str, Array]:
        """Through the lowering and the clear version."""
        return Interpreter(self.program()).run(self.inputs)

    def expected(self) -> dict[str, Array]:
        """By ONNX Runtime, or by onnx.reference where that does not know the operator."""
        model = self.model()
        try:
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 4
            session = onnxruntime.InferenceSession(model.SerializeToString(), options)
        except Exception:
            return dict(zip(self.outputs, ReferenceEvaluator(model).run(None, self.inputs), strict=True))
        return dict(zip(self.outputs, session.run(None, self.inputs), strict=True))


def single(
    op: str,
    arrays: Sequence[Array | None],
    *,
    constant: Sequence[int] = (),
    outputs: int = 1,
    opset: int = 21,
    **attributes: Any,
) -> Graph:
    """A graph of one node; the inputs at the positions `constant` are initializers."""
    graph = Graph(opset)
    names = []
    for position, array in enumerate(arrays):
        names.append("" if array is None else f"x{position}")
        if array is not None:
            (graph.constants if position in constant else graph.inputs)[names[-1]] = np.asarray(array)
    graph.outputs = [f"y{n}" for n in range(outputs)]
    return graph.node(op, names, graph.outputs, **attributes)


def close(found: Mapping[str, Array], expected: Mapping[str, Array], rtol: float = 2e-5, atol: float = 1e-5) -> None:
    """Same names, types, shapes; equal integers; floats within the tolerance."""
    assert list(found) == list(expected)
    for name, want in expected.items():
        have, want = found[name], np.asarray(want)
        assert (have.dtype, have.shape) == (want.dtype, want.shape), name
        if want.dtype.kind in "iub":
            np.testing.assert_array_equal(have, want)
        else:
            np.testing.assert_allclose(have.astype(np.float32), want.astype(np.float32), rtol=rtol, atol=atol)


@pytest.fixture(scope="session")
def graph() -> type[Graph]:
    return Graph


@pytest.fixture(scope="session")
def agrees() -> Callable[..., dict[str, Array]]:
    """Check a node against ONNX; returns what the clear version computes."""

    def check(op: str, arrays: Sequence[Array | None], rtol: float = 2e-5, atol: float = 1e-5, **options: Any) -> Any:
        graph = single(op, arrays, **options)
        found = graph.run()
        close(found, graph.expected(), rtol, atol)
        return found

    return check


@pytest.fixture(scope="session")
def one_node() -> Callable[..., Graph]:
    return single


@pytest.fixture(scope="session")
def same() -> Callable[..., None]:
    return close
