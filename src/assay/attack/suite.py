"""The suite: every attack by name, and how they are run one after the other on one network."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Protocol

from assay.errors import UsageError

from .arena import Arena
from .hostile_token import HostileToken
from .outcome import Outcome, Summary
from .plays import PLAYS
from .reorganisation import Reorganisation
from .stranger import HostileBlob, ReplayedSignature

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


ATTACKS: dict[str, Attack] = {
    attack.name: attack for attack in (*PLAYS, ReplayedSignature(), HostileBlob(), HostileToken(), Reorganisation())
}
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
