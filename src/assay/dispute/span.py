"""Spans of steps or terms and their cuts; trees and what is revealed of them. Pure, as the contract has it."""

from __future__ import annotations

from eth_utils.crypto import keccak

from assay.proof import merkle

from .record import LANES, Game, Level

__all__ = ["claimed", "cuts", "is_piece", "join", "of", "padding", "part"]


def cuts(lo: int, hi: int, ways: int, unit: int = 1) -> tuple[int, ...]:
    """Where [lo, hi] is cut: at most ways - 1 places strictly inside, multiples of `unit` (lo is one already)."""
    first, wide = lo // unit, -(-hi // unit) - lo // unit
    parts = min(ways, wide)
    return tuple(unit * (first + wide * i // parts) for i in range(1, parts))


def of(game: Game) -> tuple[int, ...]:
    """The cuts of the span on trial: steps, or terms; in a fold in lanes whole rows of sixteen."""
    return cuts(game.lo, game.hi, game.ways, LANES if game.level is not Level.STEPS and game.width > 1 else 1)


def is_piece(game: Game) -> bool:
    """Whether the referee can execute what is left of a fold."""
    return game.hi - game.lo <= game.piece


def claimed(game: Game, words: tuple[bytes, ...], cut: int) -> bytes:
    """What the solver claims at a cut: a state root as it is, an accumulator as the keccak256 of its words."""
    if game.level is Level.STEPS:
        return words[cut]
    return keccak(b"".join(words[game.width * cut : game.width * (cut + 1)]))


def part(game: Game, words: tuple[bytes, ...], chosen: int) -> tuple[int, int, bytes, bytes]:
    """lo, hi, low, high of part `chosen` of the span on trial."""
    at = of(game)
    lo, low = (at[chosen - 1], claimed(game, words, chosen - 1)) if chosen else (game.lo, game.low)
    hi, high = (at[chosen], claimed(game, words, chosen)) if chosen < len(at) else (game.hi, game.high)
    return lo, hi, low, high


def join(children: tuple[bytes, ...]) -> bytes:
    """The node over a power of two of nodes."""
    while len(children) > 1:
        children = tuple(merkle.node(*pair) for pair in zip(children[::2], children[1::2], strict=True))
    return children[0]


def padding(height: int) -> bytes:
    """The node over 2**height padding leaves."""
    node = merkle.ZERO
    for _ in range(height):
        node = merkle.node(node, node)
    return node
