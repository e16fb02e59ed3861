"""The table of ONNX operators that are understood, with what their lowering says about itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from assay.errors import UnsupportedOperator

from ..limits import OPSETS
from ..lower import LOWERINGS
from ..lower.classic import CLASSIC, DOMAIN
from ..lower.node import Lowering, Node
from ..lower.schema import check_signature, schema_of
from .table import table

__all__ = ["operator_table", "versions_of"]


def versions_of(op: str) -> list[int]:
    """The versions of the standard operator set in which the operator is understood, in increasing order."""
    return [version for version in OPSETS if _understood(op, version)]


def _understood(op: str, version: int) -> bool:
    schema = schema_of(op, version)
    if schema is None:
        return False
    probe = Node(op, "", version, (None,) * schema.min_input, ("",) * schema.min_output, {})
    try:
        check_signature(probe)
    except UnsupportedOperator:
        return False
    return True


def _span(op: str) -> str:
    """`op`, with the versions that have it where that is not all of them."""
    versions = versions_of(op)
    if not versions:
        return f"{op} (none)"
    first, last = versions[0], versions[-1]
    if first == OPSETS[0]:
        return op if last == OPSETS[-1] else f"{op} (to {last})"
    return f"{op} (from {first})" if last == OPSETS[-1] else f"{op} ({first} to {last})"


def operator_table() -> str:
    """One row per lowering, in alphabetical order of its first operator; then the domain ai.onnx.ml, then bodies."""
    rows = [(", ".join(map(_span, ops)), text) for ops, text in _grouped(LOWERINGS)]
    rows += [(f"{DOMAIN}: {', '.join(ops)}", text) for ops, text in _grouped(CLASSIC)]
    return table(("operator", "is"), rows)


def _grouped(lowerings: Mapping[str, Lowering]) -> list[tuple[list[str], str]]:
    """(operators, first line of their lowering's docstring), sorted."""
    by_text: dict[str, list[str]] = defaultdict(list)
    for op, lowering in lowerings.items():
        by_text[(lowering.__doc__ or "").strip().splitlines()[0]].append(op)
    return sorted((sorted(ops), text) for text, ops in by_text.items())
