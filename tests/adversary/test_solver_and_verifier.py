"""A solver tampers and hands its traces to a verifier that swears to them."""


def test_both_lose_what_they_have_locked(repelled):
    outcome = repelled("solver_and_verifier")
    assert outcome.caught
    assert outcome.attacker_net < -10_000_000
