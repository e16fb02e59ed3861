"""Accusations, disputes, rulings and conceded faults: who may, when, and where the money goes."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from contract_reference import finding
from contract_world import (
    AUDITED,
    BURNED,
    DISPUTED,
    REFUNDED,
    SETTLED,
    SOLVER,
    SOLVER_STAKE,
    VERIFIER,
    VERIFIER_LOCK,
    VERIFIER_MINIMUM,
    WHISTLEBLOWER,
    WHISTLEBLOWER_LOCK,
    WHISTLEBLOWER_MINIMUM,
    Life,
    World,
    event,
    events,
)

SALT = b"\x5a" * 32
FAULT_PERIOD = 30 * 86400


def found(interval: int, kind: int = 1) -> tuple[int, int, bytes]:
    """A finding."""
    return (kind, interval, SALT)


@pytest.fixture
def drawn(world: World) -> Life:
    """Two verifiers are drawn; the patrol has 100 seconds."""
    return world.task(patrol_for=100).posted().accepted().committed().drawn()


def after_patrol(task: Life) -> Life:
    task.world.mine(seconds=task.sworn.committed_at + task.terms.patrol_for + 1 - task.world.now)
    return task


def stake(world: World, who: Any, role: int = SOLVER) -> int:
    return world.stakes.stake_of(who, role)


# -- accusations ---------------------------------------------------------------------------------------------------


def test_a_whistleblower_accuses(world: World, drawn: Life) -> None:
    who = world.whistleblower()
    drawn.accused(who, found(2))
    seal = finding(drawn.id, who, found(2))
    assert event(world.market, "Accused") == {
        "id": drawn.id,
        "accuser": who,
        "role": WHISTLEBLOWER,
        "commitment": seal,
    }
    assert drawn.sealed_by(who) == seal
    assert drawn.info.accusations == 1
    assert world.locked(who, WHISTLEBLOWER) == WHISTLEBLOWER_LOCK
    with boa.reverts("market: attested"):
        drawn.accused(who, found(3))


def test_a_verifier_that_was_not_drawn_accuses(world: World, drawn: Life) -> None:
    idle = next(who for who in world.verifiers if who not in drawn.drawn_verifiers)
    drawn.accused(idle, found(2))
    assert event(world.market, "Accused")["role"] == VERIFIER
    assert world.locked(idle, VERIFIER) == VERIFIER_LOCK


def test_nobody_else_accuses(world: World, drawn: Life) -> None:
    for who, reason in [
        (world.solver, "market: own task"),
        (drawn.drawn_verifiers[0], "market: drawn verifier"),
        (world.stranger, "stakes: not active"),
    ]:
        with boa.reverts(reason):
            drawn.accused(who, found(2))
    early = world.task(2, patrol_for=100).posted().accepted().committed()
    with boa.reverts("market: not drawn"):
        early.accused(world.whistleblower(), found(2))


def test_accusations_until_the_patrol_is_over(world: World, drawn: Life) -> None:
    one, two = world.whistleblower(), world.whistleblower()
    drawn.attested()
    world.mine(seconds=drawn.sworn.committed_at + 100 - world.now)
    assert drawn.accused(one, found(2)).state == AUDITED
    world.mine()
    with boa.reverts("market: patrol is over"):
        drawn.accused(two, found(2))


def test_the_window_for_disputes_begins_after_the_patrol(drawn: Life) -> None:
    drawn.attested()
    assert drawn.info.deadline == drawn.sworn.committed_at + 100 + 400


def test_accusations_alone_are_audited_too(world: World, drawn: Life) -> None:
    """No verifier has attested; whoever accused can still show it."""
    who = world.whistleblower()
    drawn.accused(who, found(2)).late().expired()
    assert drawn.state == AUDITED
    drawn.disputed(who, found(2)).ruled(who, True)
    assert event(world.market, "Refunded", world.game)["reason"] == "ruled wrong"


def test_an_accusation_delays_settlement_and_costs_who_never_opens_it(world: World, drawn: Life) -> None:
    who = world.whistleblower()
    drawn.accused(who, found(2)).attested().revealed()
    after_patrol(drawn)
    with boa.reverts("market: reveal window"):
        drawn.settled()
    with boa.reverts("market: state"):
        world.market.release(drawn.id, who, 0, 0, SALT)
    assert drawn.late().settled().state == SETTLED
    burned = world.token.balanceOf(BURNED)
    world.market.release(drawn.id, who, 0, 0, SALT)
    assert stake(world, who, WHISTLEBLOWER) == WHISTLEBLOWER_MINIMUM - WHISTLEBLOWER_LOCK // 2
    assert world.token.balanceOf(BURNED) == burned + WHISTLEBLOWER_LOCK // 2
    assert world.locked(who, WHISTLEBLOWER) == 0
    with boa.reverts("market: nothing to release"):
        world.market.release(drawn.id, who, 0, 0, SALT)


def test_an_accusation_that_was_opened_costs_nothing_here(world: World, drawn: Life) -> None:
    """Not even if it was wrong: its bonds are the game's affair."""
    who = world.whistleblower()
    drawn.accused(who, found(2)).attested().revealed()
    after_patrol(drawn).disputed(who, found(2)).ruled(who, False).settled()
    world.market.release(drawn.id, who, 0, 0, SALT)
    assert stake(world, who, WHISTLEBLOWER) == WHISTLEBLOWER_MINIMUM
    assert world.locked(who, WHISTLEBLOWER) == 0


