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
from assay.words import Audit, TaskState

WINDOWS = Windows(patrol_for=0, attest_for=3600)


@pytest.fixture(scope="module")
def quarter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quarter]:
    with a_quarter(tmp_path_factory.mktemp("quarter")) as found:
        yield found


def committed(quarter: Quarter) -> str:
    """A task whose result is committed and published, and of which each verifier replays one interval of four."""
    task = small(quarter.submitter.session.store, audit=Audit(2, 1), seed=secrets.randbits(32))
    posted = quarter.submitter.submit(task, quote(task.program, task.spec), WINDOWS, secrets.token_hex(8))
    assert quarter.until(posted, TaskState.COMMITTED) is TaskState.COMMITTED
    return posted


def test_who_keeps_the_final_state_to_itself_is_not_paid(quarter: Quarter, tmp_path: Path):
    """No interval begins with the final state, so a replay alone would never ask for what the submitter pays for."""
    task = committed(quarter)
    quarter.lose(quarter.submitter.trajectory(task).checkpoints[-1].blob)
    started = time.monotonic()
    quarter.turn(times=4)
    assert quarter.state(task) is TaskState.COMMITTED, "it may only be late"
    assert time.monotonic() - started < 60, "nobody waits for it"
    quarter.skip(1801)
    assert quarter.until(task, TaskState.SETTLED, TaskState.REFUNDED) is TaskState.REFUNDED
    (caught, *_) = quarter.submitter.receipt(task).caught
    assert (caught.role, caught.reason, caught.step) == ("solver", "the data was withheld", 12)
    with pytest.raises(NotFoundError, match="refunded"):
        quarter.submitter.fetch(task, tmp_path / "out")


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
