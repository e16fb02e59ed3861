"""Persistent threads that help with a round of work. The native call releases the interpreter's lock."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable

__all__ = ["Team"]

Share = Callable[[int, int], None]
"""share(thread, round): do what can be done of a round; thread 0 returns when all of it is done."""


class _Bell:
    """What wakes the helpers: the number of the round, and whether to leave."""

    def __init__(self) -> None:
        self.round = -1
        self.leave = False


class Team:
    """`run()` does one round on the caller's thread, with helpers that come when the system lets them.

    It does not wait for the helpers, so `share` must be safe to call with a round that is over.
    """

    def __init__(self, share: Share, threads: int) -> None:
        self._share = share
        self._threads = threads
        self._process = -1
        self._round = -1
        self._bell = _Bell()
        self._start: list[threading.Semaphore] = []

    def run(self) -> None:
        """One round. Not for two callers at once."""
        if self._threads > 1 and self._process != os.getpid():
            self._hire()
        self._round += 1
        self._bell.round = self._round
        for start in self._start:
            start.release()
        self._share(0, self._round)

    def _hire(self) -> None:
        """Start the threads; again in a forked process, which inherits none."""
        self._process, self._bell = os.getpid(), _Bell()
        self._start = [threading.Semaphore(0) for _ in range(1, self._threads)]
        for number, start in enumerate(self._start, 1):
            args = (self._share, number, start, self._bell)
            threading.Thread(target=_help, args=args, name=f"assay-{number}", daemon=True).start()
        weakref.finalize(self, _dismiss, self._bell, self._start).atexit = False


def _help(share: Share, number: int, start: threading.Semaphore, bell: _Bell) -> None:
    while True:
        start.acquire()
        while start.acquire(blocking=False):
            pass  # rounds that were missed
        if bell.leave:
            return
        share(number, bell.round)


def _dismiss(bell: _Bell, starts: list[threading.Semaphore]) -> None:
    bell.leave = True
    for start in starts:
        start.release()
