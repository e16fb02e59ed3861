"""Write the named functions as a Vyper module of constants (`--check`: compare, write nothing)."""

from __future__ import annotations

import sys
from pathlib import Path

from assay.contracts.sequences import source

TARGET = Path(__file__).resolve().parents[1] / "src" / "assay" / "contracts" / "vyper" / "sequences.vy"


def main() -> int:
    """Exit code 1 if `--check` finds another text than the functions make."""
    text = source()
    stale = not TARGET.is_file() or TARGET.read_text() != text
    if "--check" in sys.argv[1:]:
        return int(stale)
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
