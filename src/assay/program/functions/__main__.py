"""`python -m assay.program.functions`: print every sequence, or with `--write FILE` renew the section in that page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .trace import document

BEGIN, END = "<!-- generated: functions -->\n", "<!-- end of functions -->\n"


def main() -> None:
    """Parse and obey."""
    parser = argparse.ArgumentParser(prog="python -m assay.program.functions", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="a page with the section's two markers")
    page = parser.parse_args().write
    if page is None:
        sys.stdout.write(document())
        return
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    page.write_text(f"{before}{BEGIN}{document()}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
