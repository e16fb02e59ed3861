"""What a whistleblower replays: tasks by its own secret lot, their intervals in secret order, within a budget for each hour."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from assay.observe import read_json, write_json
from assay.words import Record

__all__ = ["Budget", "Patrol", "draw_lot", "shuffled"]

HOUR = 3600


class Patrol(Record, frozen=True):
    """A whistleblower's plan for one task, and how far it has come. Nobody can foresee it: no seed of the chain goes into it.

    `drawn` are intervals that verifiers replay as well, `others` those that nobody does, both in the order in which they
    will be looked at. `hurdle` is why the last attempt came to nothing.
    """

    picked: bool
    drawn: tuple[int, ...] = ()
    others: tuple[int, ...] = ()
    done: int = 0
    hurdle: str = ""
    ended: bool = False

    @classmethod
    def read(cls, path: Path) -> Patrol | None:
        """The plan in this file, if there is one."""
        found = read_json(path)
        return None if found is None else msgspec.convert(found, cls)

    def write(self, path: Path) -> Patrol:
        """Keep it; returns itself."""
        write_json(path, msgspec.to_builtins(self))
        return self

    def but(self, **changes: object) -> Patrol:
        """The same with some fields changed."""
        return msgspec.structs.replace(self, **changes)

    def after(self, interval: int) -> Patrol:
        """The plan once `interval` was replayed and found to be right."""
        drawn, others = (tuple(k for k in rest if k != interval) for rest in (self.drawn, self.others))
        return self.but(drawn=drawn, others=others, done=self.done + 1, hurdle="")


def draw_lot(share: int, drawn: Iterable[int], intervals: int) -> Patrol:
    """The plan for a task of which `drawn` are the verifiers' intervals: it is picked with a chance of `share` percent."""
    if secrets.randbelow(100) >= share:
        return Patrol(picked=False)
    wanted = set(drawn)
    return Patrol(True, shuffled(sorted(wanted)), shuffled([k for k in range(intervals) if k not in wanted]))


def shuffled(items: Sequence[int]) -> tuple[int, ...]:
    """The same in an order that only this process knows."""
    return tuple(secrets.SystemRandom().sample(items, len(items)))


class Budget:
    """How many intervals may still be replayed in this hour. Kept on disk: a restart does not bring it back."""

    def __init__(self, path: Path, per_hour: int, clock: Callable[[], float] = time.time) -> None:
        self._path, self._per_hour, self._clock = path, per_hour, clock

    def _used(self) -> int:
        noted = read_json(self._path, {"hour": 0, "used": 0})
        return int(noted["used"]) if noted["hour"] == int(self._clock() // HOUR) else 0

    @property
    def left(self) -> int:
        """Replays that are left in this hour."""
        return max(0, self._per_hour - self._used())

    @property
    def spare(self) -> bool:
        """Whether less was used than is due by now: then there is something left for what no verifier looks at."""
        return self._used() * HOUR < self._per_hour * (self._clock() % HOUR)

    def spend(self) -> None:
        """One interval was replayed."""
        write_json(self._path, {"hour": int(self._clock() // HOUR), "used": self._used() + 1})
