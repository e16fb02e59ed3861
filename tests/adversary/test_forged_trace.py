"""A solver has the right result and a forged trace, so that honest verifiers fail to match."""

import pytest


@pytest.mark.slow
def test_it_is_caught_and_slashed(repelled):
    outcome = repelled("forged_trace")
    assert outcome.caught
    assert outcome.rounds > 0
