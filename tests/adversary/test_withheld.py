"""A solver names data that nobody can have: it is not paid, and no verifier waits for it while others need it."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from roles_in_process import Quarter, a_quarter
from small import small

from assay.errors import NotFoundError
from assay.market import Windows, quote
from assay.words import Audit, Kind, TaskState

WINDOWS = Windows(patrol_for=0, attest_for=3600)


@pytest.fixture(scope="module")
def quarter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quarter]:
    with a_quarter(tmp_path_factory.mktemp("quarter")) as found:
        yield found


def committed(quarter: Quarter) -> str:
    """A task whose result is committed and published, and of which each verifier replays one interval of four."""
    task = small(quarter.submitter.session.store, audit=Audit(2, 1), seed=secrets.randbits(32))
    posted = quarter.submitter.submit(task, quote(task.program, task.spec), WINDOWS, secrets.token_hex(8))
    assert quarter.until(posted, TaskState.COMMITTED, roles=[quarter.solver]) is TaskState.COMMITTED
    return posted


def withheld(quarter: Quarter) -> str:
    """A committed task whose final state the depot has lost, found out by both verifiers.

    No interval begins with the final state, so a replay alone would never ask for what the submitter pays for.
    """
    task = committed(quarter)
    quarter.lose(quarter.submitter.trajectory(task).checkpoints[-1].blob)
    started = time.monotonic()
    quarter.turn(times=4)
    assert quarter.state(task) is TaskState.COMMITTED, "it may only be late"
    assert time.monotonic() - started < 60, "nobody waits for it"
    quarter.skip(1801)
    assert quarter.until(task, TaskState.AUDITED, roles=quarter.verifiers) is TaskState.AUDITED
    return task


def test_who_does_not_show_the_final_state_loses_its_collateral(tmp_path: Path):
    with a_quarter(tmp_path) as quarter:  # of its own: its solver is none any more
        silent(quarter, tmp_path)


def silent(quarter: Quarter, tmp_path: Path) -> None:
    task = withheld(quarter)
    quarter.skip(1)
    assert quarter.until(task, TaskState.DISPUTED, roles=quarter.verifiers) is TaskState.DISPUTED
    quarter.skip(WINDOWS.clock + 1)  # the solver says nothing
    assert quarter.until(task, TaskState.REFUNDED, roles=quarter.verifiers) is TaskState.REFUNDED
    quarter.turn(times=2)
    found, solver = quarter.submitter.receipt(task), quarter.solver.session.address
    assert found.slashed == {solver: quarter.submitter.session.market.record(task).terms.collateral}
    (caught, *_) = found.caught
    assert (caught.who, caught.role, caught.reason) == (solver, "solver", Kind.DATA.sentence)
    assert caught.step == 12
    assert found.payments[found.submitter] == found.escrow + found.slashed[solver] // 4
    with pytest.raises(NotFoundError, match="refunded"):
        quarter.submitter.fetch(task, tmp_path / "out")


def test_who_shows_it_on_the_chain_only_is_not_paid(quarter: Quarter):
    """One KiB of it is not the model: no verifier could replay, none matches, and the submitter has its money back."""
    task = withheld(quarter)
    assert quarter.until(task, TaskState.DISPUTED) is TaskState.DISPUTED
    while quarter.submitter.snapshot(task).waits_for != (quarter.solver.session.address,):
        quarter.turn()
        quarter.skip(1)
        assert quarter.state(task) in (TaskState.AUDITED, TaskState.DISPUTED)
    shown = [d for d in quarter.solver.disputes.of(task) if d.ended is not None]
    assert len(shown) == 2
    assert [(d.kind, d.ended["upheld"], d.ended["reason"]) for d in shown] == [(Kind.DATA, False, "data")] * 2
    quarter.skip(WINDOWS.reveal_for + 1)
    assert quarter.until(task, TaskState.SETTLED, TaskState.REFUNDED) is TaskState.REFUNDED
    found = quarter.submitter.receipt(task)
    assert (found.reason, found.slashed, found.payments) == ("no match", {}, {found.submitter: found.escrow})
    # Who demands pays for the demand: that is what keeps people from demanding what they have.
    assert all(d.record.bond > 0 for d in shown)


def test_what_only_comes_late_is_replayed(quarter: Quarter):
    task = committed(quarter)
    blob = quarter.submitter.trajectory(task).checkpoints[-1].blob
    quarter.lose(blob)
    quarter.turn(times=3)
    quarter.depot.put(quarter.solver.session.store.get(blob))
    assert quarter.until(task, TaskState.SETTLED, TaskState.REFUNDED) is TaskState.SETTLED


def test_a_model_is_fetched_though_a_checkpoint_that_nobody_drew_is_gone(quarter: Quarter, tmp_path: Path):
    task = committed(quarter)
    assert quarter.until(task, TaskState.SETTLED) is TaskState.SETTLED
    lost = quarter.submitter.trajectory(task).checkpoints[1].blob
    quarter.lose(lost)
    with pytest.raises(Exception, match="cannot be had"):
        quarter.submitter.fetch(task, tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").stat().st_size > 0


@pytest.mark.slow
def test_who_withholds_and_says_nothing_loses_its_collateral(repelled):
    outcome = repelled("withheld")
    assert outcome.caught
    assert outcome.attacker_net < -1_000_000
