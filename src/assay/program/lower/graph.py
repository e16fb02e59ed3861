"""From a graph to kernels: nodes in order, functions inlined, every name defined once and before it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from onnx import AttributeProto, FunctionProto, NodeProto

from assay.errors import ProgramRefused, RefusedError, UnsupportedOperator

from ..limits import OPSETS
from ..tensors import check_shape
from . import elementwise, generate, index, normalise, pool, product, quantise, reduce, shape
from .context import Context
from .evaluate import evaluate
from .node import LOWERINGS, Node
from .schema import BODIES, check_signature, function_body, schema_of
from .value import Value

__all__ = ["Functions", "Scope", "lower_nodes", "opset_versions"]

# Importing a module registers its lowerings.
_MODULES = (elementwise, generate, index, normalise, pool, product, quantise, reduce, shape)

_STANDARD = ("", "ai.onnx")
_SUBGRAPHS = (AttributeProto.GRAPH, AttributeProto.GRAPHS)

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
    depth: int = 0
    count: list[int] = field(default_factory=lambda: [0])
    """Nodes lowered so far, shared by all scopes."""

    def define(self, name: str, value: Value) -> None:
        """Bind a name; refuses one that is bound already."""
        if name in self.values:
            raise ProgramRefused(f"the tensor {name!r} is defined twice", tensor=name)
        self.values[name] = value


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
        if name and name not in scope.values:
            raise _undefined(proto, name, nodes, position)
        inputs.append(scope.values[name] if name else None)
    attributes: dict[str, AttributeProto] = {}
    for attribute in proto.attribute:
        if attribute.type in _SUBGRAPHS:
            raise UnsupportedOperator(
                f"{proto.op_type} node {proto.name!r} carries a subgraph; control flow is not covered",
                operator=proto.op_type,
                node=proto.name,
            )
        if attribute.name in attributes:
            raise ProgramRefused(f"{proto.op_type} node {proto.name!r}: attribute {attribute.name!r} is given twice")
        if attribute.ref_attr_name:
            given = scope.attributes.get(attribute.ref_attr_name)
            if given is not None:
                attributes[attribute.name] = given
        else:
            attributes[attribute.name] = attribute
    version = scope.versions.get("" if proto.domain in _STANDARD else proto.domain, 0)
    return Node(proto.op_type, proto.name, version, tuple(inputs), tuple(proto.output), attributes)


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
        if proto.domain not in _STANDARD:
            return _call(scope, node, _function(scope, proto, node), node.attributes)
        if not node.version:
            node.refuse("the model does not import the standard operator set")
        if node.op not in LOWERINGS and node.op not in BODIES and schema_of(node.op, node.version):
            node.unsupported(f"the operator {node.op} is not covered")
        check_signature(node)
        known = evaluate(scope.context, node)
        if known is not None:
            return [known]
        lowering = LOWERINGS.get(node.op)
        if lowering is not None:
            result = lowering(scope.context, node)
            return [result] if isinstance(result, Value) else result
        body = function_body(node)
        if body is None:
            node.unsupported(f"this form of {node.op} is not covered")
        schema = schema_of(node.op, node.version)
        defaults = {n: a.default_value for n, a in schema.attributes.items() if a.default_value.name}
        return _call(scope, node, body, {**defaults, **node.attributes})
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
    if scope.depth >= scope.context.limits.call_depth:
        node.refuse("functions call each other too deeply", limit=scope.context.limits.call_depth)
    if len(node.inputs) > len(function.input) or len(node.outputs) > len(function.output):
        node.refuse(f"the function {function.name} takes {len(function.input)} inputs, gives {len(function.output)}")
    attributes = {a.name: a for a in function.attribute_proto}
    attributes.update(given)
    inner = Scope(
        scope.context,
        scope.functions,
        opset_versions(function.opset_import),
        attributes,
        depth=scope.depth + 1,
        count=scope.count,
    )
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
