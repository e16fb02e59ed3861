"""Whole games on the contracts and by the pure rules at once: whoever is wrong loses, and both agree on everything."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import boa
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from game_world import BURN, CHALLENGER, SOLVER, STRANGER, Play, Table
from quarrel import Lie, claims, toy
from quarrel_match import LIES, accused, cast, sit

from assay.dispute.game import Outcome
from assay.dispute.record import Game, Kind


@pytest.fixture(scope="module")
def shared() -> Table:
    return Table()


@pytest.fixture
def table(shared: Table) -> Iterator[Table]:
    with boa.env.anchor():
        yield shared


def sat(play: Play, lie: Lie | None, who: str = "honest", seed: int = 0) -> Outcome:
    """Play to the end, every move on the contract and by the rules."""
    rng = Random(seed)
    solver, challenger, sleepy, _ = cast(who, lie, 4, rng)
    assert isinstance(play.game, Game)
    last = sit(play.game, solver, challenger, rng, sleepy, CHALLENGER, play.make_at)[-1].after
    assert isinstance(last, Outcome)
    return last


def books(table: Table) -> None:
    """The contract holds what it owes, and what was put down in games that are not over."""
    owed = sum(table.view("owed", who) for who in (CHALLENGER, SOLVER, STRANGER, BURN))
    assert table.balance(table.address["game"]) == owed
    assert sum(map(table.balance, table.places)) == table.supply


RULED = [
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
    (Lie("value", 4, 23, 40, 0), Kind.INTERVAL, "prove"),
    (Lie("value", 4, 13, 1150, 0), Kind.INTERVAL, "prove"),
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


@pytest.mark.parametrize(
    ("lie", "kind", "reason"), RULED, ids=[f"{x.kind}-{x.step}-{x.number}-{r}" for x, _, r in RULED]
)
def test_every_lie_is_ruled_upon(table: Table, lie: Lie, kind: Kind, reason: str) -> None:
    theirs = claims(lie)
    before = table.balance(CHALLENGER)
    play = Play(table, toy(), theirs)
    found, k, wrong = accused(lie, kind, 0, 4)
    assert (found, wrong) == (kind, True)
    play.open(kind, k)
    outcome = sat(play, lie)
    books(table)
    assert outcome.upheld
    assert outcome.reason == reason
    assert table.view("owed", CHALLENGER) == outcome.paid == before - table.balance(CHALLENGER)
    assert table.view("state", play.case.task, of="market") == 6


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([None, None, *LIES]),
    st.integers(0, 2**32),
    st.sampled_from(["honest", "wild", "fool", "sleepers"]),
    st.sampled_from([Kind.INTERVAL, Kind.INTERVAL, Kind.TRACE, Kind.BATCHES]),
    st.integers(0, 2),
)
def test_contract_and_rules_agree_whoever_plays(
    shared: Table, lie: Lie | None, seed: int, who: str, kind: Kind, k: int
) -> None:
    """The rules are tested by themselves; this says that the contract has the same ones, refusals included."""
    kind, k, _ = accused(lie, kind, k, 4)
    with boa.env.anchor():
        play = Play(shared, toy(), claims(lie))
        play.open(kind, k)
        outcome = sat(play, lie, who, seed)
        event(f"{who} {outcome.reason} {outcome.upheld}")
        books(shared)
