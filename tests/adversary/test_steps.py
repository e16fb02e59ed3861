"""A solver does half of the steps of every interval and claims the task's."""


def test_it_is_caught(refunded):
    refunded("steps")
