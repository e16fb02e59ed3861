"""Data on stdout, everything else on stderr; one JSON object as the last line under --json."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.markup import escape

__all__ = ["console", "emit", "escape", "say"]

console = Console(stderr=True, highlight=False)


def emit(value: Any) -> None:
    """Print `value` as one line of JSON on stdout. What JSON does not have (an error's evidence) is shown as text."""
    sys.stdout.write(json.dumps(value, sort_keys=True, default=str) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Tell a human something, on stderr. `text` is rich markup: `escape` what comes from elsewhere."""
    console.print(text)
