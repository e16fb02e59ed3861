"""What both players of a dispute know: the program by number, its entries, and how a record names what is on trial."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256

from assay.program.code import Coded, coded, layout
from assay.proof import merkle
from assay.proof.code import entries

from .folds import Fold
from .record import Game, Level
from .testimony import Testimony, state_tree

__all__ = ["Player", "first_difference"]


class Player:
    """One side of a dispute about the interval that `testimony` is about."""

    def __init__(self, testimony: Testimony) -> None:
        self.testimony = testimony
        self.program = testimony.runner.executable.program
        self.layout = layout(self.program)
        self._folds: dict[tuple[int, int, int], Fold] = {}

    @cached_property
    def entries(self) -> list[bytes]:
        """The entries under the code root."""
        return entries(self.program)

    @cached_property
    def entry_tree(self) -> merkle.Tree:
        """The tree over them."""
        return merkle.Tree([sha256(b"\x0b" + entry).digest() for entry in self.entries])

    def entry(self, place: int) -> tuple[bytes, tuple[bytes, ...]]:
        """An entry, and its proof."""
        return self.entries[place], self.entry_tree.prove(place)

    def coded(self, value: int) -> Coded:
        """The kernel that makes a value."""
        return coded(self.program.kernels[value - self.layout.first_kernel], self.layout)

    def fold(self, game: Game) -> Fold:
        """The fold of the element on trial."""
        key = game.step, game.value, game.element
        if key not in self._folds:
            self._folds[key] = Fold(self.testimony.values(game.step), self.coded(game.value), game.element)
        return self._folds[key]

    def tree(self, game: Game) -> merkle.Tree:
        """The tree on trial, as this side has it."""
        match game.level:
            case Level.VALUES:
                return self.testimony.values(game.step).tree
            case Level.STATE:
                return state_tree(self.testimony.state_at(game.step + 1))
            case Level.TENSOR:
                return self.testimony.values(game.step).chunks(game.value)
            case Level.DRAWS:
                return merkle.Tree(self.testimony.draws())
            case Level.ROWS:
                return merkle.Tree(merkle.chunk_leaves(self.testimony.row_numbers(game.step)))
            case _:
                return merkle.Tree(self.testimony.fingerprints())

    def children(self, game: Game) -> tuple[bytes, ...]:
        """The hashes that `expand` reveals, as this side has them."""
        levels = min(game.ways.bit_length() - 1, game.height)
        return self.tree(game).below(game.height, game.index, levels)

    def chunk(self, game: Game) -> bytes:
        """The KiB on trial, as this side has it."""
        if game.level == Level.ROWS:
            start = game.index * merkle.CHUNK
            return self.testimony.row_numbers(game.step)[start : start + merkle.CHUNK]
        return self.testimony.values(game.step).chunk(game.value, game.index)


def first_difference(ours: Sequence[bytes], theirs: Sequence[bytes]) -> int:
    """The first place at which two lists differ; their length if they do not."""
    pairs = enumerate(zip(ours, theirs, strict=True))
    return next((place for place, (mine, other) in pairs if mine != other), len(ours))
