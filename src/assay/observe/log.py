"""Logs: JSON lines in the role's folder, warnings in colour on stderr. Never a secret, never on stdout."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import structlog

__all__ = ["configure_log", "get_log"]


def configure_log(path: Path | None = None, *, verbose: bool = False) -> None:
    """Send this process's log to `path` (JSON lines, appended), or to stderr if there is none."""
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


def get_log(**context: Any) -> Any:
    """A logger that carries `context` in every line."""
    return structlog.get_logger().bind(**context)
