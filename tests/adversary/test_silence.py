"""Solvers do nothing after accepting, or stop answering before each move of a dispute."""


def test_silence_is_no_way_out_at_any_move(repelled):
    outcome = repelled("silence")
    assert outcome.rounds > 0
