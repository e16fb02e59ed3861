"""Whole games on the contracts and by the pure rules at once: whoever is wrong loses, and both agree on everything."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import boa
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from game_world import BURN, CHALLENGER, SOLVER, STRANGER, Play, Table
from quarrel import Claims, Lie, claims, toy
from quarrel_players import Challenger, Solver

from assay.dispute.game import Outcome
from assay.dispute.moves import Expire, Moot
from assay.dispute.record import Game, Kind, Turn
from assay.errors import RefusedError


@pytest.fixture(scope="module")
def _table() -> Table:
    return Table()


@pytest.fixture
def table(_table: Table) -> Iterator[Table]:
    with boa.env.anchor():
        yield _table


def lied_interval(theirs: Claims, own: Claims) -> int:
    """The first interval whose end differs."""
    pairs = zip(own.openings[1:], theirs.openings[1:], strict=True)
    return next(k for k, (a, b) in enumerate(pairs) if a.leaf != b.leaf)


def finish(play: Play, own: Claims) -> Outcome:
    """Both answer at once until it is over."""
    solver, challenger = Solver(play.claims), Challenger(own)
    while isinstance(game := play.game, Game):
        if game.turn is Turn.SOLVER:
            move = solver.move(game)
            challenger.watch(game, move)
            play.make(move, SOLVER)
        else:
            play.make(challenger.move(game), CHALLENGER)
        play.table.wait(3)
    assert isinstance(game, Outcome)
    return game


LIES = [
    (Lie("value", 4, 0, 5), Kind.INTERVAL, "state"),
    (Lie("value", 4, 2, 1150), Kind.INTERVAL, "batch"),
    (Lie("value", 4, 3, 70), Kind.INTERVAL, "batch"),
    (Lie("value", 1, 5, 1), Kind.INTERVAL, "input"),
    (Lie("value", 1, 6, 1), Kind.INTERVAL, "input"),
    (Lie("value", 1, 7, 1), Kind.INTERVAL, "input"),
    (Lie("value", 4, 8, 5, 77), Kind.INTERVAL, "prove"),
    (Lie("value", 4, 8, 5, 299), Kind.INTERVAL, "prove"),
    (Lie("value", 4, 13, 1150), Kind.INTERVAL, "prove"),
    (Lie("value", 4, 21, 3), Kind.INTERVAL, "prove"),
    (Lie("value", 4, 22, 9), Kind.INTERVAL, "prove"),
    (Lie("value", 4, 23, 40, 60), Kind.INTERVAL, "prove"),
    (Lie("value", 6, 19, 1150), Kind.INTERVAL, "prove"),
    (Lie("value", 4, 11, 1, 60), Kind.TRACE, "prove"),
    (Lie("value", 4, 24, 1, 15), Kind.TRACE, "prove"),
    (Lie("state", 2, 0, 9), Kind.INTERVAL, "output"),
    (Lie("state", 6, 1, 9), Kind.INTERVAL, "output"),
    (Lie("print", 4), Kind.TRACE, "metrics"),
    (Lie("print", 6), Kind.TRACE, "metrics"),
    (Lie("rows", 4, place=1119), Kind.BATCHES, "rows"),
    (Lie("rows", 6, place=7), Kind.BATCHES, "rows"),
]


@pytest.mark.parametrize(("lie", "kind", "reason"), LIES, ids=[f"{x.kind}-{x.step}-{x.number}-{r}" for x, _, r in LIES])
def test_every_lie_is_ruled_upon(table: Table, lie: Lie, kind: Kind, reason: str) -> None:
    theirs, own = claims(lie), claims()
    before = table.balance(CHALLENGER)
    play = Play(table, toy(), theirs)
    play.open(kind, lied_interval(theirs, own))
    outcome = finish(play, own)
    assert outcome.upheld
    assert outcome.reason == reason
    assert table.view("owed", CHALLENGER) == outcome.paid == before - table.balance(CHALLENGER)
    assert table.market.upheld() == 1
    assert table.market.open_games() == 0
