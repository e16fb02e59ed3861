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


def test_who_has_left_and_is_started_again_joins_when_its_stake_is_back(tmp_path):
    """Also who was slashed below the least stake: a role that dies at its start would be started again for ever."""
    with a_quarter(tmp_path) as quarter:
        role = quarter.verifiers[0]
        stakes, token, me = role.session.stakes, role.session.token, role.session.address
        wealth = token.balance_of(me) + stakes.stake_of(me, role.number)
        role.leave()
        role.join("http://127.0.0.1:2")
        assert not stakes.is_active(me, role.number), "too early: it waits, and does not fail"
        quarter.skip(stakes.unbonding() + 1)
        role.join("http://127.0.0.1:2")
        assert stakes.is_active(me, role.number)
        assert stakes.endpoint_of(me, role.number) == "http://127.0.0.1:2"
        assert token.balance_of(me) + stakes.stake_of(me, role.number) == wealth
