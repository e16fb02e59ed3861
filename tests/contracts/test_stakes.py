"""Registration, endpoints, the list of verifiers, unbonding."""

from __future__ import annotations

import boa
import pytest
from contract_world import (
    BURNED,
    SOLVER,
    SOLVER_MINIMUM,
    UNBONDING,
    VERIFIER,
    VERIFIER_MINIMUM,
    WHISTLEBLOWER,
    WHISTLEBLOWER_MINIMUM,
    World,
    deploy,
    event,
    load,
)
from eth.exceptions import Revert

NOBODY = "0x" + "0" * 40


def listed(world: World, role: int = VERIFIER) -> list[object]:
    return [world.stakes.at(role, i) for i in range(world.stakes.count(role))]


def test_the_rules_are_public(world: World) -> None:
    stakes = world.stakes
    assert stakes.token() == world.token.address
    minima = (stakes.solver_minimum(), stakes.verifier_minimum(), stakes.whistleblower_minimum())
    assert minima == (SOLVER_MINIMUM, VERIFIER_MINIMUM, WHISTLEBLOWER_MINIMUM)
    assert (stakes.unbonding(), stakes.market()) == (UNBONDING, world.market.address)
    assert (stakes.SOLVER(), stakes.VERIFIER(), stakes.WHISTLEBLOWER()) == (1, 2, 3)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"token": NOBODY}, "stakes: token"),
        ({"market": NOBODY}, "stakes: market"),
        ({"solver": 0}, "stakes: minimum"),
        ({"verifier": 0}, "stakes: minimum"),
        ({"whistleblower": 0}, "stakes: minimum"),
        ({"unbonding": 366 * 86400}, "stakes: unbonding"),
    ],
)
def test_bad_rules_are_refused(world: World, change: dict[str, object], reason: str) -> None:
    rules = {"token": world.token.address, "market": world.stranger, "solver": 1, "verifier": 1, "whistleblower": 1}
    rules |= {"unbonding": 1} | change
    kinds = ["address", "address", *["uint256"] * 4]
    with pytest.raises(Revert, match=reason):
        deploy("stakes", *zip(kinds, rules.values(), strict=True))


@pytest.mark.parametrize(
    ("role", "minimum"),
    [(SOLVER, SOLVER_MINIMUM), (VERIFIER, VERIFIER_MINIMUM), (WHISTLEBLOWER, WHISTLEBLOWER_MINIMUM)],
)
def test_register_takes_the_stake(world: World, role: int, minimum: int) -> None:
    who = world.person()
    money, pool = world.token.balanceOf(who), world.token.balanceOf(world.stakes.address)
    assert not world.stakes.is_active(who, role)
    with boa.reverts("stakes: minimum"):
        world.stakes.register(role, minimum - 1, "http://a", sender=who)
    world.stakes.register(role, minimum, "http://a", sender=who)
    assert event(world.stakes, "Registered") == {
        "account": who,
        "role": role,
        "added": minimum,
        "stake": minimum,
        "endpoint": "http://a",
    }
    assert world.stakes.is_active(who, role)
    assert not any(world.stakes.is_active(who, other) for other in (1, 2, 3) if other != role)
    assert world.stakes.stake_of(who, role) == minimum
    assert world.stakes.endpoint_of(who, role) == "http://a"
    assert listed(world, role)[-1] == who
    assert world.token.balanceOf(who) == money - minimum
    assert world.token.balanceOf(world.stakes.address) == pool + minimum
    member = world.stakes.members(who, role)
    assert (member.joined, member.unlocks, member.index) == (world.height, 0, world.stakes.count(role) - 1)


