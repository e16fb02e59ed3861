"""How tasks end, and who has the money then."""

from __future__ import annotations

import boa
import pytest
from contract_world import (
    AUDITED,
    REFUNDED,
    SETTLED,
    SOLVER,
    SOLVER_STAKE,
    VERIFIER,
    VERIFIER_MINIMUM,
    Life,
    World,
    event,
    events,
)

LIE = (1, 2, b"\x5a" * 32)
"""A finding: kind, interval, salt."""


@pytest.fixture
def drawn(world: World) -> Life:
    return world.task().posted().accepted().committed().drawn()


def owed(world: World, *people: object) -> list[int]:
    return [world.market.owed(who) for who in people]


def nothing_is_locked(world: World) -> bool:
    return world.locked(world.solver, SOLVER) == 0 and all(world.locked(who, VERIFIER) == 0 for who in world.verifiers)


def refund_reason(world: World, task: Life) -> str:
    """Why; and nobody but the submitter got anything."""
    logged = event(world.market, "Refunded")
    silence = task.terms.collateral // 4 if logged["reason"] == "not revealed" else 0
    assert logged["amount"] == task.terms.escrow == world.market.owed(world.submitter) - silence
    assert owed(world, world.solver, *world.verifiers) == [0] * 5
    assert world.stakes.stake_of(world.solver, SOLVER) == SOLVER_STAKE - 4 * silence
    assert nothing_is_locked(world)
    assert task.state == REFUNDED
    return logged["reason"]


def test_an_honest_task_pays_everybody(world: World, drawn: Life) -> None:
    a, b = drawn.drawn_verifiers
    drawn.attested().revealed().settled()
    assert [name for name, _ in events(world.market)] == ["Credited"] * 3 + ["Settled"]
    assert event(world.market, "Settled") == {
        "id": drawn.id,
        "solver": world.solver,
        "final_root": drawn.result.final_root,
        "paid": 1_000_000,
        "fees": 140_000,
        "refunded": 0,
    }
    credits = [(f["account"], f["amount"]) for name, f in events(world.market) if name == "Credited"]
    assert credits == [(world.solver, 1_000_000), (a, 70_000), (b, 70_000)]
    assert owed(world, world.solver, a, b, world.submitter) == [1_000_000, 70_000, 70_000, 0]
    assert drawn.state == SETTLED
    assert world.market.results(drawn.id) == bytes(32)
    assert nothing_is_locked(world)


def test_a_task_is_settled_once(world: World, drawn: Life) -> None:
    drawn.attested().revealed().settled()
    for again in (drawn.settled, drawn.expired, drawn.late().expired):
        with boa.reverts("market: state"):
            again()
    assert owed(world, world.solver) == [1_000_000]


def test_settle_waits_for_every_reveal(world: World, drawn: Life) -> None:
    with boa.reverts("market: state"):
        drawn.settled()
    drawn.attested()
    with boa.reverts("market: reveal window"):
        drawn.settled()
    drawn.revealed(0)
    with boa.reverts("market: reveal window"):
        drawn.settled()
    assert drawn.revealed(1).settled().state == SETTLED


def test_a_lazy_verifier_costs_time_and_is_not_paid(world: World, drawn: Life) -> None:
    drawn.attested_lazily(1).attested(0).revealed().last_moment()
    with boa.reverts("market: reveal window"):
        drawn.settled()
    diligent, lazy = drawn.drawn_verifiers
    drawn.late().settled()
    assert event(world.market, "LazyVerifier") == {"id": drawn.id, "verifier": lazy}
    logged = event(world.market, "Settled")
    assert (logged["paid"], logged["fees"], logged["refunded"]) == (1_000_000, 70_000, 70_000)
    assert owed(world, world.solver, diligent, lazy, world.submitter) == [1_000_000, 70_000, 0, 70_000]


def test_settle_waits_for_what_is_sealed(world: World, drawn: Life) -> None:
    """Every reveal is in and one verifier matched, but the other's finding may still be opened; a claim alone moves nothing."""
    drawn.attested(0).attested_finding(1, LIE).revealed().last_moment()
    with boa.reverts("market: reveal window"):
        drawn.settled()
    drawn.late().settled()
    logged = event(world.market, "Settled")
    assert (logged["paid"], logged["fees"], logged["refunded"]) == (1_000_000, 70_000, 70_000)
    assert event(world.market, "LazyVerifier")["verifier"] == drawn.drawn_verifiers[1]


def test_settle_waits_for_the_patrol(world: World) -> None:
    task = world.task(patrol_for=200).posted().accepted().committed()
    end = world.now + 200
    task.drawn().attested().revealed()
    world.mine(seconds=end - world.now)
    with boa.reverts("market: reveal window"):
        task.settled()
    world.mine()
    assert task.settled().state == SETTLED


def test_a_verifier_that_did_not_attest_is_not_paid(world: World, drawn: Life) -> None:
    absent, present = drawn.drawn_verifiers
    drawn.attested(1).late().expired().revealed(1).settled()
    assert nothing_is_locked(world)
    assert owed(world, world.solver, absent, present, world.submitter) == [1_000_000, 0, 70_000, 70_000]


