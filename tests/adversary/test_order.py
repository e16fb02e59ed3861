"""A solver trains on other batches and claims the task's; another one commits to the batches that it used."""

import pytest


@pytest.mark.slow
def test_both_are_caught(repelled):
    assert repelled("order").caught