def test_register_again_adds_and_keeps_the_seat(world: World) -> None:
    who = world.verifiers[1]
    seats, joined = listed(world), world.stakes.members(who, VERIFIER).joined
    world.mine(5)
    world.stakes.register(VERIFIER, 7, "http://moved", sender=who)
    assert world.stakes.stake_of(who, VERIFIER) == VERIFIER_MINIMUM + 7
    assert world.stakes.members(who, VERIFIER).joined == joined
    assert listed(world) == seats
    world.stakes.register(VERIFIER, 0, "http://again", sender=who)
    assert world.stakes.stake_of(who, VERIFIER) == VERIFIER_MINIMUM + 7
    assert world.stakes.endpoint_of(who, VERIFIER) == "http://again"


def test_one_address_may_hold_both_roles(world: World) -> None:
    who = world.verifiers[0]
    world.stakes.register(SOLVER, SOLVER_MINIMUM, "http://both", sender=who)
    assert world.stakes.is_active(who, SOLVER)
    assert world.stakes.is_active(who, VERIFIER)
    world.stakes.leave(VERIFIER, sender=who)
    assert world.stakes.is_active(who, SOLVER)
    assert not world.stakes.is_active(who, VERIFIER)


@pytest.mark.parametrize("role", [0, 4, 2**256 - 1])
def test_there_are_three_roles(world: World, role: int) -> None:
    with boa.reverts("stakes: role"):
        world.stakes.register(role, 10**6, "", sender=world.stranger)
    assert not world.stakes.is_active(world.stranger, role)


def test_register_needs_the_money(world: World) -> None:
    world.token.approve(world.stakes.address, 0, sender=world.stranger)
    with boa.reverts("token: allowance"):
        world.stakes.register(VERIFIER, VERIFIER_MINIMUM, "", sender=world.stranger)


def test_set_endpoint(world: World) -> None:
    who = world.verifiers[0]
    world.stakes.set_endpoint(VERIFIER, "x" * 200, sender=who)
    assert event(world.stakes, "EndpointSet") == {"account": who, "role": VERIFIER, "endpoint": "x" * 200}
    assert world.stakes.endpoint_of(who, VERIFIER) == "x" * 200
    with boa.reverts():
        world.stakes.set_endpoint(VERIFIER, "x" * 201, sender=who)
    with boa.reverts("stakes: not active"):
        world.stakes.set_endpoint(SOLVER, "http://b", sender=who)


@pytest.mark.parametrize("seat", [0, 1, 3])
def test_leaving_moves_the_last_one_into_the_gap(world: World, seat: int) -> None:
    a, b, c, d = world.verifiers
    who = world.verifiers[seat]
    world.stakes.leave(VERIFIER, sender=who)
    assert event(world.stakes, "Left") == {"account": who, "role": VERIFIER, "unlocks": world.now + UNBONDING}
    assert listed(world) == {0: [d, b, c], 1: [a, d, c], 3: [a, b, c]}[seat]
    assert world.stakes.at(VERIFIER, 3) == NOBODY
    for index, other in enumerate(listed(world)):
        assert world.stakes.members(other, VERIFIER).index == index
    assert not world.stakes.is_active(who, VERIFIER)


def test_everybody_may_leave(world: World) -> None:
    for who in world.verifiers:
        world.stakes.leave(VERIFIER, sender=who)
    assert listed(world) == []
    world.verifier()
    assert len(listed(world)) == 1


def test_the_stake_comes_back_after_the_delay(world: World) -> None:
    who = world.verifiers[2]
    with boa.reverts("stakes: not leaving"):
        world.stakes.withdraw(VERIFIER, sender=who)
    world.stakes.leave(VERIFIER, sender=who)
    with boa.reverts("stakes: not active"):
        world.stakes.leave(VERIFIER, sender=who)
    with boa.reverts("stakes: leaving"):
        world.stakes.register(VERIFIER, 0, "", sender=who)
    with boa.reverts("stakes: not active"):
        world.stakes.set_endpoint(VERIFIER, "", sender=who)
    world.mine(seconds=UNBONDING - 1)
    with boa.reverts("stakes: unbonding"):
        world.stakes.withdraw(VERIFIER, sender=who)
    world.mine(seconds=1)
    assert world.stakes.stake_of(who, VERIFIER) == VERIFIER_MINIMUM
    money = world.token.balanceOf(who)
    assert world.stakes.withdraw(VERIFIER, sender=who) == VERIFIER_MINIMUM
    assert event(world.stakes, "Withdrawn") == {"account": who, "role": VERIFIER, "amount": VERIFIER_MINIMUM}
    assert world.token.balanceOf(who) == money + VERIFIER_MINIMUM
    assert world.stakes.stake_of(who, VERIFIER) == 0
    assert world.stakes.endpoint_of(who, VERIFIER) == ""
    with boa.reverts("stakes: not leaving"):
        world.stakes.withdraw(VERIFIER, sender=who)


