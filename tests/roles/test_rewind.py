"""The chain goes back behind what a role has done: what was drawn and sworn to then need not be what is now."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from roles_in_process import QUICK, Quarter, _role, a_quarter
from small import small

from assay.market import quote
from assay.roles.solver import SolverRole
from assay.words import TaskState


@pytest.fixture
def quarter(tmp_path: Path) -> Iterator[Quarter]:
    with a_quarter(tmp_path) as found:
        yield found


def attested_and_undone(quarter: Quarter) -> str:
    """A task that was solved and attested to by both verifiers, on a chain that went back to where it was accepted."""
    hands = quarter.submitter
    task = small(hands.session.store)
    posted = hands.submit(task, quote(task.program, task.spec), QUICK, secrets.token_hex(8))
    assert quarter.until(posted, TaskState.ASSIGNED, roles=[quarter.solver]) is TaskState.ASSIGNED
    saved = quarter.save()
    assert quarter.until(posted, TaskState.AUDITED, turns=20) is TaskState.AUDITED
    quarter.go_back(saved)
    assert quarter.state(posted) is TaskState.ASSIGNED
    return posted


def test_who_is_drawn_for_other_intervals_replays_them(quarter: Quarter):
    """To attest what was found in the old ones is to be named lazy."""
    task = attested_and_undone(quarter)
    assert quarter.until(task, TaskState.SETTLED, TaskState.REFUNDED) is TaskState.SETTLED
    receipt = quarter.submitter.receipt(task)
    assert (receipt.caught, receipt.refunded) == ((), 0)
    assert all(receipt.payments[verifier.session.address] > 0 for verifier in quarter.verifiers)


def test_a_solver_that_swears_to_something_else_then_is_found_out(quarter: Quarter, tmp_path: Path):
    """What matched was another result."""
    task = attested_and_undone(quarter)
    shutil.rmtree(tmp_path / "solver" / "tasks")
    quarter.solver.session.client.close()
    quarter.solver.session.fetcher.close()
    quarter.roles[0] = quarter.solver = _role(SolverRole, tmp_path / "solver", cheat="weights")
    assert quarter.until(task, TaskState.SETTLED, TaskState.REFUNDED) is TaskState.REFUNDED
    receipt = quarter.submitter.receipt(task)
    assert receipt.ruling.startswith("proven")
    assert receipt.slashed == {receipt.solver: quarter.submitter.session.market.record(task).terms.collateral}


def test_a_task_whose_end_is_undone_is_brought_to_its_end_again(quarter: Quarter):
    """Who had looked away would not open its traces, and lose its collateral."""
    hands = quarter.submitter
    task = small(hands.session.store)
    posted = hands.submit(task, quote(task.program, task.spec), QUICK, secrets.token_hex(8))
    assert quarter.until(posted, TaskState.AUDITED) is TaskState.AUDITED
    saved = quarter.save()
    assert quarter.until(posted, TaskState.SETTLED) is TaskState.SETTLED
    quarter.turn(times=2)
    assert [role.watchlist.tasks for role in quarter.roles] == [()] * 3
    quarter.go_back(saved)
    assert quarter.state(posted) is TaskState.AUDITED
    assert quarter.until(posted, TaskState.SETTLED) is TaskState.SETTLED
    quarter.turn(times=2)
    assert quarter.submitter.session.market.owed(quarter.solver.session.address) == 0
    for role in quarter.roles:
        assert role.session.token.balance_of(role.session.address) > 0
