"""A challenger that has nothing to complain about: it walks into the solver's true claims, to make it work and pay gas."""

from __future__ import annotations

from collections.abc import Sequence

from assay.dispute.challenger import Challenger, Revealed
from assay.dispute.moves import Choose, Move, Point, Show
from assay.dispute.record import Game, Level
from assay.errors import UsageError

__all__ = ["Griefer"]

_KERNEL = 5


class Griefer(Challenger):
    """Takes the last part at every level, among values the last kernel's, and the first element of the KiB that is shown."""

    def move(self, game: Game, history: Sequence[Revealed]) -> Move:
        """The next move. Raises UsageError where only a contradiction would help, and there is none."""
        answer = history[-1][1] if history else None
        if isinstance(answer, Show) and game.level is Level.TENSOR and game.height == 0:
            return Point(answer.chunk, 0, self.entries[game.value])
        if not any(game.revealed) or answer is None or isinstance(answer, Show):
            raise UsageError("everything that was asked for was shown, and it holds", level=game.level)
        words = answer.words if hasattr(answer, "words") else answer.children
        if game.level in (Level.STEPS, Level.FOLD):
            return Choose(words, len(words) // max(1, game.width) if game.level is Level.FOLD else len(words))
        return self._child(game, words)

    def _child(self, game: Game, words: tuple[bytes, ...]) -> Move:
        levels = (len(words) - 1).bit_length()
        below, first = game.height - levels, game.index << levels
        last = ((game.count - 1) >> below) - first
        part = min(last, len(words) - 1)
        if game.level is not Level.VALUES or below > 0:
            return Choose(words, part)
        value = first + part
        return Choose(words, part, *(self.entry(value) if self.entries[value][0] == _KERNEL else (b"", ())))