def test_an_accusation_of_a_task_that_ended_otherwise_costs_nothing(world: World, drawn: Life) -> None:
    one, two = world.whistleblower(), world.whistleblower()
    drawn.accused(one, found(2)).accused(two, found(2)).attested()
    after_patrol(drawn).disputed(one, found(2)).ruled(one, True)
    world.market.release(drawn.id, two, 0, 0, SALT)
    assert stake(world, two, WHISTLEBLOWER) == WHISTLEBLOWER_MINIMUM
    assert world.locked(two, WHISTLEBLOWER) == 0


# -- disputes ------------------------------------------------------------------------------------------------------


def test_a_dispute_opens_what_was_sealed(world: World, drawn: Life) -> None:
    who = drawn.drawn_verifiers[1]
    drawn.attested(0).attested_finding(1, found(2, kind=3))
    with boa.reverts("market: patrol"):
        drawn.disputed(who, found(2, kind=3))
    after_patrol(drawn).disputed(who, found(2, kind=3))
    logged = event(world.market, "Disputed", world.game)
    assert logged == {"id": drawn.id, "challenger": who, "kind": 3, "interval": 2}
    assert (drawn.state, world.market.state(drawn.id), drawn.info.games) == (DISPUTED, DISPUTED, 1)
    assert world.market.charged(drawn.id) == 3
    with boa.reverts("market: finding"):
        drawn.disputed(who, found(2, kind=3))


def test_only_what_was_sealed(world: World, drawn: Life) -> None:
    who, other = world.whistleblower(), world.whistleblower()
    drawn.accused(who, found(2))
    world.market.accuse(drawn.key, drawn.sworn, finding(drawn.id, who, found(2)), sender=other)  # copied
    after_patrol(drawn.attested())
    for challenger, guess in [
        (who, found(3)),
        (who, found(2, kind=2)),
        (who, (1, 2, bytes(32))),
        (other, found(2)),
        (drawn.drawn_verifiers[0], found(2)),
        (world.stranger, found(2)),
    ]:
        with boa.reverts("market: finding"):
            drawn.disputed(challenger, guess)


def test_an_interval_that_there_is_not(world: World, drawn: Life) -> None:
    who = world.whistleblower()
    after_patrol(drawn.accused(who, found(9)).attested())
    with boa.reverts("market: interval"):
        drawn.disputed(who, found(9))


def test_disputes_in_the_last_second_but_not_later(world: World, drawn: Life) -> None:
    one, two = world.whistleblower(), world.whistleblower()
    drawn.accused(one, found(2)).accused(two, found(2)).attested().last_moment().disputed(one, found(2)).late()
    with boa.reverts("market: expired"):
        drawn.disputed(two, found(2))


def test_only_the_game_speaks_for_the_game(world: World, drawn: Life) -> None:
    who = world.whistleblower()
    after_patrol(drawn.accused(who, found(2)).attested())
    for call in (
        lambda: world.market.dispute(drawn.key, drawn.sworn, who, *found(2), sender=world.submitter),
        lambda: world.market.rule(drawn.key, drawn.sworn, who, True, sender=who),
        lambda: world.market.answered(drawn.id, sender=who),
    ):
        with boa.reverts("market: not the game"):
            call()