def test_one_may_come_back(world: World) -> None:
    who = world.verifiers[0]
    world.stakes.leave(VERIFIER, sender=who)
    world.mine(seconds=UNBONDING)
    world.stakes.withdraw(VERIFIER, sender=who)
    world.stakes.register(VERIFIER, VERIFIER_MINIMUM, "http://back", sender=who)
    assert listed(world)[-1] == who
    assert world.stakes.members(who, VERIFIER).joined == world.height


def test_seated_passes_over_those_who_came_later(world: World) -> None:
    before = world.height
    world.mine()
    who = world.verifier()
    assert world.stakes.seated(VERIFIER, 4, before) == NOBODY
    assert world.stakes.seated(VERIFIER, 4, world.height) == who
    assert world.stakes.seated(VERIFIER, 0, before) == world.verifiers[0]
    assert world.stakes.seated(VERIFIER, 5, world.height) == NOBODY
    assert world.stakes.seated(3, 0, world.height) == NOBODY


def test_a_token_that_keeps_a_part_is_refused() -> None:
    with boa.env.anchor():
        world = World(load("taxed_token"), members=False)
        who = world.person()
        with boa.reverts("stakes: fee on transfer"):
            world.stakes.register(VERIFIER, VERIFIER_MINIMUM, "", sender=who)
        world.token.set_tax_free(who, True)
        world.stakes.register(VERIFIER, VERIFIER_MINIMUM, "", sender=who)
        assert world.stakes.stake_of(who, VERIFIER) == VERIFIER_MINIMUM


def test_a_token_that_answers_false_is_refused() -> None:
    with boa.env.anchor():
        world = World(load("calling_token"))
        world.stakes.leave(VERIFIER, sender=world.verifiers[0])
        world.mine(seconds=UNBONDING)
        world.token.set_silent(True)
        with boa.reverts("stakes: transfer"):
            world.stakes.register(VERIFIER, VERIFIER_MINIMUM, "", sender=world.person())
        with boa.reverts("stakes: transfer"):
            world.stakes.withdraw(VERIFIER, sender=world.verifiers[0])
        assert world.stakes.stake_of(world.verifiers[0], VERIFIER) == VERIFIER_MINIMUM


# -- what only the market may do ------------------------------------------------------------------------------------


def held(world: World, who: object, role: int = VERIFIER) -> tuple[int, int]:
    """Stake and its locked part."""
    member = world.stakes.members(who, role)
    return member.stake, member.locked


def test_only_the_market_locks_unlocks_and_slashes(world: World) -> None:
    who = world.verifiers[0]
    for call in (
        lambda: world.stakes.lock(who, VERIFIER, 1, True, sender=who),
        lambda: world.stakes.unlock(who, VERIFIER, 0, sender=who),
        lambda: world.stakes.slash(who, VERIFIER, 0, 0, sender=who),
    ):
        with boa.reverts("stakes: not the market"):
            call()


