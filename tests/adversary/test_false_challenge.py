"""Verifiers challenge a right result: one leaves at once, the other walks down to the last level."""


def test_the_solver_is_paid_for_its_trouble(repelled):
    outcome = repelled("false_challenge")
    assert outcome.rounds > 2
