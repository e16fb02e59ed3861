"""Persistent threads that run one native function together. The call releases the interpreter's lock."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable

__all__ = ["Team"]


class Team:
    """`run()` calls share(0) on the caller's thread and share(1..) on its own ones, and returns when all are done."""

    def __init__(self, share: Callable[[int], None], threads: int) -> None:
        self._share = share
        self._threads = threads
        self._process = -1
        self._start: list[threading.Semaphore] = []
        self._done = threading.Semaphore(0)

    def run(self) -> None:
        """One round."""
        if self._threads > 1 and self._process != os.getpid():
            self._hire()
        for start in self._start:
            start.release()
        self._share(0)
        for _ in self._start:
            self._done.acquire()

    def _hire(self) -> None:
        """Start the threads; again in a forked process, which inherits none."""
        self._process, self._done = os.getpid(), threading.Semaphore(0)
        self._start = [threading.Semaphore(0) for _ in range(1, self._threads)]
        leave = threading.Event()
        for number, start in enumerate(self._start, 1):
            args = (self._share, number, start, self._done, leave)
            threading.Thread(target=_work, args=args, name=f"assay-{number}", daemon=True).start()
        weakref.finalize(self, _dismiss, leave, self._start).atexit = False


def _work(
    share: Callable[[int], None],
    number: int,
    start: threading.Semaphore,
    done: threading.Semaphore,
    leave: threading.Event,
) -> None:
    while True:
        start.acquire()
        if leave.is_set():
            return
        share(number)
        done.release()


def _dismiss(leave: threading.Event, starts: list[threading.Semaphore]) -> None:
    leave.set()
    for start in starts:
        start.release()
