"""A solver multiplies bfloat16 numbers, as a faster machine would."""

import pytest


@pytest.mark.slow
def test_it_is_caught_and_slashed(repelled):
    outcome = repelled("precision")
    assert outcome.caught
    assert outcome.rounds > 0