def test_nothing_ends_while_a_game_is_going_on(world: World, drawn: Life) -> None:
    who = world.whistleblower()
    drawn.accused(who, found(2)).attested().revealed()
    after_patrol(drawn).disputed(who, found(2)).late()
    for push in (drawn.settled, drawn.expired):
        with boa.reverts("market: disputed"):
            push()
    drawn.ruled(who, False).settled()
    assert drawn.state == SETTLED


def test_many_challengers_at_once(world: World, drawn: Life) -> None:
    """One wrong claim does not block an honest one, nor does it wait for it."""
    wrong, right = world.whistleblower(), world.whistleblower()
    drawn.accused(wrong, found(5)).accused(right, found(2)).attested()
    after_patrol(drawn).disputed(wrong, found(5)).disputed(right, found(2))
    assert (drawn.info.games, drawn.info.accusations) == (2, 0)
    assert world.market.charged(drawn.id) == 2**256 - 1
    drawn.ruled(right, True)
    assert drawn.state == REFUNDED
    drawn.ruled(wrong, False)
    drawn.ruled(wrong, True)
    assert stake(world, world.solver) == SOLVER_STAKE - 400


def test_a_ruling_needs_a_dispute(world: World, drawn: Life) -> None:
    one, two = world.whistleblower(), world.whistleblower()
    after_patrol(drawn.accused(one, found(2)).accused(two, found(2)).attested())
    with boa.reverts("market: state"):
        drawn.ruled(one, True)
    drawn.disputed(one, found(2))
    for who in (two, world.stranger):
        with boa.reverts("market: not disputed"):
            drawn.ruled(who, True)


# -- rulings -------------------------------------------------------------------------------------------------------


def test_a_wrong_result_costs_the_collateral(world: World, drawn: Life) -> None:
    who = world.whistleblower()
    drawn.accused(who, found(2)).attested()
    after_patrol(drawn).disputed(who, found(2)).ruled(who, True)
    logged = events(world.market, world.game)
    assert ("Ruled", {"id": drawn.id, "challenger": who, "interval": 2, "upheld": True}) in logged
    condemned = {"id": drawn.id, "account": world.solver, "role": 1, "amount": 400, "reward": 100, "compensation": 100}
    assert ("Condemned", condemned) in logged
    assert event(world.market, "Refunded", world.game)["reason"] == "ruled wrong"
    assert stake(world, world.solver) == SOLVER_STAKE - 400
    assert world.locked(world.solver, SOLVER) == 0
    assert world.token.balanceOf(BURNED) == 200
    assert world.market.owed(who) == 100
    assert world.market.owed(world.submitter) == drawn.terms.escrow + 100
    assert world.market.owed(world.solver) == 0
    assert world.market.withdraw(sender=who) == 100
    assert world.market.withdraw(sender=world.submitter) == drawn.terms.escrow + 100
    assert world.token.balanceOf(world.market.address) == 0


def test_a_solver_without_enough_left_loses_its_role(world: World, drawn: Life) -> None:
    small = world.member(SOLVER, 600)
    task = world.task(2).posted().accepted(small).committed().drawn()
    challenger = task.drawn_verifiers[0]
    task.attested_finding(0, found(2)).attested(1).disputed(challenger, found(2)).ruled(challenger, True)
    assert not world.stakes.is_active(small, SOLVER)
    assert stake(world, small) == 200
    with boa.reverts("stakes: unbonding"):
        world.stakes.withdraw(SOLVER, sender=small)
    world.mine(seconds=1000)
    assert world.stakes.withdraw(SOLVER, sender=small) == 200


def test_a_task_without_collateral_has_nothing_to_take(world: World) -> None:
    task = world.task(collateral=0).posted().accepted().committed().drawn()
    who = task.drawn_verifiers[0]
    task.attested_finding(0, found(2)).attested(1).disputed(who, found(2)).ruled(who, True)
    assert task.state == REFUNDED
    assert (stake(world, world.solver), world.market.owed(who)) == (SOLVER_STAKE, 0)


