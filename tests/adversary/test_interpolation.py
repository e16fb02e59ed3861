"""A solver interpolates between the initial state and a model that took a third of the work."""

import pytest


@pytest.mark.slow
def test_it_is_caught_and_slashed(repelled):
    outcome = repelled("interpolation")
    assert outcome.caught
    assert outcome.rounds > 0
