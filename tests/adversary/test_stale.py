"""A solver hands in checkpoints again that it had before."""

import pytest


@pytest.mark.slow
def test_it_is_caught_and_slashed(repelled):
    outcome = repelled("stale")
    assert outcome.caught
    assert outcome.rounds > 0
