"""A stranger sends again what others have signed: on this chain, on another one, and in its own name."""


def test_no_signature_and_no_call_works_twice(repelled):
    assert repelled("replayed_signature").caught
