"""Attestations, their end, and reveals."""

from __future__ import annotations

import boa
import pytest
from contract_reference import Result
from contract_world import (
    AUDITED,
    COMMITTED,
    REFUNDED,
    SETTLED,
    VERIFIER,
    VERIFIER_COLLATERAL,
    VERIFIER_LOCK,
    VERIFIER_MINIMUM,
    Life,
    World,
    event,
    events,
)

NOT_OPENED = "market: (proof|final root)"
"""The second where the last interval is among those drawn, which the block hash decides."""


@pytest.fixture
def drawn(world: World) -> Life:
    return world.task().posted().accepted().committed().drawn()


@pytest.fixture
def audited(drawn: Life) -> Life:
    return drawn.attested()


def test_attest_seals(world: World, drawn: Life) -> None:
    who = drawn.drawn_verifiers[1]
    sealed = drawn.match_of(1)
    drawn.attested(1)
    logged = event(world.market, "Attested")
    assert logged == {"id": drawn.id, "verifier": who, "position": 1, "commitment": sealed}
    assert drawn.sealed_by(who) == sealed
    assert drawn.sealed_by(drawn.drawn_verifiers[0]) == bytes(32)
    assert world.locked(who, VERIFIER) == VERIFIER_COLLATERAL
    assert (drawn.info.attestations, drawn.state) == (1, COMMITTED)


def test_the_last_attestation_ends_the_wait(world: World, drawn: Life) -> None:
    drawn.attested(0)
    assert [name for name, _ in events(world.market)] == ["Attested"]
    world.mine(seconds=30)
    drawn.attested(1)
    assert event(world.market, "Audited") == {"id": drawn.id, "attestations": 2, "deadline": world.now + 400}
    assert (drawn.state, drawn.info.deadline) == (AUDITED, world.now + 400)


def test_only_drawn_verifiers_attest_and_only_once(world: World, drawn: Life) -> None:
    idle = set(world.verifiers) - set(drawn.drawn_verifiers)
    assert len(idle) == 2
    for who in (*idle, world.stranger, world.solver, world.submitter):
        with boa.reverts("market: not a drawn verifier"):
            world.market.attest(drawn.key, drawn.sworn, b"\x01" * 32, sender=who)
    for small in (0, 2**64 + 3, 2**128 - 1):  # these stand for findings that were opened
        with boa.reverts("market: commitment"):
            world.market.attest(drawn.key, drawn.sworn, small.to_bytes(32, "big"), sender=drawn.drawn_verifiers[0])
    drawn.attested(0)
    with boa.reverts("market: attested"):
        drawn.attested_lazily(0)


def test_nobody_attests_before_the_draw_or_after_the_end(world: World) -> None:
    task = world.task().posted().accepted().committed()
    with boa.reverts("market: too early"):
        world.market.attest(task.key, task.sworn, b"\x01" * 32, sender=world.verifiers[0])
    task.drawn().last_moment().attested(0).late()
    with boa.reverts("market: expired"):
        task.attested(1)
    task.expired()
    with boa.reverts("market: state"):
        task.attested(1)


def test_close_goes_on_with_what_there_is(world: World, drawn: Life) -> None:
    drawn.attested(1).last_moment()
    with boa.reverts("market: not expired"):
        drawn.expired()
    drawn.late()
    world.mine(seconds=1000)
    drawn.expired()
    assert event(world.market, "Audited") == {"id": drawn.id, "attestations": 1, "deadline": world.now + 400}
    assert drawn.state == AUDITED


@pytest.mark.parametrize(("drawn_at_all", "reason"), [(True, "not attested"), (False, "not drawn")])
def test_close_refunds_when_nobody_attested(world: World, drawn_at_all: bool, reason: str) -> None:
    task = world.task().posted().accepted().committed()
    if drawn_at_all:
        task.drawn()
    task.late().expired()
    if drawn_at_all:
        task.reanchored().drawn().late().expired()
    assert event(world.market, "Refunded")["reason"] == reason
    assert (task.state, world.market.owed(world.submitter)) == (REFUNDED, task.terms.escrow)


def test_others_are_drawn_once_when_nobody_attested(world: World, drawn: Life) -> None:
    """Nobody is punished for it: it never agreed to the terms. But a submitter's own verifiers do not get it the result."""
    silent = drawn.drawn_verifiers
    drawn.late().expired()
    logged = event(world.market, "Reanchored")
    assert logged == {"id": drawn.id, "anchor": world.height, "seats": 4}
    drawn.reanchored()
    assert (drawn.state, drawn.info.deadline) == (COMMITTED, world.now + 300)
    with boa.reverts("market: too early"):
        drawn.drawn_now()
    drawn.drawn()
    assert drawn.attested().revealed().state == SETTLED
    assert all(world.stakes.stake_of(one, VERIFIER) == VERIFIER_MINIMUM for one in silent)


