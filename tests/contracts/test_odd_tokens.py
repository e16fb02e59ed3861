"""Currencies that misbehave: they keep a part, answer false, refuse to pay somebody, or call back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest
from contract_world import (
    OPEN,
    REFUNDED,
    SETTLED,
    SOLVER,
    UNBONDING,
    VERIFIER,
    VERIFIER_MINIMUM,
    Key,
    Terms,
    Work,
    World,
    load,
)


@pytest.fixture
def odd() -> Iterator[World]:
    """A world whose currency calls back."""
    with boa.env.anchor():
        yield World(load("calling_token"))


def settled(world: World) -> None:
    world.task().posted().accepted().committed().drawn().attested().revealed().settled()


def token_posts(world: World, salt: bytes) -> Key:
    """The token itself becomes a submitter, so that a call in its name means something."""
    token, market = world.token, world.market
    token.faucet(sender=world.stranger)
    token.transfer(token.address, 10**7, sender=world.stranger)
    token.act(token.address, token.approve.prepare_calldata(market.address, 10**7))
    token.act(market.address, market.post.prepare_calldata(salt, Terms(), Work()))
    return Key(token.address, salt, Terms())


def test_a_token_that_keeps_a_part_cannot_be_escrowed() -> None:
    with boa.env.anchor():
        world = World(load("taxed_token"), members=False)
        with boa.reverts("market: fee on transfer"):
            world.task().posted()
        world.token.set_tax_free(world.submitter, True)
        world.task().posted()
        assert world.token.balanceOf(world.market.address) == Terms().escrow


def test_a_token_that_answers_false_moves_nothing(odd: World) -> None:
    settled(odd)
    odd.token.set_silent(True)
    with boa.reverts("market: transfer"):
        odd.task(2).posted()
    with boa.reverts("market: transfer"):
        odd.market.withdraw(sender=odd.solver)
    assert odd.market.owed(odd.solver) == Terms().price
    odd.token.set_silent(False)
    assert odd.market.withdraw(sender=odd.solver) == Terms().price


def test_who_cannot_be_paid_blocks_nobody(odd: World) -> None:
    task = odd.task().posted().accepted().committed().drawn()
    odd.token.block_address(odd.solver, True)
    task.attested().revealed().settled()
    assert task.state == SETTLED
    with boa.reverts():
        odd.market.withdraw(sender=odd.solver)
    for who in task.drawn_verifiers:
        assert odd.market.withdraw(sender=who) == Terms().fee
    odd.token.block_address(odd.solver, False)
    assert odd.market.withdraw(sender=odd.solver) == Terms().price
    assert odd.token.balanceOf(odd.market.address) == 0


def test_nobody_is_paid_twice_by_calling_back(odd: World) -> None:
    token, market = odd.token, odd.market
    mine = token_posts(odd, b"\x01" * 32)
    token.act(market.address, market.cancel.prepare_calldata(mine))
    settled(odd)
    before = token.balanceOf(market.address)
    withdraw = market.withdraw.prepare_calldata()
    token.plant(market.address, withdraw)
    token.act(market.address, withdraw)
    assert token.attempts() == 1
    assert not token.went_through()
    assert token.balanceOf(market.address) == before - Terms().escrow


@pytest.mark.parametrize("entry", ["post", "withdraw"])
def test_the_market_is_shut_while_it_moves_money(odd: World, entry: str) -> None:
    """The planted call would go through at any other time, as the last lines show."""
    token, market = odd.token, odd.market
    mine = token_posts(odd, b"\x01" * 32)
    settled(odd)
    planted = market.cancel.prepare_calldata(mine)
    token.plant(market.address, planted)
    if entry == "post":
        odd.task(2).posted()
    else:
        market.withdraw(sender=odd.solver)
    assert token.attempts() == 1
    assert not token.went_through()
    assert market.state(mine.id) == OPEN
    token.act(market.address, planted)
    assert market.state(mine.id) == REFUNDED


def test_many_calls_in_one_open_no_back_door(odd: World) -> None:
    """`multicall` takes no lock itself; the call inside still meets the one of the call that moves the money."""
    token, market = odd.token, odd.market
    mine = token_posts(odd, b"\x01" * 32)
    settled(odd)
    planted = market.multicall.prepare_calldata([market.cancel.prepare_calldata(mine)])
    token.plant(market.address, planted)
    market.multicall([market.withdraw.prepare_calldata()], sender=odd.solver)
    assert token.attempts() == 1
    assert not token.went_through()
    assert market.state(mine.id) == OPEN
    token.act(market.address, planted)
    assert market.state(mine.id) == REFUNDED


def reads(world: World) -> list[tuple[Any, bytes]]:
    """Calls that only look, and always succeed while nothing is going on."""
    market, stakes, who = world.market, world.stakes, world.solver
    return [
        (market, market.owed.prepare_calldata(who)),
        (market, market.tasks.prepare_calldata(b"\x01" * 32)),
        (market, market.results.prepare_calldata(b"\x01" * 32)),
        (stakes, stakes.is_active.prepare_calldata(who, SOLVER)),
        (stakes, stakes.count.prepare_calldata(VERIFIER)),
        (stakes, stakes.stake_of.prepare_calldata(who, SOLVER)),
    ]


@pytest.mark.parametrize("which", range(6))
def test_nobody_reads_half_done_books(odd: World, which: int) -> None:
    contract, payload = reads(odd)[which]
    settled(odd)
    odd.token.plant(contract.address, payload)
    if contract is odd.market:
        odd.market.withdraw(sender=odd.solver)
    else:
        odd.stakes.register(VERIFIER, VERIFIER_MINIMUM, "", sender=odd.stranger)
    assert odd.token.attempts() == 1
    assert not odd.token.went_through()
    odd.token.act(contract.address, payload)


@pytest.fixture
def token_verifies(odd: World) -> World:
    """The token itself is a verifier."""
    token, stakes = odd.token, odd.stakes
    token.faucet(sender=odd.stranger)
    token.transfer(token.address, 10**7, sender=odd.stranger)
    token.act(token.address, token.approve.prepare_calldata(stakes.address, 10**7))
    token.act(stakes.address, stakes.register.prepare_calldata(VERIFIER, VERIFIER_MINIMUM, ""))
    return odd


def test_stakes_are_not_paid_twice_by_calling_back(token_verifies: World) -> None:
    world, token, stakes = token_verifies, token_verifies.token, token_verifies.stakes
    token.act(stakes.address, stakes.leave.prepare_calldata(VERIFIER))
    world.mine(seconds=UNBONDING)
    before = token.balanceOf(stakes.address)
    withdraw = stakes.withdraw.prepare_calldata(VERIFIER)
    token.plant(stakes.address, withdraw)
    token.act(stakes.address, withdraw)
    assert token.attempts() == 1
    assert not token.went_through()
    assert token.balanceOf(stakes.address) == before - VERIFIER_MINIMUM


def test_nobody_leaves_while_another_registers(token_verifies: World) -> None:
    world, token, stakes = token_verifies, token_verifies.token, token_verifies.stakes
    leave = stakes.leave.prepare_calldata(VERIFIER)
    token.plant(stakes.address, leave)
    stakes.register(VERIFIER, VERIFIER_MINIMUM, "", sender=world.person())
    assert token.attempts() == 1
    assert not token.went_through()
    assert stakes.count(VERIFIER) == 6
    token.act(stakes.address, leave)
    assert stakes.count(VERIFIER) == 5
