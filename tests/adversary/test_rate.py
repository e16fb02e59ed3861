"""A solver trains with half of the learning rate and claims the task's."""


def test_it_is_caught(refunded):
    refunded("rate")
