"""Functional ATen graph -> ONNX bytes, in one pass over the nodes."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence

import torch
from torch import fx

from assay.errors import CaptureError
from assay.program.types import DType

from .graph import Graph, Value
from .operators import TRANSLATIONS, Call, dtype_of, refuse
from .philox import uniform
from .precision import in_float32
from .trace import DATA_DEPENDENT

__all__ = ["translate"]

Entry = Value | Sequence[Value | None]


def translate(
    module: fx.GraphModule,
    inputs: Sequence[str | torch.Tensor],
    outputs: Sequence[str],
    *,
    name: str,
    marked: Mapping[str, str] | None = None,
) -> bytes:
    """The ONNX model of a traced graph.

    `inputs` says for each placeholder which port it is, or gives the constant that it stands for; `outputs` names the
    results in order. `marked` maps some of these names to the name that the graph value itself shall bear; such a
    result is no port. Raises CaptureError that names the operator and the user's line.
    """
    return _Translation(module, inputs, outputs, dict(marked or {})).run(name)


class _Translation:
    def __init__(
        self,
        module: fx.GraphModule,
        inputs: Sequence[str | torch.Tensor],
        outputs: Sequence[str],
        marked: dict[str, str],
    ) -> None:
        self.module, self.graph, self.values = module, Graph(), dict[fx.Node, Entry]()
        self.random = 0
        nodes = list(module.graph.nodes)
        results = nodes[-1].args[0]
        self.results = dict(zip(outputs, results, strict=True))
        self.marks = {self.results[result]: value for result, value in marked.items()}
        self.ports = [port for port in outputs if port not in marked]
        self.needed = _needed([x for x in results if isinstance(x, fx.Node)])
        self.graph.reserve([*(i for i in inputs if isinstance(i, str)), *self.ports, *marked.values(), "seed"])
        for node, source in zip((n for n in nodes if n.op == "placeholder"), inputs, strict=True):
            self.values[node] = self._source(node, source)

    def run(self, name: str) -> bytes:
        for node in self.module.graph.nodes:
            if node in self.needed and node.op not in ("placeholder", "output"):
                self.graph.hint = node.name
                self.values[node] = self._entry(node)
                if node in self.marks:
                    self.values[node] = self._mark(node)
        for port in self.ports:
            self.graph.output(port, self._result(port))
        return self.graph.model(name)

    def _source(self, node: fx.Node, source: str | torch.Tensor) -> Value:
        if isinstance(source, torch.Tensor):
            return self._constant(node, source)
        val = node.meta["val"]
        return self.graph.input(source, dtype_of(val.dtype, node), val.shape)

    def _constant(self, node: fx.Node, tensor: torch.Tensor) -> Value:
        dtype = dtype_of(tensor.dtype, node)
        array = tensor.detach().cpu().to(torch.float32) if dtype is DType.BFLOAT16 else tensor.detach().cpu()
        return self.graph.constant(array.numpy().astype(dtype.numpy))

    def _entry(self, node: fx.Node) -> Entry:
        if node.op == "get_attr":
            tensor = operator.attrgetter(str(node.target))(self.module)
            return self._constant(node, tensor)
        if node.target is operator.getitem:
            return self.values[node.args[0]][node.args[1]]  # type: ignore[index, return-value]
        function = TRANSLATIONS.get(str(node.target))
        if str(node.target) == "aten._local_scalar_dense.default":
            raise refuse(node, f"makes a Python number of a tensor: {DATA_DEPENDENT}")
        if function is None:
            raise refuse(node, "is not covered")
        call = Call(self.graph, node, self._uniform)
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda n: self.values[n])
        return _checked(node, in_float32(function, call, args, kwargs))

    def _mark(self, node: fx.Node) -> Value:
        value = self.values[node]
        assert isinstance(value, Value)
        return self.graph.alias(self.marks[node], value)

    def _result(self, port: str) -> Value:
        result = self.results[port]
        value = self.values[result] if isinstance(result, fx.Node) else None
        if not isinstance(value, Value):
            raise CaptureError(f"{port} is not a tensor", port=port)
        return value

    def _uniform(self, shape: tuple[int, ...]) -> Value:
        ports = {value.name: value for value in self.graph.inputs}
        seed = ports.get("seed") or self.graph.input("seed", DType.UINT64, ())
        self.random += 1
        return uniform(self.graph, seed, ports.get("step"), self.random - 1, shape)


def _needed(results: list[fx.Node]) -> set[fx.Node]:
    found, queue = set(results), list(results)
    while queue:
        for node in queue.pop().all_input_nodes:
            if node not in found:
                found.add(node)
                queue.append(node)
    return found


def _checked(node: fx.Node, entry: Entry) -> Entry:
    """`entry`, after comparing its types with those that torch predicted."""
    val = node.meta.get("val")
    wanted = val if isinstance(val, (tuple, list)) else [val]
    for value, fake in zip([entry] if isinstance(entry, Value) else entry, wanted, strict=True):
        if value is None or fake is None:
            continue
        expected = (dtype_of(fake.dtype, node), tuple(fake.shape))
        if (value.dtype, value.shape) != expected:
            raise refuse(node, f"was translated to {value.dtype}{value.shape} instead of {expected}", hint=_BUG)
    return entry


_BUG = "This is a bug in assay's translation; please report the operator."
