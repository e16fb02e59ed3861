"""Small sizes: nothing to point at, nothing to cut, one of everything."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.dispute import span
from assay.dispute.case import Case, Work
from assay.dispute.evidence import pack, unpack
from assay.dispute.game import apply
from assay.dispute.moves import Choose, Divide, Expand, Point, Show
from assay.dispute.record import Game, Level, Turn, chunks
from assay.errors import RefusedError
from assay.proof import merkle

SOLVER, CHALLENGER = "0x" + "11" * 20, "0x" + "22" * 20
CASE = Case(
    *(merkle.ZERO,) * 2, SOLVER, Work(*(merkle.ZERO,) * 4, 1, 1, 0, 4, 9, 9, 1), merkle.ZERO, 1, 1, *(merkle.ZERO,) * 2
)
GAME = Game(solver=SOLVER, challenger=CHALLENGER, ways=4, extension=9, deadline=10, turn=Turn.SOLVER, width=1, item=4)


def test_a_value_without_elements_is_shown_but_has_nothing_to_point_at() -> None:
    game = replace(GAME, level=Level.TENSOR, size=0, count=chunks(0), node=merkle.leaf(b""))
    assert game.count == 1
    shown = apply(game, Show(b""), 5, SOLVER, CASE)
    assert isinstance(shown, Game)
    for at in (0, 1):
        with pytest.raises(RefusedError, match="evidence: element"):
            apply(shown, Point(b"", at, b""), 6, CHALLENGER, CASE)
    with pytest.raises(RefusedError, match="game: root"):
        apply(replace(game, node=merkle.leaf(b"x")), Show(b""), 5, SOLVER, CASE)


def test_one_value_is_stated_before_it_is_chosen() -> None:
    game = replace(GAME, level=Level.VALUES, count=1, shape=1 << 160 | 1 << 64)
    stated = apply(game, Expand((b"v" * 32,)), 5, SOLVER, CASE)
    assert isinstance(stated, Game)
    assert stated.values == b"v" * 32
    chosen = apply(stated, Choose((b"v" * 32,), 0), 6, CHALLENGER, CASE)
    assert isinstance(chosen, Game)
    assert (chosen.turn, chosen.height, chosen.node, chosen.deadline) == (Turn.CHALLENGER, 0, b"v" * 32, 15)
    with pytest.raises(RefusedError, match="game: part"):
        apply(stated, Choose((b"v" * 32,), 1), 6, CHALLENGER, CASE)


def test_a_child_that_is_zero_does_not_let_the_root_be_stated_again() -> None:
    """A solver may reveal any hash; that of nothing must not be taken for a root that was never stated."""
    game = replace(GAME, level=Level.VALUES, count=64, height=6)
    children = (merkle.ZERO, b"b" * 32, b"c" * 32, b"d" * 32)
    stated = apply(game, Expand(children), 5, SOLVER, CASE)
    assert isinstance(stated, Game)
    chosen = apply(stated, Choose(children, 0), 6, CHALLENGER, CASE)
    assert isinstance(chosen, Game)
    with pytest.raises(RefusedError, match="game: root"):
        apply(chosen, Expand((b"x" * 32,) * 4), 7, SOLVER, CASE)


@given(st.integers(0, 10**9), st.integers(1, 10**6), st.sampled_from([2, 4, 32, 64]), st.sampled_from([1, 16]))
def test_cuts_make_progress_and_stay_inside(lo: int, wide: int, ways: int, unit: int) -> None:
    lo, hi = lo * unit, lo * unit + wide
    cuts = span.cuts(lo, hi, ways, unit)
    assert list(cuts) == sorted(set(cuts))
    assert all(lo < cut < hi and cut % unit == 0 for cut in cuts)
    edges = (lo, *cuts, hi)
    rows = -(-wide // unit)
    longest = max(-(-b // unit) - a // unit for a, b in pairwise(edges))
    assert longest <= max(1, -(-rows // ways))


@pytest.mark.parametrize(("lanes", "width"), [(1, 1), (16, 2), (16, 4)])
def test_accumulators_are_packed_and_unpacked(lanes: int, width: int) -> None:
    rng = Random(lanes * width)
    acc = [rng.getrandbits(256 * width // lanes) for _ in range(lanes)]
    words = pack(acc, width)
    assert [len(word) for word in words] == [32] * width
    assert unpack(words) == acc


def test_a_division_of_nothing_is_no_move() -> None:
    game = replace(GAME, level=Level.FOLD, lo=0, hi=16, piece=16, width=2)
    assert span.of(game) == ()
    with pytest.raises(RefusedError, match="game: length"):
        apply(game, Divide((merkle.ZERO,)), 5, SOLVER, CASE)
