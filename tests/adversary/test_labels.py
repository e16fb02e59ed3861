"""A solver gives every row the label of its neighbour."""

import pytest


@pytest.mark.slow
def test_it_is_caught_and_slashed(repelled):
    outcome = repelled("labels")
    assert outcome.caught
    assert outcome.rounds > 0
