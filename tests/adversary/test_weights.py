"""A solver tampers with one weight of one checkpoint, by one unit in the last place."""


def test_a_tampered_checkpoint_is_caught_at_its_step(demo):
    result = demo("--cheat", "weights")
    assert result["outcome"] == "refunded"
    assert result["refunded"] == result["escrow"] > 0
    assert result["paid"] == 0
    assert result["caught"]["role"] == "solver"
    # The middle interval is 5 of 10, and its end is the first checkpoint that is not what the replay gives.
    assert result["caught"]["step"] == 6 * result["steps"] // 10
    assert set(result["payments"].values()) == {result["escrow"]}, "nobody but the submitter got anything"