def test_who_swore_to_the_proven_interval_loses_too(world: World, drawn: Life) -> None:
    who = world.whistleblower()
    proven = drawn.picks(0)[0]
    guilty, innocent = drawn.drawn_verifiers
    assert proven not in drawn.picks(1)
    drawn.accused(who, found(proven)).attested().revealed()
    after_patrol(drawn).disputed(who, found(proven)).ruled(who, True)
    assert stake(world, guilty, VERIFIER) == VERIFIER_MINIMUM - VERIFIER_LOCK
    assert not world.stakes.is_active(guilty, VERIFIER)
    assert stake(world, innocent, VERIFIER) == VERIFIER_MINIMUM
    assert [world.locked(one, VERIFIER) for one in (guilty, innocent)] == [0, 0]
    reward = VERIFIER_LOCK * 25 // 100
    assert world.market.owed(who) == 100 + reward
    assert world.token.balanceOf(BURNED) == 200 + VERIFIER_LOCK - reward


def test_a_verifier_that_found_it_too_is_freed_by_showing_it(world: World, drawn: Life) -> None:
    """The solver had not revealed for it, so nobody knows whether it swore to the wrong interval until it shows its seal."""
    who = world.whistleblower()
    proven = drawn.picks(0)[0]
    honest, other = drawn.drawn_verifiers
    drawn.accused(who, found(proven)).attested_finding(0, found(proven)).attested(1)
    after_patrol(drawn).disputed(who, found(proven)).ruled(who, True)
    assert [world.locked(one, VERIFIER) for one in (honest, other)] == [VERIFIER_LOCK, 0]
    with boa.reverts("market: finding"):
        world.market.release(drawn.id, honest, 1, proven + 1, SALT)
    world.market.release(drawn.id, honest, *found(proven))
    assert (world.locked(honest, VERIFIER), stake(world, honest, VERIFIER)) == (0, VERIFIER_MINIMUM)
    for one in (honest, other, world.stranger):
        with boa.reverts("market: nothing to release"):
            world.market.release(drawn.id, one, *found(proven))


def test_a_colluding_verifier_does_not_escape_by_not_being_revealed(world: World, drawn: Life) -> None:
    who = world.whistleblower()
    proven = drawn.picks(0)[0]
    colluding = drawn.drawn_verifiers[0]
    drawn.accused(who, found(proven)).attested()
    after_patrol(drawn).disputed(who, found(proven)).ruled(who, True)
    with boa.reverts("market: finding"):
        world.market.release(drawn.id, colluding, *found(proven))
    world.mine(seconds=30 * 86400 + 1)
    burned = world.token.balanceOf(BURNED)
    world.market.release(drawn.id, colluding, *found(proven))
    assert stake(world, colluding, VERIFIER) == VERIFIER_MINIMUM - VERIFIER_LOCK
    assert (world.locked(colluding, VERIFIER), world.token.balanceOf(BURNED)) == (0, burned + VERIFIER_LOCK)


def test_a_verifier_that_disputed_itself_is_freed(world: World, drawn: Life) -> None:
    proven = drawn.picks(0)[0]
    who = drawn.drawn_verifiers[0]
    drawn.attested_finding(0, found(proven)).attested(1)
    after_patrol(drawn).disputed(who, found(proven)).ruled(who, True)
    assert (world.locked(who, VERIFIER), world.market.owed(who)) == (0, 100)


def test_a_dismissed_challenge_changes_nothing_for_the_others(world: World, drawn: Life) -> None:
    who = drawn.drawn_verifiers[0]
    drawn.attested_finding(0, found(2)).attested(1)
    after_patrol(drawn).disputed(who, found(2)).revealed().ruled(who, False)
    assert event(world.market, "Ruled", world.game)["upheld"] is False
    drawn.late().settled()
    logged = event(world.market, "Settled")
    assert (logged["paid"], logged["fees"], logged["refunded"]) == (1_000_000, 70_000, 70_000)
    assert event(world.market, "LazyVerifier")["verifier"] == who
    assert stake(world, world.solver) == SOLVER_STAKE


# -- silence and faults --------------------------------------------------------------------------------------------


def test_a_solver_that_does_not_open_its_commitment_loses_its_collateral(world: World, drawn: Life) -> None:
    drawn.attested().revealed(0).late().settled()
    assert event(world.market, "Refunded")["reason"] == "not revealed"
    assert stake(world, world.solver) == SOLVER_STAKE - 400
    assert world.market.owed(world.submitter) == drawn.terms.escrow + 100
    assert world.token.balanceOf(BURNED) == 300


