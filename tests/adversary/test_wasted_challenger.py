"""A solver lies in every interval and lets its challengers wait: they have their bonds back, and the reward."""

import pytest


@pytest.mark.slow
def test_the_challengers_lose_nothing(repelled):
    assert repelled("wasted_challenger").caught
