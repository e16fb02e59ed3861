"""Files that ship in the wheel."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["digits"]


def digits() -> Path:
    """The task file of the digits example, captured ahead, so that the demo does not need torch."""
    return Path(str(files("assay") / "assets" / "digits" / "task.toml"))
