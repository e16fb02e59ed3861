"""One process per role folder: a lock that the kernel releases however the process ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from assay.errors import UnavailableError

__all__ = ["end", "follow_parent", "occupant", "occupied"]

ONLOOKERS = 2.0
"""Seconds for which others' looking at a lock may keep it from being taken."""


@contextlib.contextmanager
def occupied(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process; its id stands in the file `lock`. Raises UnavailableError if another one holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(handle, folder)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    until = time.monotonic() + ONLOOKERS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = occupant(folder)
        # Nobody holds it, then: somebody is just looking.
        if holder is not None or time.monotonic() > until:
            hint = "Stop that process, or use another folder."
            raise UnavailableError(f"{folder} is in use by process {holder}.", hint=hint, pid=holder)
        time.sleep(0.001)


def occupant(folder: Path) -> int | None:
    """The id of the process that holds `folder`, or None if nobody does."""
    try:
        handle = os.open(folder / "lock", os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        # Shared, so that two who look do not take each other for the holder.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.pread(handle, 20, 0) or b"0") or None
    else:
        return None
    finally:
        os.close(handle)


def end(folder: Path, patience: float = 10.0) -> bool:
    """End the process that holds `folder`: politely, then after `patience` seconds by force. False if nobody held it."""
    pid = occupant(folder)
    if pid is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + patience
        while occupant(folder) == pid:
            if time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
    return True


def follow_parent(parent: int, interval: float = 0.3) -> None:
    """End this process when `parent`, the one that started it, is gone: a killed demo leaves nothing behind.

    The id comes from the parent itself: it may be gone before this process has come to ask who it was.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(interval)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="follow-parent", daemon=True).start()
