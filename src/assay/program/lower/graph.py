"""From a graph to kernels: nodes in order, functions inlined, every name defined once and before it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from onnx import AttributeProto, FunctionProto, GraphProto, NodeProto

from assay.errors import ProgramRefused, RefusedError, UnsupportedOperator

from ..limits import OPSETS
from ..tensors import check_shape, tensor_array
from . import (  # noqa: F401 - importing a module registers its lowerings
    attention,
    control,
    einsum,
    elementwise,
    generate,
    index,
    inverse,
    loss,
    lp,
    normalise,
    order,
    pool,
    power,
    product,
    quantise,
    recurrent,
    reduce,
    resample,
    sample,
    sequence,
    shape,
    signal,
    special,
    tree,
    unpool,
)
from .classic import DOMAIN, lower_classic
from .context import Context
from .evaluate import evaluate, note
from .node import LOWERINGS, Body, Node
from .schema import check_signature, schema_of
from .value import Value

__all__ = ["Functions", "Scope", "lower_nodes", "opset_versions"]

_STANDARD = ("", "ai.onnx")
_SUBGRAPHS = (AttributeProto.GRAPH, AttributeProto.GRAPHS)
_CONTROL = ("If", "Loop", "Scan")

Functions = dict[tuple[str, str, str], FunctionProto]
"""Model-local functions by domain, name and overload."""


@dataclass
class Scope:
    """Names and their values within a graph or a function body."""

    context: Context
    functions: Functions
    versions: dict[str, int]
    attributes: Mapping[str, AttributeProto] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)
    outer: Scope | None = None
    """What surrounds a graph that a node carries; its names are in sight."""
    depth: int = 0
    count: list[int] = field(default_factory=lambda: [0])
    """Nodes lowered so far, shared by all scopes."""

    def define(self, name: str, value: Value) -> None:
        """Bind a name; refuses one that is bound already."""
        if name in self.values:
            raise ProgramRefused(f"the tensor {name!r} is defined twice", tensor=name)
        self.values[name] = value

    def find(self, name: str) -> Value | None:
        """The value of a name here or around; None where there is none."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            scope = scope.outer
        return None

    def within(self, attributes: Mapping[str, AttributeProto], versions: dict[str, int], outer: Scope | None) -> Scope:
        """A scope one level deeper. Refuses too many levels."""
        limit = self.context.limits.call_depth
        if self.depth >= limit:
            raise ProgramRefused("functions and graphs are nested too deeply", limit=limit)
        return Scope(self.context, self.functions, versions, attributes, {}, outer, self.depth + 1, self.count)


class Inner:
    """A graph that a node carries (a `Body`)."""

    def __init__(self, scope: Scope, graph: GraphProto, label: str) -> None:
        self._scope = scope
        self._graph = graph
        self._label = label
        self.inputs = len(graph.input)
        self.outputs = len(graph.output)
        self.nodes = _size(graph)
        if graph.sparse_initializer or graph.quantization_annotation:
            raise ProgramRefused(f"{label} has sparse initializers or quantization annotations")

    @property
    def room(self) -> int:
        """Nodes that may still be lowered."""
        return self._scope.context.limits.nodes - self._scope.count[0]

    def run(self, values: Sequence[Value]) -> Sequence[Value]:
        """See `Body.run`."""
        scope = self._scope.within(self._scope.attributes, self._scope.versions, self._scope)
        if len(values) != self.inputs:
            raise ProgramRefused(f"{self._label} takes {self.inputs} inputs, not {len(values)}")
        for info, value in zip(self._graph.input, values, strict=True):
            scope.define(info.name, value)
        limits = self._scope.context.limits
        for tensor in self._graph.initializer:
            array = tensor_array(tensor, f"the initializer {tensor.name!r}", limits)
            scope.define(tensor.name, self._scope.context.constant(array))
        lower_nodes(scope, self._graph.node)
        results = []
        for info in self._graph.output:
            found = scope.find(info.name)
            if found is None:
                raise ProgramRefused(f"{self._label} does not compute its output {info.name!r}", tensor=info.name)
            results.append(found)
        return results


def _size(graph: GraphProto) -> int:
    return len(graph.node) + sum(
        _size(inner)
        for node in graph.node
        for a in node.attribute
        for inner in ([a.g] if a.HasField("g") else a.graphs)
    )


def opset_versions(imports: Sequence[object]) -> dict[str, int]:
    """Domain -> version, from opset_import entries. Refuses standard versions outside OPSETS."""
    versions: dict[str, int] = {}
    for entry in imports:
        domain: str = entry.domain  # type: ignore[attr-defined]
        domain = "" if domain in _STANDARD else domain
        if domain in versions:
            raise ProgramRefused(f"the operator set {domain or 'ai.onnx'!r} is imported twice")
        versions[domain] = int(entry.version)  # type: ignore[attr-defined]
    if "" in versions and versions[""] not in OPSETS:
        raise UnsupportedOperator(
            f"ONNX operator set {versions['']}; versions {OPSETS[0]} to {OPSETS[-1]} are understood",
            hint="Export the model for one of these versions.",
            version=versions[""],
        )
    return versions


def lower_nodes(scope: Scope, nodes: Sequence[NodeProto]) -> None:
    """Lower `nodes` in order, defining their outputs in `scope`."""
    for position, proto in enumerate(nodes):
        scope.count[0] += 1
        if scope.count[0] > scope.context.limits.nodes:
            raise ProgramRefused("too many nodes after inlining", limit=scope.context.limits.nodes)
        node = _bind(scope, proto, nodes, position)
        for name, value in zip(node.outputs, _lower(scope, proto, node), strict=False):
            if name:
                check_shape(f"the tensor {name!r}", value.dtype, value.shape, scope.context.limits)
                scope.define(name, value)


