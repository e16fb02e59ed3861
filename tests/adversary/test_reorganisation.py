"""Whoever builds the blocks undoes three of them, to be drawn other verifiers."""


def test_it_is_caught_on_the_other_branch_too(repelled):
    assert repelled("reorganisation").caught
