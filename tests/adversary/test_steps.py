"""A solver does half of the steps of every interval and claims the task's."""


def test_it_is_caught(demo):
    result = demo("--cheat", "steps")
    assert result["outcome"] == "refunded"
    assert result["refunded"] == result["escrow"] > 0
    assert result["paid"] == 0
    assert result["caught"]["role"] == "solver"
    assert result["caught"]["who"] not in result["payments"]
    # Every interval differs, so each verifier stops at the first one that it drew; together they drew all.
    assert result["caught"]["step"] % (result["steps"] // 10) == 0
    assert 0 < result["caught"]["step"] <= result["steps"]