def test_a_fault_costs_the_work_and_not_the_stake(world: World, drawn: Life) -> None:
    who = world.whistleblower()
    drawn.accused(who, found(2)).attested()
    after_patrol(drawn).disputed(who, found(2)).conceded(2)
    assert event(world.market, "Fault") == {"id": drawn.id, "solver": world.solver, "interval": 2}
    assert event(world.market, "Refunded")["reason"] == "fault"
    assert (stake(world, world.solver), world.locked(world.solver, SOLVER)) == (SOLVER_STAKE, 0)
    assert world.market.owed(world.submitter) == drawn.terms.escrow
    assert all(world.locked(one, VERIFIER) == 0 for one in drawn.drawn_verifiers)
    drawn.ruled(who, True)
    assert stake(world, world.solver) == SOLVER_STAKE


def test_a_fault_may_be_conceded_before_anybody_disputes(drawn: Life) -> None:
    assert drawn.attested().conceded(0).state == REFUNDED


def test_what_cannot_be_conceded(world: World, drawn: Life) -> None:
    one, two = world.whistleblower(), world.whistleblower()
    drawn.accused(one, found(2)).accused(two, found(5)).attested()
    after_patrol(drawn).disputed(one, found(2))
    with boa.reverts("market: not the solver"):
        world.market.concede(drawn.key, drawn.sworn, 2, sender=world.submitter)
    for interval, reason in ((5, "market: another interval"), (9, "market: interval")):
        with boa.reverts(reason):
            drawn.conceded(interval)
    drawn.disputed(two, found(5))
    for interval in (2, 5):
        with boa.reverts("market: another interval"):
            drawn.conceded(interval)


def test_who_has_answered_stands_by_it(world: World, drawn: Life) -> None:
    who = world.whistleblower()
    drawn.accused(who, found(2)).attested()
    after_patrol(drawn).disputed(who, found(2))
    world.game.answered(drawn.id)
    with boa.reverts("market: answered"):
        drawn.conceded(2)


def test_silence_cannot_be_turned_into_a_fault(drawn: Life) -> None:
    drawn.attested().late()
    with boa.reverts("market: expired"):
        drawn.conceded(2)


def test_one_fault_in_a_period(world: World) -> None:
    first = world.task(1).posted().accepted().committed().drawn().attested().conceded(0)
    assert first.state == REFUNDED
    second = world.task(2).posted().accepted().committed().drawn().attested()
    with boa.reverts("market: second fault"):
        second.conceded(0)
    world.mine(seconds=FAULT_PERIOD)
    third = world.task(3).posted().accepted().committed().drawn().attested().conceded(0)
    assert third.state == REFUNDED


# -- many calls in one ---------------------------------------------------------------------------------------------


def test_many_calls_in_one_transaction(world: World) -> None:
    market = world.market
    tasks = [world.task(n, price=5, fee=1, verifiers=1, collateral=10) for n in range(10)]

    def batch(who: Any, calls: list[bytes]) -> None:
        market.multicall(calls, sender=who)

    batch(world.submitter, [market.post.prepare_calldata(t.salt, t.terms, t.work) for t in tasks])
    batch(world.solver, [market.accept.prepare_calldata(t.key) for t in tasks])
    assert world.locked(world.solver, SOLVER) == 100
    assert world.token.balanceOf(market.address) == 60
    refused = [market.cancel.prepare_calldata(tasks[0].key)]
    with boa.reverts("market: state"):
        batch(world.submitter, [*refused, *refused])


def test_a_batch_is_all_or_nothing_and_only_as_the_caller(world: World) -> None:
    one, two = world.task(1).posted(), world.task(2).posted()
    cancel = [world.market.cancel.prepare_calldata(t.key) for t in (one, two)]
    with boa.reverts("market: not the submitter"):
        world.market.multicall(cancel, sender=world.stranger)
    with boa.reverts("market: state"):
        world.market.multicall([*cancel, cancel[0]], sender=world.submitter)
    assert one.state == two.state == 1
    nested = world.market.multicall.prepare_calldata(cancel)
    world.market.multicall([nested], sender=world.submitter)
    assert one.state == two.state == REFUNDED
