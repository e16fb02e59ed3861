"""A verifier attests without replaying: it can't know the traces, so it is not paid."""

import pytest


def test_a_lazy_verifier_is_named_and_not_paid(demo):
    result = demo("--cheat", "echo")
    assert result["outcome"] == "settled"
    assert result["caught"]["role"] == "verifier"
    assert result["caught"]["step"] >= 0
    assert result["paid"] == result["caught"]["paid"] == 0
    assert result["caught"]["who"] not in result["payments"]
    # Its fee goes back to the submitter; the solver and the diligent verifier have theirs.
    assert result["refunded"] == result["quote"]["fee"]
    assert sorted(result["payments"].values()) == sorted(
        [result["quote"]["price"], result["quote"]["fee"], result["quote"]["fee"]]
    )
    assert sum(result["payments"].values()) == result["escrow"]


@pytest.mark.slow
def test_it_loses_in_the_arena_too(repelled):
    assert repelled("echo").caught
