"""A solver trains on half of the dataset, twice, and claims the row numbers of the task."""

import pytest


@pytest.mark.slow
def test_it_is_caught_and_slashed(repelled):
    outcome = repelled("other_data")
    assert outcome.caught
    assert outcome.rounds > 0
