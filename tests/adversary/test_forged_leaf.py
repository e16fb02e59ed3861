"""Solvers commit to another initial state, or to another program: two leaves side by side show it, without a game."""

import pytest


@pytest.mark.slow
def test_they_are_caught_at_once(repelled):
    assert repelled("forged_leaf").caught
