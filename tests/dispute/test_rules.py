"""Generated games by the pure rules: liars, honest ones, fools and sleepers; every rule is checked after each of them."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from eth_utils.address import to_checksum_address
from quarrel import SOLVER, Lie, claims, toy
from quarrel_match import LIES, SIZES, accused, cast, sit
from quarrel_players import Solver

from assay.dispute.game import Outcome, apply, open_data, open_interval, open_leaf
from assay.dispute.record import Game, Kind, Level
from assay.dispute.rules import RULES, Transcript
from assay.errors import RefusedError

CHALLENGER = to_checksum_address("0x" + "c4" * 20)


def played(lie: Lie | None, ways: int, seed: int, who: str, kind: Kind, k: int) -> Transcript:
    """A game with one of these casts: both honest as far as the lie allows, a wild solver, a fool, sleepers."""
    rng, case = Random(seed), toy(ways).case(claims(lie, ways))
    kind, k, wrong = accused(lie, kind, k, ways)
    solver, challenger, sleepy, honest = cast(who, lie, ways, rng)
    pair = solver.claims.openings[k], solver.claims.openings[k + 1]
    game = open_interval(case, kind, k, CHALLENGER, 1000, toy(ways).coded, *pair)
    assert isinstance(game, Game)
    make = lambda record, move, at, by: apply(record, move, at, by, case)  # noqa: E731
    steps = sit(game, solver, challenger, rng, sleepy, CHALLENGER, make)
    return Transcript(SIZES, 1000, game, case.work.clock, tuple(steps), honest, wrong)


CASTS = st.sampled_from(["honest", "wild", "fool", "sleepers"])
KINDS = st.sampled_from([Kind.INTERVAL, Kind.INTERVAL, Kind.TRACE, Kind.BATCHES])


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from([None, None, None, *LIES]), st.sampled_from([2, 4, 64]), st.integers(0, 2**32), CASTS, KINDS,
       st.integers(0, 2))  # fmt: skip
def test_every_rule_holds_after_every_game(lie: Lie | None, ways: int, seed: int, who: str, kind: Kind, k: int) -> None:
    transcript = played(lie, ways, seed, who, kind, k)
    event(f"{who} {'wrong' if transcript.wrong else 'right'} {transcript.outcome.reason}")
    for rule in RULES:
        assert rule(transcript), (rule.__name__, lie, ways, seed, who, transcript.outcome)


@pytest.mark.parametrize("ways", [2, 8])
def test_an_honest_challenger_finds_every_lie(ways: int) -> None:
    """And the games do end in all the ways that there are."""
    reasons: Counter[str] = Counter()
    for lie in LIES:
        transcript = played(lie, ways, 5, "honest", Kind.INTERVAL, 0)
        if transcript.wrong:
            assert transcript.outcome.upheld, lie
            reasons[transcript.outcome.reason] += 1
    assert set(reasons) == {"prove", "state", "batch", "input", "output", "rows", "metrics", "silence"}


def test_a_fool_never_beats_the_honest_solver() -> None:
    """However deep it gets: into every tree, to shown bytes, folds and pieces."""
    deepest: Counter[Level] = Counter()
    for seed in range(150):
        kind = [Kind.INTERVAL, Kind.INTERVAL, Kind.TRACE, Kind.BATCHES][seed % 4]
        transcript = played(None, 4, seed, "fool", kind, seed % 3)
        assert not transcript.outcome.upheld
        deepest[transcript.steps[-1].before.level] += 1
    assert set(deepest) >= {Level.VALUES, Level.STATE, Level.TENSOR, Level.PROOF, Level.ROWS}, deepest


def test_what_is_demanded_is_shown_and_the_bond_is_lost() -> None:
    own = claims()
    case = toy().case(own)
    for k in range(3):
        game = open_leaf(case, k, CHALLENGER, 50)
        outcome = apply(game, Solver(own).move(game), 60, SOLVER, case)
        assert outcome == Outcome(False, "leaf", 1001, 751, 0, 250, SOLVER)
    for k, number, chunk in ((0, 0, 0), (1, 0, 1), (3, 1, 0)):
        leaf, entry = own.openings[k], toy().entry(number)
        opened = open_data(case, min(k, 2), k, CHALLENGER, 50, toy().coded, leaf, number, *entry, chunk)
        assert isinstance(opened, Game)
        shown = Solver(own).move(opened)
        assert apply(opened, shown, 60, CHALLENGER, case) == Outcome(False, "data", 1001, 751, 0, 250, CHALLENGER)
        with pytest.raises(RefusedError, match="evidence"):
            apply(opened, replace(shown, chunk=shown.chunk[:-1]), 60, SOLVER, case)
