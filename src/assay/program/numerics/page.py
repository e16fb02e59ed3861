"""The page's generated sections, and how they are put between their markers."""

from __future__ import annotations

from collections.abc import Mapping

from assay.errors import UsageError

from ..functions.trace import document
from .accuracy import accuracy_table
from .composition import composition_table
from .operators import operator_table
from .scalars import scalar_table
from .types import cast_table, type_table

__all__ = ["render", "sections"]


def sections(accuracy: bytes) -> dict[str, str]:
    """Name -> Markdown of every generated section. `accuracy` is the content of bench/accuracy.json."""
    return {
        "types": type_table(),
        "scalar operations": scalar_table(),
        "casts": cast_table(),
        "operators": operator_table(),
        "compositions": composition_table(),
        "accuracy": accuracy_table(accuracy),
        "functions": document(),
    }


def render(page: str, made: Mapping[str, str]) -> str:
    """The page with each section's text between `<!-- generated: NAME -->` and `<!-- end of NAME -->`.

    Raises UsageError if the page does not have each pair of markers exactly once.
    """
    for name, text in made.items():
        begin, end = f"<!-- generated: {name} -->\n", f"<!-- end of {name} -->\n"
        if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
            raise UsageError(f"the page needs the markers of the section {name!r} once", section=name)
        before, rest = page.split(begin)
        page = f"{before}{begin}{text}{end}{rest.split(end)[1]}"
    return page
