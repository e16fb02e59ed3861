"""A role is given up and its stake comes back whole, once, and not before the unbonding time is over."""

from __future__ import annotations

import pytest
from roles_in_process import a_quarter


@pytest.fixture(scope="module")
def quarter(tmp_path_factory):
    with a_quarter(tmp_path_factory.mktemp("quarter")) as found:
        yield found


def test_a_verifier_leaves_waits_and_has_its_stake_back_once(quarter):
    role = quarter.verifiers[0]
    stakes, token, me = role.session.stakes, role.session.token, role.session.address
    before, stake = token.balance_of(me), stakes.stake_of(me, role.number)
    assert stake > 0

    assert "unlocks in" in role.leave()
    assert not stakes.is_active(me, role.number), "no new task is given to it"
    assert "unlocks in" in role.leave(), "too early: nothing moves, and nothing is lost by asking"
    assert (token.balance_of(me), stakes.stake_of(me, role.number)) == (before, stake)

    quarter.skip(stakes.unbonding() + 2)
    assert "is back" in role.leave()
    assert (token.balance_of(me), stakes.stake_of(me, role.number)) == (before + stake, 0)
    assert "no stake" in role.leave()
    assert token.balance_of(me) == before + stake
