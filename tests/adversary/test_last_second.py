"""A solver makes every move of a dispute in the last second, and does not win by it."""

import pytest


@pytest.mark.slow
def test_it_is_caught_all_the_same(repelled):
    assert repelled("last_second").caught
