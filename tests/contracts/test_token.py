"""The play money is an ordinary ERC-20 with a faucet that gives once."""

from __future__ import annotations

import boa
import pytest
from contract_world import MONEY, World, event

MOST = 2**256 - 1


@pytest.fixture
def people(world: World) -> tuple[object, object, object]:
    return world.submitter, world.stranger, boa.env.generate_address()


def test_name_and_decimals(world: World) -> None:
    token = world.token
    assert (token.name(), token.symbol(), token.decimals()) == ("Assay play money", "PLAY", 6)
    assert token.GRANT() == MONEY


def test_the_faucet_gives_once(world: World, people) -> None:
    token, (_, _, new) = world.token, people
    supply = token.totalSupply()
    assert token.faucet(sender=new) == MONEY
    assert event(token, "Transfer") == {"sender": "0x" + "0" * 40, "receiver": new, "value": MONEY}
    assert token.balanceOf(new) == MONEY
    assert token.totalSupply() == supply + MONEY
    with boa.reverts("token: granted"):
        token.faucet(sender=new)


def test_transfer_moves_the_amount(world: World, people) -> None:
    token, (a, b, new) = world.token, people
    before, supply = token.balanceOf(a), token.totalSupply()
    assert token.transfer(new, 5, sender=a) is True
    assert event(token, "Transfer") == {"sender": a, "receiver": new, "value": 5}
    assert (token.balanceOf(a), token.balanceOf(new)) == (before - 5, 5)
    token.transfer(a, 0, sender=b)
    token.transfer(a, 1, sender=a)
    assert token.balanceOf(a) == before - 5
    assert token.totalSupply() == supply


def test_transfer_needs_the_balance_and_a_receiver(world: World, people) -> None:
    token, (a, _, new) = world.token, people
    with boa.reverts("token: balance"):
        token.transfer(a, 1, sender=new)
    with boa.reverts("token: zero address"):
        token.transfer("0x" + "0" * 40, 1, sender=a)


def test_transfer_from_uses_up_the_allowance(world: World, people) -> None:
    token, (a, b, new) = world.token, people
    assert token.approve(b, 7, sender=a) is True
    assert event(token, "Approval") == {"owner": a, "spender": b, "value": 7}
    assert token.transferFrom(a, new, 5, sender=b) is True
    assert event(token, "Approval") == {"owner": a, "spender": b, "value": 2}
    assert (token.allowance(a, b), token.balanceOf(new)) == (2, 5)
    with boa.reverts("token: allowance"):
        token.transferFrom(a, new, 3, sender=b)
    with boa.reverts("token: allowance"):
        token.transferFrom(b, new, 1, sender=a)


def test_an_unlimited_allowance_stays(world: World, people) -> None:
    token, (a, b, new) = world.token, people
    token.approve(b, MOST, sender=a)
    token.transferFrom(a, new, 5, sender=b)
    assert token.allowance(a, b) == MOST
    token.approve(b, 0, sender=a)
    with boa.reverts("token: allowance"):
        token.transferFrom(a, new, 1, sender=b)


def test_an_allowance_is_not_money(world: World, people) -> None:
    token, (a, b, new) = world.token, people
    token.approve(b, MOST, sender=new)
    with boa.reverts("token: balance"):
        token.transferFrom(new, a, 1, sender=b)
