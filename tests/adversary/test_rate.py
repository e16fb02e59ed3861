"""A solver trains with half of the learning rate and claims the task's."""

import pytest


@pytest.mark.slow
def test_it_is_caught_and_slashed(repelled):
    outcome = repelled("rate")
    assert outcome.caught
    assert outcome.rounds > 0
