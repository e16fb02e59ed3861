"""The generated parts of docs/numerics.md: tables and sequences, each made from the code that it describes.

`python -m assay.program.numerics` prints them; with `--write docs/numerics.md` it renews the page. A test fails where
the page and the code differ.
"""

from __future__ import annotations

from .page import render, sections

__all__ = ["render", "sections"]
