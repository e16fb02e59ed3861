"""Attacks by dishonest members: who takes part, what they are set to, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.market import Package
from assay.roles.devnet import Member
from assay.words import Audit

from .arena import POLL, RATE, Arena
from .balance import Ended, balance
from .outcome import Outcome

__all__ = ["Actor", "Play"]


@dataclass(frozen=True)
class Actor:
    """One attacker: its role, its cheat, and other options of its process. `accomplice` names the role of another one."""

    kind: str
    cheat: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    accomplice: str = ""

    def member(self, label: str, place: int, arena: Arena) -> Member:
        """The process that plays it against the task of that name; `place` is where it stands in the cast."""
        options = {"poll": POLL, "only": label} | ({"cheat": self.cheat} if self.cheat else {})
        if self.kind == "solver":
            options["rate"] = "1"  # takes what no honest solver would
        if self.accomplice:
            options["accomplice"] = str(arena.devnet.folder / f"{label}-0-{self.accomplice}")
        return Member(f"{label}-{place}-{self.kind}", self.kind, options | dict(self.options))


@dataclass(frozen=True)
class Play:
    """An attack by several casts at once, each on a task of its own.

    `changes` are those to the toy's plan, `verifiers` how many are drawn for a task. `own_submitter` says that who posts the task
    is one of the attackers.
    """

    name: str
    sentence: str
    casts: Sequence[Sequence[Actor]]
    verifiers: int = 2
    changes: Mapping[str, Any] = field(default_factory=dict)
    own_submitter: bool = False

    @property
    def labels(self) -> list[str]:
        """The names of the tasks."""
        return [self.name if len(self.casts) == 1 else f"{self.name}-{n}" for n in range(len(self.casts))]

    def members(self, arena: Arena) -> list[Member]:
        """All attackers."""
        pairs = zip(self.labels, self.casts, strict=True)
        return [actor.member(label, place, arena) for label, cast in pairs for place, actor in enumerate(cast)]

    def prepare(self, arena: Arena) -> None:
        """Start those attackers whose presence disturbs nobody: a verifier would be drawn for others' tasks."""
        members = self.members(arena)
        if all(member.kind != "verifier" for member in members):
            arena.summon(*members)

    def run(self, arena: Arena) -> Outcome:
        """Carry it out, and balance everybody's books."""
        started, members = time.monotonic(), self.members(arena)
        arena.enter(*members)
        try:
            before, block = arena.books(), arena.client.head().number
            posted = [self._post(arena, label, cast) for label, cast in zip(self.labels, self.casts, strict=True)]
            tasks = [task for task, _ in posted]
            arena.see_through(*tasks)
            arena.settle_books()
            after = arena.books()
            ended = [Ended(arena.receipt(task), package) for task, package in posted]
            names = [member.name for member in members] + ["submitter"] * self.own_submitter
            return balance(self.name, arena, before, after, block, ended, names, started)
        finally:
            arena.remove(*members)

    def _post(self, arena: Arena, label: str, cast: Sequence[Actor]) -> tuple[str, Package]:
        cheated = any(actor.kind == "solver" for actor in cast)
        plan: dict[str, Any] = {"audit": Audit(self.verifiers, 2)} | dict(self.changes)
        return arena.post(label, rate=RATE // 2 if cheated else RATE, **plan)
