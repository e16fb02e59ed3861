"""A solver does half of the steps of every interval and claims the task's."""


def test_it_is_caught_and_slashed(repelled):
    outcome = repelled("steps")
    assert outcome.caught
    assert outcome.rounds > 0
