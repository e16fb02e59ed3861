"""The table of ONNX operators that are understood, with what their lowering says about itself."""

from __future__ import annotations

from collections import defaultdict

import onnx

from ..limits import OPSETS
from ..lower import BODIES, LOWERINGS
from .table import table

__all__ = ["operator_table", "versions_of"]


def versions_of(op: str) -> list[int]:
    """The understood versions of the standard operator set that have the operator, in increasing order."""
    found = []
    for version in OPSETS:
        try:
            if not onnx.defs.get_schema(op, version, "").deprecated:
                found.append(version)
        except onnx.defs.SchemaError:
            continue
    return found


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
    """One row per lowering, in alphabetical order of its first operator."""
    by_lowering: dict[str, list[str]] = defaultdict(list)
    for op, lowering in LOWERINGS.items():
        by_lowering[(lowering.__doc__ or "").strip().splitlines()[0]].append(op)
    rows = sorted((", ".join(map(_span, sorted(ops))), text) for text, ops in by_lowering.items())
    bodies = ", ".join(map(_span, sorted(BODIES)))
    rows.append((bodies, "The standard's own function body, inlined; its newest one, where it has several."))
    return table(("operator", "is"), rows)
