"""How far a role is with a task: rounded figures for live views, never the exact bits that an audit relies on."""

from __future__ import annotations

import threading
import time

import msgspec

__all__ = ["Progress", "ProgressBoard"]


class Progress(msgspec.Struct, frozen=True):
    """One line of a live view. `loss` has three significant digits; `speed` is steps per second."""

    task: str
    role: str
    phase: str
    done: int
    total: int
    loss: float | None = None
    speed: float = 0.0
    updated: float = 0.0
    note: str = ""
    """What a challenger says that it has itself, where it disbelieves a solver."""


class ProgressBoard:
    """The latest progress per task, shared between the working thread and the one that serves it."""

    def __init__(self, role: str) -> None:
        self._role = role
        self._lock = threading.Lock()
        self._lines: dict[str, Progress] = {}
        self._started: dict[tuple[str, str], tuple[float, int]] = {}

    def post(self, task: str, phase: str, done: int, total: int, loss: float | None = None, note: str = "") -> None:
        """Replace the line of `task`."""
        now = time.time()
        with self._lock:
            since, first = self._started.setdefault((task, phase), (now, done))
            speed = (done - first) / (now - since) if now > since else 0.0
            rounded = None if loss is None else float(f"{loss:.3g}")
            self._lines[task] = Progress(task, self._role, phase, done, total, rounded, round(speed, 1), now, note)

    def line(self, task: str) -> Progress | None:
        """The line of `task`, if there is one."""
        with self._lock:
            return self._lines.get(task)

    def lines(self) -> list[Progress]:
        """All lines, newest first."""
        with self._lock:
            return sorted(self._lines.values(), key=lambda line: -line.updated)