def test_who_has_accused_is_not_drawn_the_second_time(world: World) -> None:
    """It has sealed already, and locked something else for it."""
    task = world.task(patrol_for=100, verifiers=3).posted().accepted().committed().drawn()
    (idle,) = set(world.verifiers) - set(task.drawn_verifiers)
    task.accused(idle, (1, 2, bytes(32))).late().expired()
    task.drawn()
    assert sorted(task.drawn_verifiers) == sorted(set(world.verifiers) - {idle})
    task.attested()
    task.disputed(idle, (1, 2, bytes(32))).ruled(idle, True)
    assert world.locked(idle, VERIFIER) == VERIFIER_LOCK
    world.market.release(task.key, idle, 0, 0, bytes(32))
    assert world.locked(idle, VERIFIER) == 0


def test_who_cannot_lock_enough_is_passed_over(world: World) -> None:
    other = world.task(10, verifiers=4, verifier_collateral=250).posted().accepted().committed().drawn()
    other.attested(*(other.drawn_verifiers.index(who) for who in world.verifiers[:2]))
    task = world.task().posted().accepted().committed().drawn()
    assert sorted(task.drawn_verifiers) == sorted(world.verifiers[2:])
    with boa.reverts("market: too few verifiers"):
        world.task(2, verifiers=3).posted().accepted().committed().drawn()


def test_stakes_that_grew_after_the_commitment_do_not_count(world: World) -> None:
    task = world.task(verifier_collateral=VERIFIER_MINIMUM + 1, verifiers=1).posted().accepted().committed()
    world.mine()
    world.stakes.register(VERIFIER, 1, "", sender=world.verifiers[0])
    with boa.reverts("market: too few verifiers"):
        task.drawn()
    later = world.task(2, verifier_collateral=VERIFIER_MINIMUM + 1, verifiers=1).posted().accepted().committed()
    assert later.drawn().drawn_verifiers == [world.verifiers[0]]


def test_attesting_takes_free_stake(world: World, drawn: Life) -> None:
    """What the terms say is locked; one who is leaving is still good for its word."""
    who = drawn.drawn_verifiers[0]
    world.stakes.leave(VERIFIER, sender=who)
    drawn.attested(0)
    world.mine(seconds=1000)
    world.stakes.withdraw(VERIFIER, sender=who)
    assert world.stakes.stake_of(who, VERIFIER) == VERIFIER_COLLATERAL
    with boa.reverts("stakes: locked"):
        world.stakes.withdraw(VERIFIER, sender=who)
    drawn.expired().revealed()
    world.stakes.withdraw(VERIFIER, sender=who)
    assert world.stakes.stake_of(who, VERIFIER) == 0


def test_who_has_withdrawn_does_not_attest(world: World, drawn: Life) -> None:
    task = world.task(2, attest_for=5000).posted().accepted().committed().drawn()
    who = task.drawn_verifiers[0]
    world.stakes.leave(VERIFIER, sender=who)
    world.mine(seconds=1000)
    world.stakes.withdraw(VERIFIER, sender=who)
    with boa.reverts("stakes: free stake"):
        task.attested(0)


def test_reveal_shows_a_match(world: World, audited: Life) -> None:
    who = audited.drawn_verifiers[1]
    audited.revealed(1)
    assert event(world.market, "Revealed") == {"id": audited.id, "verifier": who, "position": 1, "matched": True}
    assert (audited.info.revealed, audited.info.matched) == (0b10, 0b10)
    with boa.reverts("market: revealed"):
        audited.revealed(1)


def test_reveal_shows_that_an_attestation_was_made_up(world: World, drawn: Life) -> None:
    drawn.attested_lazily(0).attested(1).revealed(0)
    assert event(world.market, "Revealed")["matched"] is False
    assert (drawn.info.revealed, drawn.info.matched) == (0b01, 0)


def test_a_copied_attestation_does_not_match(world: World, drawn: Life) -> None:
    """The seal binds the address: who copies another verifier's has attested to nothing."""
    drawn.attested(0)
    copied = drawn.sealed_by(drawn.drawn_verifiers[0])
    world.market.attest(drawn.key, drawn.sworn, copied, sender=drawn.drawn_verifiers[1])
    drawn.revealed()
    assert drawn.info.matched == 0b01


