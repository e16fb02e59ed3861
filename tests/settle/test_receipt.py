"""Receipts of real short lives on the embedded chain: who was paid, refunded, slashed, and who was found out."""

from __future__ import annotations

import secrets

import pytest
from small import Life, Village

from assay.chain import Role
from assay.errors import Reverted
from assay.market import Windows
from assay.settle import due
from assay.verify import Sealed, echo, finding_commitment
from assay.words import Kind, Receipt, TaskState, canonical, parse

MINUTE = Windows(open_for=60, work_for=60, patrol_for=0, attest_for=60, reveal_for=60, clock=60, extension=5)


def closed(life: Life) -> Receipt:
    """The receipt, after the checks that hold for every ended task."""
    found = life.receipt()
    state = life.task.state
    assert state.final
    assert found.outcome == state.name.lower()
    assert found.task == life.id
    assert found.escrow == life.escrow == found.paid + found.refunded
    condemned = [event.args for event in life.village.submitter.market.events(life.id) if event.name == "Condemned"]
    given = sum(args["reward"] + args["compensation"] for args in condemned)
    assert sum(found.payments.values()) == found.escrow + given, "what is slashed is paid out or burned"
    assert sum(found.slashed.values()) == sum(args["amount"] for args in condemned) >= 2 * given
    assert found.submitter == life.village.submitter.address
    assert all(found.payments.get(caught.who, 0) == caught.paid == 0 for caught in found.caught)
    assert parse(Receipt, canonical(found)) == found
    return found


def withdrawn(life: Life) -> dict[str, int]:
    """What everybody is owed, as they then really get it."""
    got = {}
    for person in (life.village.submitter, life.village.solver, *life.village.verifiers):
        before = person.token.balance_of(person.address)
        if person.market.owed(person.address):
            person.market.withdraw()
        got[person.address] = person.token.balance_of(person.address) - before
    assert life.village.submitter.token.balance_of(life.village.submitter.market.address) == 0
    return {who: value for who, value in got.items() if value}


def refunded(life: Life, reason: str, *, also: int = 0) -> Receipt:
    """The receipt of a task whose submitter has everything back, and `also` something of what was slashed."""
    found = closed(life)
    assert (found.outcome, found.reason, found.paid) == ("refunded", reason, 0)
    assert found.payments == {found.submitter: found.escrow + also} == withdrawn(life)
    return found


def pushed(life: Life) -> Life:
    """Whatever `due` asks for, sent by somebody who has no part in the task."""
    push = due(life.task, life.village.submitter.client.now())
    assert push is not None
    getattr(life.village.person().market, push.value)(life.id)
    return life


def lied(village: Village) -> tuple[Life, int, Sealed]:
    """A tampered result, audited by both; who of them has found it, and what."""
    life = village.post(MINUTE).accepted().committed(village.tampered).drawn()
    sealed = [life.audited_by(0), life.audited_by(1)]
    finder = next(j for j in (0, 1) if not sealed[j].matched)
    assert sealed[1 - finder].matched, "each interval is dealt to one of them"
    life.attested(0, sealed[0]).attested(1, sealed[1])
    return life, finder, sealed[finder]


def test_a_result_that_holds_is_paid(village: Village):
    life = village.post().accepted().committed(village.honest).drawn().attested(0).attested(1)
    life.revealed(village.honest, 0).revealed(village.honest, 1).settled()
    found = closed(life)
    assert (found.outcome, found.reason, found.refunded, found.caught) == ("settled", "the result held", 0, ())
    assert (found.slashed, found.ruling) == ({}, "")
    assert found.state_root == village.honest.checkpoints[-1].state_root
    assert set(found.verifiers) == {verifier.address for verifier in village.verifiers}
    fee = life.task.fee
    assert found.payments == {village.solver.address: life.task.price} | dict.fromkeys(found.verifiers, fee)
    assert withdrawn(life) == found.payments


def test_a_ruling_refunds_the_submitter_slashes_the_solver_and_pays_the_challenger(village: Village):
    stakes, solver = village.solver.stakes, village.solver.address
    before = stakes.stake_of(solver, Role.SOLVER)
    life, finder, sealed = lied(village)
    life.disputed(finder, sealed)
    found, challenger = closed(life), life.verifiers[finder].address
    assert (found.outcome, found.reason, found.paid) == ("refunded", "ruled wrong", 0)
    collateral = life.record.terms.collateral
    share = collateral // 4
    assert found.slashed == {solver: collateral}
    assert before - stakes.stake_of(solver, Role.SOLVER) == collateral
    assert found.payments == {found.submitter: found.escrow + share, challenger: share}
    assert found.ruling == "proven to the contract: the state differs from the replay in interval 1"
    (caught,) = found.caught
    assert (caught.who, caught.role, caught.step, caught.by) == (solver, "solver", 6, challenger)
    assert caught.reason == Kind.INTERVAL.sentence
    assert withdrawn(life) == found.payments
    assert not stakes.member(solver, Role.SOLVER).locked


