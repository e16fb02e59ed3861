"""Whoever deploys the currency lets it call back while money moves, or keep a part of every transfer."""


def test_no_coin_is_booked_that_is_not_there_and_no_call_is_re_entered(repelled):
    assert repelled("hostile_token").caught
