"""Whoever builds the blocks takes back some of them, to be drawn other verifiers."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from assay.errors import UnavailableError
from assay.roles.devnet import CHAIN
from assay.words import TaskState

from .arena import LONGEST, RATE, Arena
from .balance import Ended, balance
from .outcome import Outcome
from .play import Actor

__all__ = ["Reorganisation"]

BLOCKS = 3

CAST = Actor("solver", "weights")


@dataclass(frozen=True)
class Reorganisation:
    """A solver tampers, sees who was drawn, and has the chain go back by three blocks or more, once."""

    name: str = "reorganisation"
    sentence: str = "a solver tampers, and has three blocks undone once its verifiers are drawn"

    def prepare(self, arena: Arena) -> None:
        """Start the solver."""
        arena.summon(CAST.member(self.name, 0, arena))

    def run(self, arena: Arena) -> Outcome:
        """Let the task go until there is something to undo, undo it, and follow it to its end."""
        started, member = time.monotonic(), CAST.member(self.name, 0, arena)
        arena.enter(member)
        saved = arena.devnet.folder / "before.sqlite"
        try:
            before, block = arena.books(), arena.client.head().number
            task, package = arena.post(self.name, rate=RATE // 2)
            height = self._save(arena, task, saved)
            undone = self._undo(arena, task, height, saved)
            arena.see_through(task)
            arena.settle_books()
            ended = [Ended(arena.receipt(task), package)]
            outcome = balance(self.name, arena, before, arena.books(), block, ended, [member.name], started)
        finally:
            arena.remove(member)
        return msgspec.structs.replace(outcome, by=f"{outcome.by}; {undone} blocks undone")

    def _save(self, arena: Arena, task: str, saved: Path) -> int:
        """Keep the chain as it is when the solver has the task; the number of its last block."""
        self._wait(lambda: arena.submitter.session.market.state(task) >= TaskState.ASSIGNED)
        chain = arena.devnet.folder / CHAIN / "chain.sqlite"
        # Only a chain that is not running can be copied: it keeps its file to itself.
        arena.devnet.halt(CHAIN, lambda: _copy(chain, saved))
        return arena.client.head().number

    def _undo(self, arena: Arena, task: str, height: int, saved: Path) -> int:
        market = arena.submitter.session.market
        self._wait(lambda: arena.client.head().number >= height + BLOCKS and bool(market.record(task).result.verifiers))
        chain = arena.devnet.folder / CHAIN / "chain.sqlite"
        height_then = arena.client.head().number

        arena.devnet.halt(CHAIN, lambda: _copy(saved, chain))
        return height_then - height

    @staticmethod
    def _wait(ready: Callable[[], bool]) -> None:
        until = time.monotonic() + LONGEST
        while not ready():
            if time.monotonic() > until:
                raise UnavailableError("What was to be undone does not happen.")
            time.sleep(0.05)


def _copy(source: Path, target: Path) -> None:
    """Copy a chain's file, with what SQLite has not yet put into it, in the place of another one."""
    for ending in ("", "-wal", "-shm"):
        part, copy = source.with_name(source.name + ending), target.with_name(target.name + ending)
        copy.unlink(missing_ok=True)
        if part.exists():
            shutil.copyfile(part, copy)