def test_a_conceded_fault_costs_the_work_only(village: Village):
    life, finder, sealed = lied(village)
    village.solver.settings = village.solver.settings.model_copy(update={"cheat": None})
    life.disputed(finder, sealed)
    found = refunded(life, "fault")
    assert (found.slashed, found.caught) == ({}, ())
    assert found.ruling == "a fault of the solver's machine in interval 1, conceded"
    assert not village.solver.stakes.member(village.solver.address, Role.SOLVER).locked
    assert village.solver.market.owed(village.solver.address) == 0


def test_a_finding_that_is_not_shown_takes_nothing_from_the_solver(village: Village):
    life = village.post(MINUTE).accepted().committed(village.honest).drawn()
    accuser, salt = life.verifiers[0].address, secrets.token_bytes(32)
    commitment = finding_commitment(life.id, accuser, Kind.INTERVAL, 2, salt)
    false = Sealed(life.id, accuser, commitment, life.intervals(0), Kind.INTERVAL, 2, step=9, salt=salt.hex())
    life.attested(0, false).attested(1).revealed(village.honest, 0).revealed(village.honest, 1)
    life.disputed(0, false, moves=4)
    assert life.task.state is TaskState.DISPUTED
    with pytest.raises(Reverted, match="disputed"):
        village.solver.market.settle(life.id)
    village.skip(600)
    life.disputed(0, false, moves=1)
    assert life.task.state is TaskState.AUDITED
    village.skip(61)
    pushed(life)
    found = closed(life)
    fee = life.task.fee
    assert found.ruling == "not shown to the contract: the state differs from the replay in interval 2"
    assert (found.outcome, found.slashed) == ("settled", {})
    (caught,) = found.caught
    assert (caught.who, caught.role) == (accuser, "verifier"), "it had not replayed, either"
    assert accuser not in found.payments
    assert found.payments[village.solver.address] == life.task.price
    assert found.payments[found.verifiers[1]] == fee
    assert withdrawn(life) == found.payments


def test_a_lazy_verifier_is_named_and_its_fee_goes_back(village: Village):
    life = village.post(MINUTE).accepted().committed(village.honest).drawn()
    root, lazy = life.record.commitment.root, 1
    guess, drawn = echo(life.id, life.verifiers[lazy].address, root, life.intervals(lazy)), life.intervals(lazy)
    life.attested(1 - lazy).attested(lazy, guess).revealed(village.honest, 0).revealed(village.honest, 1)
    with pytest.raises(Reverted, match="reveal window"):
        life.settled()
    village.skip(61)
    pushed(life)
    found = closed(life)
    (caught,) = found.caught
    assert (caught.who, caught.role) == (life.verifiers[lazy].address, "verifier")
    assert caught.step == 3 * min(drawn)
    assert (found.outcome, found.refunded) == ("settled", life.task.fee)
    assert caught.who not in found.payments
    assert withdrawn(life) == found.payments


def test_every_time_out_gives_everything_back(village: Village):
    for reason in ("not accepted", "not solved", "not drawn", "not attested", "not revealed", "no match"):
        life = village.post(MINUTE)
        if reason != "not accepted":
            life.accepted()
        if reason not in ("not accepted", "not solved"):
            life.committed(village.honest)
        if reason in ("not attested", "not revealed", "no match"):
            life.drawn()
        if reason in ("not revealed", "no match"):
            lazy = Sealed(life.id, life.verifiers[0].address, "ab" * 32, life.intervals(0))
            life.attested(0, lazy)
            village.skip(61)
            pushed(life)
            assert life.task.state is TaskState.AUDITED, "closed after the deadline with one attestation of two"
        if reason == "no match":
            life.revealed(village.honest, 0)
        assert due(life.task, village.submitter.client.now()) in (None, "draw")
        village.skip(61)
        pushed(life)
        # Only who committed and will not open what it swore to loses its collateral.
        silent = life.record.terms.collateral if reason == "not revealed" else 0
        found = refunded(life, reason, also=silent // 4)
        assert found.slashed == ({village.solver.address: silent} if silent else {})
        assert found.caught == ()
        assert found.solver == ("" if reason == "not accepted" else village.solver.address)


def test_a_cancelled_task_is_refunded(village: Village):
    life = village.post()
    village.submitter.market.cancel(life.id)
    refunded(life, "cancelled")


def test_tasks_do_not_mix(village: Village):
    one, other = village.post(), village.post()
    village.submitter.market.cancel(one.id)
    village.submitter.market.cancel(other.id)
    assert closed(one).task != closed(other).task
    assert closed(one).escrow == one.escrow
