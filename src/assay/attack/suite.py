"""The suite: every attack by name, and how they are run one after the other on one network."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Protocol

from assay.errors import UsageError
from assay.roles.cheats import CHEATS

from .arena import Arena
from .outcome import Outcome, Summary
from .play import Actor, Play

__all__ = ["ATTACKS", "Attack", "chosen", "run", "summary"]


class Attack(Protocol):
    """Something that somebody might try. `sentence` says who does what."""

    @property
    def name(self) -> str: ...
    @property
    def sentence(self) -> str: ...
    def prepare(self, arena: Arena) -> None:
        """Start what takes long to start, and disturbs no other attack."""

    def run(self, arena: Arena) -> Outcome:
        """Carry it out."""


def _alone(name: str, verifiers: int = 2) -> Play:
    """One cheat by one participant."""
    cheat = CHEATS[name]
    return Play(name, f"a {cheat.role} {cheat.sentence}", [[Actor(cheat.role, name)]], verifiers)


BY_SOLVERS = tuple(_alone(cheat.name) for cheat in CHEATS.values() if cheat.role == "solver")

BY_VERIFIERS = (
    _alone("echo", 3),
    _alone("copy", 3),
    _alone("mute", 3),
    Play(
        "collude",
        "a solver tampers, and a verifier attests what it is told",
        [[Actor("solver", "weights"), Actor("verifier", "collude", accomplice="solver")]],
        verifiers=3,
    ),
)

WEIGHTS = "weights"
MOVES = 5
"""Answers after which a silent solver has certainly lost: it would have been caught lying by the next one."""

IN_DISPUTES = (
    Play(
        "silence",
        "solvers tamper, and fall silent after 0, 1, 2, ... answers",
        [[Actor("solver", WEIGHTS, {"manner": f"silent:{n}"})] for n in range(MOVES)],
    ),
    Play(
        "late",
        "a solver tampers, and makes every move in the last second",
        [[Actor("solver", WEIGHTS, {"manner": "late"})]],
    ),
    Play("concede", "a solver tampers, and calls it a fault", [[Actor("solver", WEIGHTS, {"manner": "concede"})]]),
    Play(
        "griefing", "a verifier challenges a right result down to the last level", [[Actor("verifier", "slander")]], 3
    ),
    Play(
        "false-alarm",
        "a verifier challenges a right result and leaves",
        [[Actor("verifier", "slander", {"manner": "silent:0"})]],
        3,
    ),
)

ATTACKS: dict[str, Attack] = {attack.name: attack for attack in (*BY_SOLVERS, *BY_VERIFIERS, *IN_DISPUTES)}
"""Every attack by name. Each has a file in tests/adversary, named after it."""


def chosen(names: Sequence[str]) -> list[Attack]:
    """The attacks of these names, or all. Raises UsageError."""
    unknown = sorted(set(names) - ATTACKS.keys())
    if unknown:
        hint = f"Known: {', '.join(sorted(ATTACKS))}."
        raise UsageError(f"There is no attack {unknown[0]!r}.", hint=hint)
    return [ATTACKS[name] for name in names] or list(ATTACKS.values())


def run(attacks: Sequence[Attack], folder: Path) -> Iterator[Outcome]:
    """Carry out attacks one after the other on a network in `folder`."""
    with Arena(folder) as arena:
        for attack, following in zip_longest(attacks, attacks[1:]):
            if following is not None:
                following.prepare(arena)  # while this one is under way
            yield attack.run(arena)


def summary(outcomes: Sequence[Outcome], started: float) -> Summary:
    """How many were repelled; `started` is a monotonic time."""
    failed = tuple(outcome.name for outcome in outcomes if not outcome.repelled)
    seconds = round(time.monotonic() - started, 1)
    return Summary(len(outcomes), len(outcomes) - len(failed), failed, seconds)
