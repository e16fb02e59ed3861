"""A solver trains on the right rows with other random numbers."""

import pytest


@pytest.mark.slow
def test_it_is_caught_and_slashed(repelled):
    outcome = repelled("other_seed")
    assert outcome.caught
    assert outcome.rounds > 0
