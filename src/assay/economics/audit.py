"""The chance that a wrong interval is replayed by somebody honest. Exact: Fractions, no floats."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import comb

from .setting import Setting

__all__ = ["brackets", "detection", "escape"]


def escape(setting: Setting, wrong: int) -> Fraction:
    """At most this is the chance that no honest verifier replays any of `wrong` wrong intervals (1 .. intervals).

    Seats are honest independently of each other with chance `honest`. All verifiers read one random permutation of the
    intervals (docs/proof.md), so H honest ones replay H·a different intervals while V·a <= n. Beyond that an interval is
    drawn at most R = ceil(V·a / n) times, and they replay at least ceil(H·a / R), and a, different ones. However many are
    wrong, a given one escapes at most with the chance that none of those that drew it is honest.
    """
    n, a, seats = setting.intervals, setting.audit_intervals, setting.verifiers
    if not 1 <= wrong <= n:
        raise ValueError(f"wrong intervals: {wrong} of {n}")
    repeats = -(-seats * a // n)
    honest = Fraction(setting.honest, 10**6)
    total = Fraction(0)
    for present in range(seats + 1):
        replayed = min(n, max(a if present else 0, -(-present * a // repeats)))
        chance = comb(seats, present) * honest**present * (1 - honest) ** (seats - present)
        total += chance * _missed(n, replayed, wrong)
    whole, rest = divmod(seats * a, n)
    single = (1 - honest) ** whole * (1 - Fraction(rest, n) * honest)
    return min(total, single)


def _missed(n: int, replayed: int, wrong: int) -> Fraction:
    """The chance that `replayed` of n intervals, drawn without repetition, hold none of the `wrong` ones."""
    few, many = sorted((replayed, wrong))
    above = below = 1
    for i in range(few):
        above *= n - many - i
        below *= n - i
    return Fraction(max(0, above), below) if few + many <= n else Fraction(0)


def detection(setting: Setting, wrong: int) -> Fraction:
    """At least this is the chance that `wrong` wrong intervals are found."""
    return 1 - escape(setting, wrong)


def brackets(intervals: int) -> Iterator[tuple[int, int]]:
    """Ranges [low, high] that hold every number of wrong intervals: single ones up to 64, then doubling.

    What is worst over a range is bounded by the savings at its upper end and the detection at its lower one.
    """
    low = 1
    while low <= intervals:
        high = low if low < 64 else min(intervals, 2 * low - 1)
        yield low, high
        low = high + 1
