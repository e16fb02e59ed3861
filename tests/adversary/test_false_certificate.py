"""Submitter, solver and a verifier are one, and certify a model that was never trained."""

import pytest


@pytest.mark.slow
def test_the_chain_certifies_nothing(repelled):
    assert repelled("false_certificate").caught
