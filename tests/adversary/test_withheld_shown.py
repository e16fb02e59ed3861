"""A solver keeps its data to itself and shows on chain only what is demanded there."""

import pytest


@pytest.mark.slow
def test_nobody_honest_pays_for_it(repelled):
    repelled("withheld_shown")
