"""A solver trains on other batches and claims the task's."""


def test_it_is_caught(refunded):
    refunded("order")
