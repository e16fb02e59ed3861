"""A solver keeps its data to itself and shows on chain only what is demanded there."""

import pytest


@pytest.mark.slow
@pytest.mark.xfail(
    strict=True,
    reason="who demands data in good faith loses its bond when one KiB is shown, and a quarter goes to the solver",
)
def test_nobody_honest_pays_for_it(repelled):
    repelled("withheld_shown")
