"""A submitter has a verifier of its own call a right result wrong."""

import pytest


@pytest.mark.slow
def test_it_pays_the_price_all_the_same(repelled):
    repelled("free_result")
