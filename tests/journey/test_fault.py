"""One flipped bit in a solver's memory costs the work, not the stake; what looks like it and is none costs the stake."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from alley import Alley, an_alley, claims, looks_only_at

from assay.words import TaskState

FINAL = TaskState.SETTLED, TaskState.REFUNDED


@pytest.fixture
def alley(tmp_path):
    with an_alley(tmp_path) as made:
        yield made


def check_fault(alley: Alley, receipt, interval: int, *others) -> None:
    """The work is lost and nothing else: nobody's stake, nobody's bonds, no part of the escrow."""
    assert (receipt.outcome, receipt.reason, receipt.slashed, receipt.paid) == ("refunded", "fault", {}, 0)
    assert receipt.ruling == f"a fault of the solver's machine in interval {interval}, conceded"
    assert receipt.refunded == receipt.escrow > 0
    for role in (alley.solver, *alley.verifiers, *others):
        assert alley.wealth(role.session) == role.session.token.grant()
        assert alley.locked(role.session) == 0


def check_slashed(alley: Alley, receipt, *others) -> None:
    """The solver's collateral is gone: half of it to those who were right and to the submitter."""
    lost = receipt.slashed[alley.solver.session.address]
    assert (receipt.outcome, receipt.reason, receipt.paid) == ("refunded", "ruled wrong", 0)
    assert receipt.ruling.startswith("proven")
    assert lost > receipt.escrow
    grant = alley.solver.session.token.grant()
    assert alley.wealth(alley.solver.session) <= grant - lost + lost // 4  # a quarter of a false claim's bonds, at most
    assert sum(alley.wealth(role.session) - grant for role in others) > 0


@pytest.mark.parametrize("where", ["state", "trace", "batches"])
def test_a_solver_whose_verifiers_find_something_looks_again_and_concedes(alley, where):
    alley.fails({1: where})
    task = alley.submit()
    receipt = alley.to_the_end(task)
    check_fault(alley, receipt, 1)
    names = [event.name for event in alley.solver.session.market.events(task)]
    assert "Disputed" not in names, "nobody had to put down bonds"
    assert not alley.solver.session.market.has_answered(task)


@pytest.mark.parametrize("where", ["state", "trace", "batches"])
def test_a_solver_that_is_disputed_computes_again_before_it_answers(alley, where):
    """The verifiers saw nothing, so the solver learns of it when several accusers open what they have sealed."""
    alley.all_collude()
    alley.fails({2: where})
    task = alley.submit()
    two = [alley.whistleblower(name, doubt=100) for name in ("one", "two")]
    receipt = alley.to_the_end(task, *two)
    check_fault(alley, receipt, 2, *two)
    names = [event.name for event in alley.solver.session.market.events(task)]
    assert "Disputed" in names
    assert not alley.solver.session.market.has_answered(task)


def disputed_by(alley: Alley, task: str, *accusers) -> None:
    """Everybody but the solver does what is due until all accusers have opened their findings."""
    everybody = [alley.solver, *alley.verifiers, *accusers]
    alley.until(task, TaskState.AUDITED, roles=everybody)
    alley.turn(*accusers, times=4)
    alley.turn(alley.solver)  # reveals
    alley.skip(601)
    for accuser in accusers:
        alley.turn(accuser)
    assert alley.solver.session.market.record(task).games == len(accusers)


def test_the_same_bit_in_two_intervals_is_no_fault(alley):
    alley.all_collude()
    alley.fails({1: "state", 3: "state"})
    task = alley.submit()
    two = [alley.whistleblower(name, doubt=100) for name in ("one", "two")]
    for role, interval in zip(two, (1, 3), strict=True):
        looks_only_at(role, task, interval)
    disputed_by(alley, task, *two)
    check_slashed(alley, alley.to_the_end(task, *two), *two)


def test_a_second_fault_within_the_period_is_none(alley):
    alley.fails({1: "state"})
    check_fault(alley, alley.to_the_end(alley.submit("first")), 1)
    alley.fails({1: "state"})
    receipt = alley.to_the_end(alley.submit("second", seed=2))
    check_slashed(alley, receipt, *alley.verifiers)


def test_after_an_answer_it_is_too_late(alley):
    """It had already stood by its result, against somebody who was wrong."""
    alley.all_collude()
    alley.fails({2: "state"})
    task = alley.submit()
    wrong, right = (alley.whistleblower(name, doubt=100) for name in ("wrong", "right"))
    claims(wrong, task, 0)
    looks_only_at(right, task, 2)
    alley.until(task, TaskState.AUDITED, roles=[alley.solver, *alley.verifiers, wrong, right])
    alley.turn(wrong, right, times=4)
    alley.turn(alley.solver)
    alley.skip(601)
    alley.turn(wrong)
    alley.turn(alley.solver)
    assert alley.solver.session.market.has_answered(task)
    check_slashed(alley, alley.to_the_end(task, right, wrong), right)
