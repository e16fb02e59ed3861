"""A verifier attests what another one has sealed: the seal binds an address."""

import pytest


@pytest.mark.slow
def test_it_is_named_and_not_paid(repelled):
    assert repelled("copied_seal").caught
