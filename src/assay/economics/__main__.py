"""`python -m assay.economics --write docs/economics.md`: renew the page's tables."""

from __future__ import annotations

import argparse
from pathlib import Path

from .page import render, sections

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, required=True, help="the page to renew")
    page = parser.parse_args().write
    page.write_text(render(page.read_text(encoding="utf-8"), sections()), encoding="utf-8")
