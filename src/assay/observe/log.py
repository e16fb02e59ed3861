"""Logs: JSON lines in the role's folder, warnings in colour on stderr. Never a secret, never on stdout."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import structlog

__all__ = ["configure_log", "get_log"]


def configure_log(path: Path | None = None, *, verbose: bool = False, show: bool = False) -> None:
    """Send this process's log to `path` (JSON lines, appended), or to stderr if there is none.

    With `show`, every line that goes to `path` is also told on stderr, for whoever runs a role in a terminal.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    if path is None:
        renderer: Any = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        stream = sys.stderr
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        if show:
            shared.append(_tell)
        shared.append(structlog.processors.format_exc_info)
        renderer = structlog.processors.JSONRenderer()
        stream = path.open("a", buffering=1)
    level = logging.DEBUG if verbose else (logging.INFO if path else logging.WARNING)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )


def _tell(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
    hidden = ("event", "level", "timestamp", "role", "address", "exc_info", "evidence")
    facts = "  ".join(f"{name} {_short(value)}" for name, value in line.items() if name not in hidden)
    sys.stderr.write(f"{line['timestamp'][11:19]}  {line['event']:<12} {facts}\n")
    return line


def _short(value: Any) -> str:
    text = "".join(character for character in str(value) if character.isprintable())
    return f"{text[:12]}…" if len(text) == 64 else text[:160]


def get_log(**context: Any) -> Any:
    """A logger that carries `context` in every line."""
    return structlog.get_logger().bind(**context)
