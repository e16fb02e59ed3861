"""The solver's side: it opens whatever part of its claims is asked for."""

from __future__ import annotations

from .board import Game, Level
from .folds import cuts
from .player import TREES, Move, Player

__all__ = ["Defender"]


class Defender(Player):
    """Answers from its testimony, true or not."""

    side = "solver"

    def move(self, game: Game) -> Move:
        """The answer to what the record asks for."""
        if game.level == Level.STEPS:
            return Move("divide", (self.testimony.state_roots(cuts(game)),))
        if game.level == Level.FOLD:
            return Move("divide", (self.fold(game).words(cuts(game)),))
        if game.height == 0 and game.level in (Level.TENSOR, Level.ROWS):
            return Move("show", (self.chunk(game),))
        assert game.level in TREES, "leaves and KiB of checkpoints are shown by whoever has them"
        return Move("expand", (list(self.children(game)),))
