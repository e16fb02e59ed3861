"""Submitter, solver and a challenger are one: what they get of their own stake is less than what they lose."""

import pytest


@pytest.mark.slow
def test_provoking_a_slash_burns_money(repelled):
    assert repelled("provoked_slash").attacker_net < -1_000_000