@pytest.mark.parametrize(
    ("steps", "interval", "verifiers", "audit"),
    [(1, 1, 1, 1), (1, 7, 2, 1), (2, 1, 1, 2), (10, 5, 3, 2), (43, 5, 4, 9), (64, 8, 2, 4), (129, 2, 1, 32)],
)
def test_reveal_of_many_shapes(world: World, steps: int, interval: int, verifiers: int, audit: int) -> None:
    task = world.task(steps=steps, interval=interval, verifiers=verifiers, audit_intervals=audit)
    task.posted().accepted().committed().drawn().attested()
    assert task.revealed().state == SETTLED
    assert len(task.result.levels) - 1 == world.rules.proof_depth(task.terms)


@pytest.mark.parametrize("word", range(8), ids=["digest", "previous", "state", "batches", *["proof"] * 4])
@pytest.mark.parametrize("item", [0, 2])
def test_reveal_of_something_else_than_the_commitment(audited: Life, word: int, item: int) -> None:
    opened = audited.result.opening(audited.picks(0))
    which, at = (1, 32 * (7 * item + word - 1)) if word else (0, 32 * item)
    opened[which] = opened[which][:at] + b"\x66" * 32 + opened[which][at + 32 :]
    last = audited.picks(0)[item] == audited.result.intervals - 1
    with boa.reverts("market: final root" if word == 2 and last else "market: proof"):
        audited.revealed(0, lists=opened)
    assert audited.info.revealed == 0


def test_reveal_with_another_program_or_step_count(world: World) -> None:
    """Program root and step are the task's own, so a trajectory of another computation cannot be opened."""
    for salt, changes in enumerate([{"program_root": b"\x77" * 32}, {"steps": 41}, {"interval": 6, "steps": 54}]):
        task = world.task(salt, audit_intervals=9, verifiers=1)
        other = {"steps": 43, "interval": 5, "program_root": task.terms.program_root} | changes
        task.result = Result.random(**other, seed=salt)
        assert task.result.intervals == 9
        task.posted().accepted().committed().drawn().attested()
        with boa.reverts("market: proof"):
            task.revealed()


@pytest.mark.parametrize("which", [0, 1], ids=["digests", "proofs"])
@pytest.mark.parametrize("change", [-32, -1, 1, 32])
def test_reveal_with_too_few_or_too_many_bytes(audited: Life, which: int, change: int) -> None:
    lists = audited.result.opening(audited.picks(0))
    lists[which] = lists[which][:change] if change < 0 else lists[which] + bytes(change)
    with boa.reverts("market: length"):
        audited.revealed(0, lists=lists)


def test_reveal_of_another_verifiers_intervals(audited: Life) -> None:
    with pytest.raises(boa.BoaError, match=NOT_OPENED):
        audited.revealed(0, lists=audited.result.opening(audited.picks(1)))


def test_reveal_of_the_right_intervals_in_another_order(audited: Life) -> None:
    with pytest.raises(boa.BoaError, match=NOT_OPENED):
        audited.revealed(0, lists=audited.result.opening(audited.picks(0)[::-1]))


def test_the_last_checkpoint_must_be_the_result(world: World) -> None:
    task = world.task(verifiers=3).posted().accepted().committed(final_root=b"\x01" * 32).drawn().attested()
    (holder,) = [j for j in range(3) if 8 in task.picks(j)]
    for j in range(3):
        if j != holder:
            task.revealed(j)
    with boa.reverts("market: final root"):
        task.revealed(holder)


def test_only_the_solver_reveals_and_only_for_those_who_attested(world: World, drawn: Life) -> None:
    lists = drawn.result.opening(drawn.picks(0))
    with boa.reverts("market: state"):
        drawn.revealed(0)
    drawn.attested(0).late().expired()
    for who in (world.stranger, world.submitter, drawn.drawn_verifiers[0]):
        with boa.reverts("market: not the solver"):
            world.market.reveal(drawn.key, drawn.sworn, 0, *lists, sender=who)
    for position, reason in ((1, "not attested"), (2, "position"), (2**256 - 1, "position")):
        with boa.reverts(f"market: {reason}"):
            world.market.reveal(drawn.key, drawn.sworn, position, *lists, sender=world.solver)
    drawn.revealed(0)


def test_reveal_in_the_last_second_but_not_later(audited: Life) -> None:
    audited.last_moment().revealed(0).late()
    with boa.reverts("market: expired"):
        audited.revealed(1)
