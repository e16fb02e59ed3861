"""Whether one more whistleblower pays, on a market as it was seen of late."""

from __future__ import annotations

from fractions import Fraction

import msgspec

from .bonds import challenger_cost
from .jackpot import equilibrium
from .setting import LOCAL, MILLION, Setting

__all__ = ["DOUBT", "PRIOR_TASKS", "Seen", "room", "suspicion"]

DOUBT = 250_000
"""Chance that a result is wrong where nobody has looked yet, in parts per million: an unwatched market invites cheats."""

PRIOR_TASKS = 20
"""How many tasks have to be seen until they count as much as that guess."""


class Seen(msgspec.Struct, frozen=True):
    """The tasks of late: how many were committed, how many of these were ruled wrong, and what a task is like on average.

    Amounts are in the currency's smallest unit. `reward` is what whoever shows a wrong interval gets.
    """

    committed: int
    wrong: int
    price: int
    steps: int
    intervals: int
    verifiers: int
    audit_intervals: int
    reward: int


def suspicion(seen: Seen, doubt: int = DOUBT) -> int:
    """The chance that a result is wrong, in parts per million: what was seen, and the first guess as if it were
    PRIOR_TASKS further tasks (the mean of a beta distribution)."""
    return (seen.wrong * MILLION + PRIOR_TASKS * doubt) // (seen.committed + PRIOR_TASKS)


def room(seen: Seen, patrol: int, doubt: int = DOUBT, most: int = 1000) -> int:
    """How many whistleblowers the market feeds when each replays a share `patrol` (parts per million) of what is drawn.

    This is `equilibrium` with a wrong result in the place of a forced error. Of k who find one, a single one has the reward:
    reward / k each, on average. As a pot of two rewards would give each (2 · reward) >> k, which is never more, nobody stays
    who does not earn. A wrong interval lies anywhere, so of the chance only that part counts which falls on drawn ones.
    """
    if seen.reward <= 0:
        return 0
    slots = seen.verifiers * seen.audit_intervals
    drawn = Fraction(min(slots, seen.intervals), seen.intervals)
    chance = max(1, int(suspicion(seen, doubt) * drawn))
    setting: Setting = msgspec.structs.replace(
        LOCAL,
        price=seen.price,
        gain=seen.price,
        steps=seen.steps,
        intervals=seen.intervals,
        verifiers=seen.verifiers,
        audit_intervals=seen.audit_intervals,
        forced=chance,
    )
    pot = 2 * max(0, seen.reward - challenger_cost(setting))
    return equilibrium(setting, pot * chance // MILLION, patrol, most)
