"""A solver makes up checkpoints and fits data to them (Zhang et al., IEEE S&P 2022)."""

import pytest


@pytest.mark.slow
def test_it_is_caught_and_slashed(repelled):
    outcome = repelled("fitted_data")
    assert outcome.caught
    assert outcome.rounds > 0
