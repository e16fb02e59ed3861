"""One ONNX node as a lowering sees it: inputs as values, attributes by type, and the table of lowerings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from onnx import AttributeProto

from assay.errors import ProgramRefused, UnsupportedOperator

from .value import Value

if TYPE_CHECKING:
    from .context import Context

__all__ = ["LOWERINGS", "Body", "Lowering", "Node", "lowers"]

Result = Value | Sequence[Value]
Lowering = Callable[["Context", "Node"], Result]

LOWERINGS: dict[str, Lowering] = {}
"""Operator name -> its lowering, for the standard domain."""

_LARGEST = 2**40
"""No attribute that counts, strides or pads is larger than this; it keeps all coordinates within 64 bits."""


def lowers(*operators: str) -> Callable[[Lowering], Lowering]:
    """Register a function as the lowering of `operators`."""

    def register(function: Lowering) -> Lowering:
        for operator in operators:
            LOWERINGS[operator] = function
        return function

    return register


class Body(Protocol):
    """A graph that a node carries: lowered once per call of `run`, with the values around the node in sight."""

    inputs: int
    outputs: int
    nodes: int
    """Nodes in it, those of graphs within counted once."""

    @property
    def room(self) -> int:
        """Nodes that may still be lowered."""

    def run(self, values: Sequence[Value]) -> Sequence[Value]:
        """The graph's outputs for these inputs. Refuses what the graph's nodes refuse."""


@dataclass(frozen=True)
class Node:
    """A node with its values bound. `outputs` are the names that the graph gives its results ("" where unused)."""

    op: str
    name: str
    version: int
    inputs: tuple[Value | None, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, AttributeProto]
    bodies: Mapping[str, Body] = field(default_factory=dict)
    """The graphs among the attributes."""

    @property
    def label(self) -> str:
        """How error messages call the node."""
        if self.name or not self.outputs:
            return f"{self.op} node {self.name!r}"
        return f"{self.op} node that computes {self.outputs[0]!r}"

    def refuse(self, why: str, **evidence: Any) -> NoReturn:
        """Raise ProgramRefused: the node is malformed."""
        raise ProgramRefused(f"{self.label}: {why}", operator=self.op, node=self.name, **evidence)

    def unsupported(self, why: str, **evidence: Any) -> NoReturn:
        """Raise UnsupportedOperator: exact-1 does not cover this form of the operator."""
        raise UnsupportedOperator(f"{self.label}: {why}", operator=self.op, node=self.name, **evidence)

    def __getitem__(self, position: int) -> Value:
        """A required input."""
        value = self.get(position)
        if value is None:
            self.refuse(f"input {position} is missing")
        return value

    def get(self, position: int) -> Value | None:
        """An optional input."""
        return self.inputs[position] if position < len(self.inputs) else None

    def has(self, attribute: str) -> bool:
        """Whether the attribute is given."""
        return attribute in self.attributes

    def wants(self, position: int) -> bool:
        """Whether the graph names output `position`."""
        return position < len(self.outputs) and self.outputs[position] != ""

    def body(self, name: str) -> Body:
        """A graph that the node carries."""
        found = self.bodies.get(name)
        return self.absent(name) if found is None else found

    def attribute(self, name: str, kind: int) -> AttributeProto | None:
        """The attribute, checked to be of the given AttributeProto type."""
        found = self.attributes.get(name)
        if found is not None and found.type != kind:
            self.refuse(f"attribute {name!r} has the wrong type")
        return found

    def integer(self, name: str, default: int | None = None) -> int:
        """An integer attribute, or its default."""
        found = self.attribute(name, AttributeProto.INT)
        if found is None:
            return self.absent(name) if default is None else default
        return self._bounded(name, found.i)

    def real(self, name: str, default: float | None = None) -> float:
        """A float attribute (binary32 as a Python float), or its default."""
        found = self.attribute(name, AttributeProto.FLOAT)
        if found is None:
            return self.absent(name) if default is None else default
        return float(found.f)

    def text(self, name: str, default: str | None = None) -> str:
        """A string attribute, or its default."""
        found = self.attribute(name, AttributeProto.STRING)
        if found is None:
            return self.absent(name) if default is None else default
        return found.s.decode("utf-8", "replace")

    def integers(self, name: str, default: Sequence[int] | None = None) -> tuple[int, ...]:
        """A list of integers, or its default."""
        found = self.attribute(name, AttributeProto.INTS)
        if found is None:
            return self.absent(name) if default is None else tuple(default)
        return tuple(self._bounded(name, x) for x in found.ints)

    def absent(self, name: str) -> NoReturn:
        """Refuse for want of a required attribute."""
        self.refuse(f"attribute {name!r} is missing")

    def axis(self, value: int, rank: int) -> int:
        """An axis counted from either end, as a position in [0, rank)."""
        if not -rank <= value < rank:
            self.refuse(f"axis {value} of a tensor with {rank} axes")
        return value % rank

    def axes(self, values: Sequence[int], rank: int) -> tuple[int, ...]:
        """Several distinct axes, increasing."""
        found = tuple(sorted(self.axis(int(v), rank) for v in values))
        if len(set(found)) != len(found):
            self.refuse(f"repeated axes {list(values)}")
        return found

    def _bounded(self, name: str, value: int) -> int:
        # Slice bounds come as inputs, so attributes have no reason to be near 2^63.
        if abs(value) > _LARGEST:
            self.refuse(f"attribute {name!r} is {value}")
        return int(value)
