"""Data on stdout, everything else on stderr; one JSON object as the last line under --json."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console

__all__ = ["console", "emit", "say"]

console = Console(stderr=True, highlight=False)


def emit(value: Any) -> None:
    """Print `value` as one line of JSON on stdout."""
    sys.stdout.write(json.dumps(value, sort_keys=True) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Tell a human something, on stderr."""
    console.print(text)
