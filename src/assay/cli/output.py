"""Answers on stdout, everything else on stderr; one JSON object as the last line under --json."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.markup import escape

__all__ = ["answer", "console", "emit", "escape", "say"]

console = Console(stderr=True, highlight=False)


def answer(what: Any) -> None:
    """Print the answer of a command for a human, on stdout: a table or a line of rich markup."""
    # No line is cut where nobody's screen limits it: a task id has to survive a pipe.
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(what)


def emit(value: Any) -> None:
    """Print `value` as one line of JSON on stdout. What JSON does not have (an error's evidence) is shown as text."""
    sys.stdout.write(json.dumps(value, sort_keys=True, default=str) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Tell a human something, on stderr. `text` is rich markup: `escape` what comes from elsewhere."""
    console.print(text)
