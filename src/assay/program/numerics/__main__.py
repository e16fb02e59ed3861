"""`python -m assay.program.numerics`: print all generated sections, or with `--write FILE` renew them in that page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import render, sections


def main() -> None:
    """Parse and obey."""
    parser = argparse.ArgumentParser(prog="python -m assay.program.numerics", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="a page with the markers of all sections")
    parser.add_argument(
        "--accuracy", type=Path, default=Path("bench/accuracy.json"), metavar="FILE", help="measured errors"
    )
    options = parser.parse_args()
    made = sections(options.accuracy.read_bytes())
    if options.write is None:
        for name, text in made.items():
            sys.stdout.write(f"<!-- {name} -->\n{text}")
        return
    options.write.write_text(render(options.write.read_text(encoding="utf-8"), made), encoding="utf-8")


if __name__ == "__main__":
    main()
