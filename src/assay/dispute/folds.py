"""The accumulators of one element, at any number of terms: what the last levels of a dispute are about."""

from __future__ import annotations

from collections.abc import Sequence

from assay.program.code import Coded

from .arbiter import kernel as arbiter
from .board import Game, Level
from .values import Values

__all__ = ["Fold", "cuts"]

LANES = 16


def cuts(game: Game) -> tuple[int, ...]:
    """Where `divide` cuts the span on trial: steps, or terms of a fold (docs/dispute.md, section 3)."""
    unit = LANES if game.level == Level.FOLD and game.width > 1 else 1
    first = game.lo // unit
    wide = -(-game.hi // unit) - first
    ways = min(game.ways, wide)
    return tuple(unit * (first + wide * i // ways) for i in range(1, ways))


class Fold:
    """Element `element` of the value that `code` makes, computed by the arbiter from `values`."""

    def __init__(self, values: Values, code: Coded, element: int) -> None:
        self._values, self._code, self._element = values, code, element
        self._known = {0: arbiter.start(code, element, values.bits)}

    def at(self, terms: int) -> tuple[int, ...]:
        """The accumulator after `terms` terms: one word, or 16 in lanes."""
        if terms not in self._known:
            nearest = max(known for known in self._known if known < terms)
            acc = self._known[nearest]
            self._known[terms] = tuple(
                arbiter.execute(self._code, self._element, nearest, terms, acc, self._values.bits)
            )
        return tuple(self._known[terms])

    def words(self, terms: Sequence[int]) -> list[bytes]:
        """The accumulators at increasing numbers of terms, as the words that `divide` reveals."""
        return [word for count in terms for word in pack(self.at(count), self._code)]
