"""Forced errors with real roles: the solver errs when its lot says so, whoever looks finds it, and everybody is paid."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from alley import an_alley, looks_only_at

from assay.chain import Jackpot
from assay.economics import share_of
from assay.proof import commitment_root
from assay.roles.sealing import spoilt
from assay.roles.solver import SolverRole
from assay.words import TaskState, Trajectory, parse

ALWAYS, HARDLY_EVER = 10**6, 1


@pytest.fixture
def alley(tmp_path):
    with an_alley(tmp_path) as made:
        yield made


def jackpot_of(alley) -> Jackpot:
    session = alley.submitter.session
    return Jackpot(session.client, session.network.contracts.jackpot)


def published(alley, task: str) -> Trajectory:
    """What everybody can read of a task."""
    record = alley.submitter.session.market.record(task)
    return parse(Trajectory, alley.depot.get(record.result.commitment.trajectory))


def to_the_patrol(alley, task: str, *roles) -> None:
    """Work, seal, draw, publication, attestations."""
    alley.until(task, TaskState.AUDITED, roles=[alley.solver, *alley.verifiers, *roles])
    assert alley.state(task) is TaskState.AUDITED


def test_an_error_that_was_forced_is_found_paid_and_replaced(alley):
    looker = alley.whistleblower(doubt=100)
    task = alley.submit(forced=ALWAYS)
    jackpot, submitter = jackpot_of(alley), alley.submitter.session
    tax = jackpot.reserved(task)
    assert tax > 0
    looker._review()
    assert looker._member
    wealth = [alley.wealth(role.session) for role in alley.roles]
    to_the_patrol(alley, task)
    assert jackpot.pool() == tax
    shown, record = published(alley, task), submitter.market.record(task)
    looks_only_at(looker, task, alley.solver.sealing._interval(record, record.result.seed))
    alley.turn(looker, times=4)
    assert looker.sealed(submitter.market.record(task)) is not None, "it has found the error and accused"
    receipt = alley.to_the_end(task, looker)
    assert (receipt.outcome, receipt.caught, receipt.slashed) == ("settled", (), {})
    truth = published(alley, task)
    found = jackpot.error(task)
    states = [(a.state_root, b.state_root) for a, b in zip(shown.checkpoints, truth.checkpoints, strict=True)]
    assert [k for k, (a, b) in enumerate(states) if a != b] == [found + 1]
    assert receipt.state_root == truth.checkpoints[-1].state_root
    finders = [v for j, v in enumerate(receipt.verifiers) if found in submitter.market.record(task).drawn_intervals(j)]
    share = share_of(tax, len(finders) + 1)
    assert jackpot.pot(task) == 0
    fee = submitter.market.record(task).terms.fee
    for role, before in zip(alley.roles, wealth, strict=True):
        me = role.session.address
        earned = submitter.market.record(task).terms.price if me == receipt.solver else fee
        got = share if me == receipt.solver or me in finders else 0
        assert alley.wealth(role.session) == before + earned + got
        assert alley.locked(role.session) == 0
    assert alley.locked(looker.session) == 0
    assert jackpot.owed(looker.session.address) == 0


def test_without_an_error_a_sealed_task_is_like_any_other(alley):
    task = alley.submit(forced=HARDLY_EVER)
    to_the_patrol(alley, task)
    shown = published(alley, task)
    receipt = alley.to_the_end(task)
    assert (receipt.outcome, receipt.slashed) == ("settled", {})
    assert published(alley, task) == shown
    assert commitment_root(shown).hex() == alley.submitter.session.market.result(task).root
    assert jackpot_of(alley).error(task) is None


def test_nothing_of_the_truth_is_public_before_the_seal_is_open(alley):
    task = alley.submit(forced=ALWAYS)
    alley.until(task, TaskState.COMMITTED, roles=[alley.solver])
    truth, _ = alley.solver._done(alley.submitter.session.market.task(task))
    assert not any(alley.depot.has(c.blob) for c in truth.checkpoints[1:]), "not while it is not drawn"
    to_the_patrol(alley, task)
    hidden = [k for k, c in enumerate(truth.checkpoints) if not alley.depot.has(c.blob)]
    shown = published(alley, task)
    assert len(hidden) == 1
    assert shown.checkpoints[hidden[0]] != truth.checkpoints[hidden[0]]


def test_a_solver_that_is_killed_goes_on_with_the_same_secret(alley):
    task = alley.submit(forced=ALWAYS)
    alley.until(task, TaskState.COMMITTED, roles=[alley.solver])
    old = alley.solver
    again = alley.add(SolverRole(old.session))
    alley.quarter.solver = again
    alley.quarter.roles[0] = again
    to_the_patrol(alley, task)
    once_more = alley.add(SolverRole(old.session))
    alley.quarter.solver = once_more
    alley.quarter.roles[0] = once_more
    assert alley.to_the_end(task).outcome == "settled"
    assert jackpot_of(alley).error(task) is not None


def test_verifiers_that_were_told_lose_their_locks_where_the_error_was(alley):
    """The only thing that exposes a verifier to whom the solver gives its digests."""
    alley.all_collude()
    task = alley.submit(forced=ALWAYS)
    record = alley.submitter.session.market.record(task)
    receipt = alley.to_the_end(task)
    found = jackpot_of(alley).error(task)
    record = alley.submitter.session.market.record(task)
    guilty = {v for j, v in enumerate(record.task.verifiers) if found in record.drawn_intervals(j)}
    assert receipt.outcome == "settled"
    assert set(receipt.slashed) == guilty
    assert guilty
    assert set(receipt.slashed.values()) == {record.terms.verifier_collateral}


def test_one_bit_of_one_element_is_another():
    state = {"w": np.ones((3, 4), np.float32), "n": np.zeros((), np.int64)}
    for lot in (bytes(32), b"\xff" * 32, bytes(range(32))):
        found = spoilt(state, lot)
        assert found["n"] == state["n"]
        assert (found["w"] != state["w"]).sum() == 1
        assert np.abs(found["w"] - state["w"]).max() < 1e-6
    assert (spoilt({"n": np.zeros(3, np.int64)}, bytes(32))["n"] != 0).sum() == 1
