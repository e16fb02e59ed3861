"""A solver does not open its traces: it loses its collateral when the window is over."""

import pytest


@pytest.mark.slow
def test_it_loses_its_collateral(repelled):
    outcome = repelled("unrevealed")
    assert outcome.by == "not revealed"
    assert outcome.attacker_net < -1_000_000
