"""A verifier that was drawn does not attest: nobody waits for longer than the window."""

import pytest


@pytest.mark.slow
def test_the_task_is_settled_without_it(repelled):
    outcome = repelled("mute")
    assert outcome.by == "the result held"
