"""A solver that is challenged calls its cheat a fault: it keeps its stake, once, and loses the work."""

import pytest


@pytest.mark.slow
def test_it_costs_the_work(repelled):
    outcome = repelled("conceded_cheat")
    assert outcome.by == "fault"