def _bind(scope: Scope, proto: NodeProto, nodes: Sequence[NodeProto], position: int) -> Node:
    """The node with its inputs looked up and its attribute references replaced."""
    inputs: list[Value | None] = []
    for name in proto.input:
        value = scope.find(name) if name else None
        if name and value is None:
            raise _undefined(proto, name, nodes, position)
        inputs.append(value)
    attributes: dict[str, AttributeProto] = {}
    bodies: dict[str, Body] = {}
    for attribute in proto.attribute:
        if attribute.type in _SUBGRAPHS and (proto.op_type not in _CONTROL or proto.domain not in _STANDARD):
            raise UnsupportedOperator(
                f"{proto.op_type} node {proto.name!r} carries a subgraph, which only If, Loop and Scan may",
                operator=proto.op_type,
                node=proto.name,
            )
        if attribute.type == AttributeProto.GRAPH and not attribute.ref_attr_name:
            label = f"{attribute.name} of the {proto.op_type} node {proto.name!r}"
            bodies[attribute.name] = Inner(scope, attribute.g, label)
        if attribute.name in attributes:
            raise ProgramRefused(f"{proto.op_type} node {proto.name!r}: attribute {attribute.name!r} is given twice")
        if attribute.ref_attr_name:
            given = scope.attributes.get(attribute.ref_attr_name)
            if given is not None:
                attributes[attribute.name] = given
        else:
            attributes[attribute.name] = attribute
    version = scope.versions.get("" if proto.domain in _STANDARD else proto.domain, 0)
    return Node(proto.op_type, proto.name, version, tuple(inputs), tuple(proto.output), attributes, bodies)


def _undefined(proto: NodeProto, name: str, nodes: Sequence[NodeProto], position: int) -> ProgramRefused:
    what = f"{proto.op_type} node {proto.name!r} needs the tensor {name!r}"
    if any(name in later.output for later in nodes[position:]):
        return ProgramRefused(
            f"{what} before it is computed: the graph is cyclic or not sorted", tensor=name, node=proto.name
        )
    return ProgramRefused(f"{what}, which nothing computes", tensor=name, node=proto.name)


def _lower(scope: Scope, proto: NodeProto, node: Node) -> Sequence[Value]:
    """The node's results; any failure names the node."""
    try:
        if proto.domain == DOMAIN and (proto.domain, proto.op_type, proto.overload) not in scope.functions:
            return lower_classic(scope.context, node)
        if proto.domain not in _STANDARD:
            return _call(scope, node, _function(scope, proto, node), node.attributes)
        if not node.version:
            node.refuse("the model does not import the standard operator set")
        if node.op not in LOWERINGS and schema_of(node.op, node.version):
            node.unsupported(f"the operator {node.op} is not covered")
        check_signature(node)
        known = evaluate(scope.context, node)
        if known is not None:
            return [known]
        result = LOWERINGS[node.op](scope.context, node)
        if not isinstance(result, Value):
            return result
        note(scope.context, node, result)
        return [result]
    except RefusedError as error:
        if "node" in error.evidence:
            raise
        raise type(error)(
            f"{node.label}: {error.message}", hint=error.hint, node=node.name, operator=node.op, **error.evidence
        ) from None
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        # Only a malformed node gets here: what it can say wrong is more than can be listed.
        raise ProgramRefused(
            f"{node.label} is malformed ({type(error).__name__}: {error})", node=node.name, operator=node.op
        ) from error


def _function(scope: Scope, proto: NodeProto, node: Node) -> FunctionProto:
    found = scope.functions.get((proto.domain, proto.op_type, proto.overload))
    if found is None:
        raise UnsupportedOperator(
            f"{node.label}: unknown operator {proto.op_type!r} of domain {proto.domain!r}",
            operator=proto.op_type,
            node=proto.name,
        )
    return found


def _call(scope: Scope, node: Node, function: FunctionProto, given: Mapping[str, AttributeProto]) -> Sequence[Value]:
    """Inline a function: its body is lowered in a scope of its own."""
    if len(node.inputs) > len(function.input) or len(node.outputs) > len(function.output):
        node.refuse(f"the function {function.name} takes {len(function.input)} inputs, gives {len(function.output)}")
    attributes = {a.name: a for a in function.attribute_proto}
    attributes.update(given)
    inner = scope.within(attributes, opset_versions(function.opset_import), None)
    for name, value in zip(function.input, node.inputs, strict=False):
        if value is not None:
            inner.define(name, value)
    absent = {n for n in function.input if n not in inner.values}
    lower_nodes(inner, [_without(p, absent) for p in function.node] if absent else function.node)
    results = []
    for name, wanted in zip(function.output, node.outputs, strict=False):
        if name not in inner.values:
            if wanted:
                node.refuse(f"the function {function.name} does not compute its output {name!r}")
            results.append(next(iter(inner.values.values())))
            continue
        results.append(inner.values[name])
    return results


def _without(proto: NodeProto, absent: set[str]) -> NodeProto:
    """The node with optional inputs that the caller left out named ""."""
    if not absent.intersection(proto.input):
        return proto
    copy = NodeProto()
    copy.CopyFrom(proto)
    copy.input[:] = ["" if name in absent else name for name in proto.input]
    return copy
