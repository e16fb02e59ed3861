"""Receipts of real short lives on the embedded chain: who was paid, who was refunded, who was found out."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from small import Life, Village

from assay.errors import Reverted
from assay.market import Windows
from assay.settle import due
from assay.settle import receipt as receipts
from assay.settle.receipt import MISMATCH_REASONS
from assay.verify import Sealed, echo
from assay.verify.attestation import REASONS
from assay.words import Receipt, TaskState, canonical, parse

MINUTE = Windows(open_for=60, work_for=60, attest_for=60, reveal_for=60)


def closed(life: Life) -> Receipt:
    """The receipt, after the checks that hold for every ended task."""
    found = life.receipt()
    state = life.task.state
    assert state.final
    assert found.outcome == state.name.lower()
    assert found.task == life.id
    assert found.escrow == life.escrow == found.paid + found.refunded == sum(found.payments.values())
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


def refunded(life: Life, reason: str) -> Receipt:
    found = closed(life)
    assert (found.outcome, found.reason, found.paid) == ("refunded", reason, 0)
    assert found.payments == {found.submitter: found.escrow} == withdrawn(life)
    return found


def pushed(life: Life) -> Life:
    """Whatever `due` asks for, sent by somebody who has no part in the task."""
    push = due(life.task, life.village.submitter.client.now())
    assert push is not None
    getattr(life.village.person().market, push.value)(life.id)
    return life


def test_a_result_that_holds_is_paid(village: Village):
    life = village.post().accepted().committed(village.honest).drawn().attested(0).attested(1)
    life.revealed(village.honest, 0).revealed(village.honest, 1)
    village.solver.market.settle(life.id)
    found = closed(life)
    assert (found.outcome, found.reason, found.refunded, found.caught) == ("settled", "the result held", 0, ())
    assert found.state_root == village.honest.checkpoints[-1].state_root
    assert set(found.verifiers) == {verifier.address for verifier in village.verifiers}
    fee = life.task.fee
    assert found.payments == {village.solver.address: life.task.price} | dict.fromkeys(found.verifiers, fee)
    assert withdrawn(life) == found.payments


def test_a_mismatch_refunds_the_submitter_and_names_the_solver(village: Village):
    life = village.post().accepted().committed(village.tampered).drawn()
    sealed = [life.audited_by(0), life.audited_by(1)]
    finder = next(j for j in (0, 1) if not sealed[j].matched)
    life.attested(0, sealed[0]).attested(1, sealed[1]).claimed(finder, sealed[finder])
    found = refunded(life, "mismatch")
    (caught,) = found.caught
    assert (caught.who, caught.role, caught.step) == (village.solver.address, "solver", 6)
    assert caught.by == life.verifiers[finder].address
    assert caught.reason == REASONS[1]


def test_a_lazy_verifier_is_named_and_its_fee_goes_back(village: Village):
    life = village.post(MINUTE).accepted().committed(village.honest).drawn()
    root = village.solver.market.record(life.id).commitment.root
    lazy = 1
    guess = echo(life.id, life.verifiers[lazy].address, root, life.intervals(lazy))
    life.attested(1 - lazy).attested(lazy, guess).revealed(village.honest, 0).revealed(village.honest, 1)
    with pytest.raises(Reverted, match="reveal window"):
        village.solver.market.settle(life.id)
    village.skip(61)
    pushed(life)
    found = closed(life)
    (caught,) = found.caught
    assert (caught.who, caught.role) == (life.verifiers[lazy].address, "verifier")
    assert caught.step == 3 * min(life.intervals(lazy))
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
        found = refunded(life, reason)
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


def test_reasons_are_worded_alike_by_verifier_and_receipt_and_numbered_as_in_the_contract():
    assert MISMATCH_REASONS == REASONS
    source = (files("assay.contracts") / "vyper" / "market.vy").read_text()
    listed = re.search(r"@param reason (.+)\.", source)[1]
    numbered = {int(n): words for n, words in re.findall(r"(\d) ([a-z ]+)", listed)}
    assert numbered.keys() == REASONS.keys()
    key_words = {1: "state differs", 2: "withheld", 3: "initial state", 4: "malformed"}
    assert all(key_words[n] in numbered[n] and key_words[n].split()[0] in REASONS[n] for n in REASONS)
    assert receipts.__module__ == "assay.settle.receipt"
