"""Where two lists first differ, found by comparing a few prefix roots per round: the first level of a dispute.

    prefix root 0 = 32 zero bytes;  prefix root n = sha256(01 || prefix root n - 1 || item n - 1)

Two parties agree on prefix `low` and disagree on prefix `high`. Each round both show their roots at a few cuts in
between; the first cut at which they differ becomes `high`, the one before it `low`. When the two are neighbours, item
`low` is the first difference, and both parties are bound to it by the roots that they have shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from assay.errors import UsageError
from assay.proof.merkle import ZERO, node

__all__ = ["RULES", "WAYS", "Span", "cuts", "first_difference", "narrow", "prefix_roots", "start"]

WAYS = 32
"""Parts into which one round splits a span."""


class Span(NamedTuple):
    """The parties agree on the first `low` items (root `agreed`) and differ within the first `high`."""

    low: int
    high: int
    agreed: bytes
    ours: bytes
    theirs: bytes

    @property
    def settled(self) -> bool:
        """Whether one item is left: item `low`."""
        return self.high == self.low + 1


def prefix_roots(items: Sequence[bytes]) -> list[bytes]:
    """The len(items) + 1 prefix roots of `items` (32-byte hashes)."""
    roots = [ZERO]
    for item in items:
        roots.append(node(roots[-1], item))
    return roots


def start(length: int, ours: bytes, theirs: bytes) -> Span | None:
    """The whole list as a span, or None if the two roots of its `length` items agree."""
    return None if ours == theirs else Span(0, length, ZERO, ours, theirs)


def cuts(span: Span, ways: int = WAYS) -> tuple[int, ...]:
    """The prefix lengths to show in this round: up to ways - 1 distinct ones strictly inside the span, increasing."""
    if ways < 2:
        raise UsageError("a round splits a span into at least two parts", ways=ways)
    width = span.high - span.low
    return tuple(sorted({span.low + width * i // ways for i in range(1, ways)} - {span.low}))


def narrow(span: Span, at: Sequence[int], ours: Sequence[bytes], theirs: Sequence[bytes]) -> Span:
    """The next span, given both parties' roots at the cuts `at` (of `cuts`)."""
    low, agreed = span.low, span.agreed
    for position, mine, other in zip(at, ours, theirs, strict=True):
        if mine != other:
            return Span(low, position, agreed, mine, other)
        low, agreed = position, mine
    return Span(low, span.high, agreed, span.ours, span.theirs)


def first_difference(a: Sequence[bytes], b: Sequence[bytes], ways: int = WAYS) -> int | None:
    """The first index at which `a` and `b` differ, or None. Where one continues the other: the shorter length."""
    common = min(len(a), len(b))
    ours, theirs = prefix_roots(a[:common]), prefix_roots(b[:common])
    span = start(common, ours[-1], theirs[-1])
    if span is None:
        return None if len(a) == len(b) else common
    while not span.settled:
        at = cuts(span, ways)
        span = narrow(span, at, [ours[n] for n in at], [theirs[n] for n in at])
    return span.low


Rule = Callable[[Span, Span], bool]


def disputed(before: Span, after: Span) -> bool:
    """The end of a span is always in dispute: there is something left to find."""
    return after.ours != after.theirs


def inside(before: Span, after: Span) -> bool:
    """A round looks only where the last one has found the difference."""
    return before.low <= after.low < after.high <= before.high


def shorter(before: Span, after: Span) -> bool:
    """Every round makes progress, so the game ends."""
    return before.settled or after.high - after.low < before.high - before.low


RULES: tuple[Rule, ...] = (disputed, inside, shorter)
"""What holds for each round (span before, span after), whatever the two parties show."""
