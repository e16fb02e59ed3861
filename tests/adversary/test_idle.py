"""A solver makes steps that change nothing in the second half of the run."""

import pytest


@pytest.mark.slow
def test_it_is_caught_and_slashed(repelled):
    outcome = repelled("idle")
    assert outcome.caught
    assert outcome.rounds > 0
