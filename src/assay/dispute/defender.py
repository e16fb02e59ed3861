"""The solver's side: it opens whatever part of its claims is asked for."""

from __future__ import annotations

from . import span
from .moves import Divide, Expand, Show
from .player import Player
from .record import Game, Level

__all__ = ["Defender"]


class Defender(Player):
    """Answers from its testimony, true or not. Leaves and KiB of checkpoints are shown by whoever has them."""

    def move(self, game: Game) -> Divide | Expand | Show:
        """The answer to what the record asks for."""
        if game.level is Level.STEPS:
            return Divide(tuple(self.testimony.state_roots(span.of(game))))
        if game.level is Level.FOLD:
            return Divide(tuple(self.fold(game).words(span.of(game))))
        if game.height == 0 and game.level in (Level.TENSOR, Level.ROWS):
            return Show(self.chunk(game))
        return Expand(self.children(game))
