"""A solver trains only where updates are largest, and makes up the rest (Fang et al., IEEE EuroS&P 2023)."""

import pytest


@pytest.mark.slow
def test_it_is_caught_and_slashed(repelled):
    outcome = repelled("top_q")
    assert outcome.caught
    assert outcome.rounds > 0
