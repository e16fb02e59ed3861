"""A submitter names files that are bombs, torn, endless, or called like a path."""


def test_nobody_touches_them_and_the_market_goes_on(repelled):
    assert repelled("hostile_blob").caught