def test_lock_and_unlock(world: World) -> None:
    who, market = world.verifiers[0], world.market.address
    world.stakes.lock(who, VERIFIER, 100, True, sender=market)
    assert held(world, who) == (VERIFIER_MINIMUM, 100)
    assert world.stakes.free_of(who, VERIFIER) == VERIFIER_MINIMUM - 100
    for amount in (VERIFIER_MINIMUM - 99, 2**88):
        with boa.reverts("stakes: free stake"):
            world.stakes.lock(who, VERIFIER, amount, True, sender=market)
    world.stakes.lock(who, VERIFIER, VERIFIER_MINIMUM - 100, True, sender=market)
    with boa.reverts("stakes: not locked"):
        world.stakes.unlock(who, VERIFIER, VERIFIER_MINIMUM + 1, sender=market)
    world.stakes.unlock(who, VERIFIER, VERIFIER_MINIMUM, sender=market)
    assert held(world, who) == (VERIFIER_MINIMUM, 0)
    with boa.reverts("stakes: not active"):
        world.stakes.lock(world.stranger, VERIFIER, 0, True, sender=market)


def test_what_is_locked_is_not_paid_back(world: World) -> None:
    who, market = world.verifiers[0], world.market.address
    world.stakes.lock(who, VERIFIER, 100, True, sender=market)
    world.stakes.leave(VERIFIER, sender=who)
    with boa.reverts("stakes: not active"):
        world.stakes.lock(who, VERIFIER, 1, True, sender=market)
    world.stakes.lock(who, VERIFIER, 1, False, sender=market)
    world.mine(seconds=UNBONDING)
    assert world.stakes.withdraw(VERIFIER, sender=who) == VERIFIER_MINIMUM - 101
    assert held(world, who) == (101, 101)
    with boa.reverts("stakes: locked"):
        world.stakes.withdraw(VERIFIER, sender=who)
    with boa.reverts("stakes: leaving"):
        world.stakes.register(VERIFIER, 500, "", sender=who)
    world.stakes.unlock(who, VERIFIER, 101, sender=market)
    assert world.stakes.withdraw(VERIFIER, sender=who) == 101
    assert held(world, who) == (0, 0)


def test_slash_burns_all_but_what_is_kept(world: World) -> None:
    who, market, token = world.verifiers[0], world.market.address, world.token
    world.stakes.register(VERIFIER, 200, "", sender=who)
    world.stakes.lock(who, VERIFIER, 150, True, sender=market)
    for amount, kept, reason in ((151, 0, "stakes: not locked"), (150, 151, "stakes: kept")):
        with boa.reverts(reason):
            world.stakes.slash(who, VERIFIER, amount, kept, sender=market)
    before = token.balanceOf(market)
    world.stakes.slash(who, VERIFIER, 150, 60, sender=market)
    assert event(world.stakes, "Slashed") == {"account": who, "role": VERIFIER, "amount": 150, "kept": 60}
    assert held(world, who) == (VERIFIER_MINIMUM + 50, 0)
    assert (token.balanceOf(market), token.balanceOf(BURNED)) == (before + 60, 90)
    assert world.stakes.is_active(who, VERIFIER)


def test_who_falls_below_the_minimum_loses_the_seat(world: World) -> None:
    a, b, c, d = world.verifiers
    market = world.market.address
    world.stakes.lock(b, VERIFIER, VERIFIER_MINIMUM, True, sender=market)
    world.stakes.slash(b, VERIFIER, 1, 0, sender=market)
    assert event(world.stakes, "Left") == {"account": b, "role": VERIFIER, "unlocks": world.now + UNBONDING}
    assert listed(world) == [a, d, c]
    world.stakes.slash(b, VERIFIER, VERIFIER_MINIMUM - 1, 0, sender=market)
    assert held(world, b) == (0, 0)
    world.mine(seconds=UNBONDING)
    assert world.stakes.withdraw(VERIFIER, sender=b) == 0
    world.stakes.register(VERIFIER, VERIFIER_MINIMUM, "", sender=b)
    assert listed(world) == [a, d, c, b]


def test_amounts_that_do_not_fit(world: World) -> None:
    for amount in (2**88, 2**256 - 1):
        with boa.reverts("stakes: amount"):
            world.stakes.register(VERIFIER, amount, "", sender=world.stranger)