@pytest.mark.parametrize("revealed", [[], [0], [1]])
def test_a_solver_that_does_not_reveal_everything_is_not_paid(world: World, drawn: Life, revealed: list[int]) -> None:
    drawn.attested()
    for j in revealed:
        drawn.revealed(j)
    drawn.late().settled()
    assert refund_reason(world, drawn) == "not revealed"


def test_no_match_at_all_is_a_refund(world: World, drawn: Life) -> None:
    drawn.attested_lazily(0).attested_lazily(1).revealed().late().settled()
    assert refund_reason(world, drawn) == "no match"


def test_free_work_settles(world: World) -> None:
    task = world.task(price=0, fee=0).posted().accepted().committed().drawn().attested().revealed().settled()
    assert event(world.market, "Settled")["paid"] == 0
    assert task.state == SETTLED


@pytest.mark.parametrize(
    ("moves", "reason"),
    [
        ([], "not accepted"),
        (["accepted"], "not solved"),
        (["accepted", "committed"], "not drawn"),
        (["accepted", "committed", "drawn"], "not attested"),
        (["accepted", "committed", "drawn", "attested"], "not revealed"),
    ],
)
def test_every_state_can_be_ended_by_anyone(world: World, moves: list[str], reason: str) -> None:
    task = world.task().posted()
    for move in moves:
        getattr(task, move)()
    task.last_moment()
    with boa.reverts("market: not expired"):
        task.expired()
    task.late().expired()
    assert refund_reason(world, task) == reason


def test_expire_takes_two_calls_from_half_an_audit(world: World, drawn: Life) -> None:
    drawn.attested(0).late().expired()
    assert drawn.state == AUDITED
    with boa.reverts("market: not expired"):
        drawn.expired()
    drawn.late().expired()
    assert refund_reason(world, drawn) == "not revealed"


def test_expire_settles_what_held(world: World, drawn: Life) -> None:
    drawn.attested().revealed().late().expired()
    assert event(world.market, "Settled")["paid"] == 1_000_000


def test_withdraw_pays_everything_once(world: World, drawn: Life) -> None:
    drawn.attested().revealed().settled()
    other = world.task(2, price=5, fee=0).posted().accepted().committed().drawn().attested().revealed().settled()
    money = world.token.balanceOf(world.solver)
    assert world.market.withdraw(sender=world.solver) == 1_000_005
    assert event(world.market, "Withdrawn") == {"account": world.solver, "amount": 1_000_005}
    assert world.token.balanceOf(world.solver) == money + 1_000_005
    with boa.reverts("market: nothing owed"):
        world.market.withdraw(sender=world.solver)
    with boa.reverts("market: nothing owed"):
        world.market.withdraw(sender=world.stranger)
    for who in drawn.drawn_verifiers:
        assert world.market.withdraw(sender=who) == 70_000
    assert world.token.balanceOf(world.market.address) == 0
    assert other.state == SETTLED


def test_a_stranger_who_ends_things_gets_nothing(world: World, drawn: Life) -> None:
    drawn.attested().revealed().settled()
    assert owed(world, world.stranger) == [0]


@pytest.mark.parametrize("shape", [(200, 20, 2, 3), (100_000, 1, 2, 4)], ids=["demo", "100,000 intervals"])
def test_gas_of_a_whole_life(world: World, shape: tuple[int, int, int, int]) -> None:
    """Prints (with -s) what each transaction costs, calldata included; nothing may come near a block's gas."""
    steps, interval, verifiers, audit = shape
    task = world.task(steps=steps, interval=interval, verifiers=verifiers, audit_intervals=audit)
    gas: dict[str, int] = {}
    for move in ("posted", "accepted", "committed", "previewed", "attested", "revealed", "settled"):
        getattr(task, move)()
        if move == "previewed":
            continue
        gas[f"{move} (the last of {verifiers})" if move in ("attested", "revealed") else move] = cost(world)
    world.market.withdraw(sender=world.solver)
    gas["withdraw"] = cost(world)
    print(f"\n{-(-steps // interval)} intervals, {verifiers} verifiers, {audit} intervals each:")
    for move, amount in gas.items():
        print(f"  {move:26}{amount:>10,}")
    assert all(21_000 < amount < 3_000_000 for amount in gas.values())


def cost(world: World) -> int:
    """Gas of the market's last transaction, with the intrinsic part that boa leaves out."""
    computation = world.market._computation
    data = bytes(computation.msg.data)
    return computation.get_gas_used() + 21_000 + sum(16 if byte else 4 for byte in data)


def test_the_largest_reveal_fits_in_a_block(world: World) -> None:
    while world.stakes.count(VERIFIER) < 16:
        world.stakes.register(VERIFIER, VERIFIER_MINIMUM, "", sender=world.person())
    task = world.task(steps=2**14, interval=1, verifiers=16, audit_intervals=32)
    task.posted().accepted().committed().drawn()
    draw = cost(world)
    task.attested(15).late().expired().revealed()
    reveal = cost(world)
    print(f"\n16 verifiers, 32 of 16,384 intervals each: draw {draw:,}, reveal {reveal:,}")
    assert max(draw, reveal) < 15_000_000
    assert task.info.matched == 1 << 15
