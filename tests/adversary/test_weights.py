"""A solver tampers with one weight of one checkpoint, by one unit in the last place."""


def test_a_tampered_checkpoint_is_caught_at_its_step(refunded):
    # The middle interval is 5 of 10, and its end is the first checkpoint that is not what the replay gives.
    assert refunded("weights")["caught"]["step"] == 144


def test_any_step_is_caught(repelled):
    outcome = repelled("weights")
    assert outcome.caught
    assert outcome.rounds > 0
