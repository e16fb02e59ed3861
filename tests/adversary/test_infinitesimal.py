"""A solver jumps to a cheaper model and then makes updates too small to be seen (Fang et al., IEEE EuroS&P 2023)."""

import pytest


@pytest.mark.slow
def test_it_is_caught_and_slashed(repelled):
    outcome = repelled("infinitesimal")
    assert outcome.caught
    assert outcome.rounds > 0
