"""A submitter that wants work for nothing, or nobody to work at all."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from roles_in_process import QUICK, Quarter, a_quarter
from small import small

import assay.store.server
from assay.errors import RefusedError
from assay.market import Package, quote, terms, work
from assay.proof import decode_state, size_limit
from assay.solve import Candidate, refusal
from assay.solve.hazards import HAZARDS
from assay.store import Store
from assay.words import Audit, Blob, TaskState, canonical


@pytest.fixture(scope="module")
def quarter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quarter]:
    with a_quarter(tmp_path_factory.mktemp("quarter")) as found:
        yield found


@pytest.fixture
def fair(quarter: Quarter) -> Package:
    """A task that nobody has done before: of an equal one, every checkpoint would be there already."""
    return small(quarter.submitter.session.store, seed=secrets.randbits(32))


def offered(task: Package, **changes: object) -> Candidate:
    price = quote(task.program, task.spec)
    posted, described = replace(terms(task, price, QUICK), **changes), work(task, price, QUICK)
    return Candidate(task.spec, task.program, posted, described, 1_000_000)


def submit(quarter: Quarter, task: Package) -> str:
    return quarter.submitter.submit(task, quote(task.program, task.spec), QUICK, secrets.token_hex(8))


def test_a_spec_that_nobody_gives_does_not_stop_the_market(quarter: Quarter, fair: Package):
    posted = offered(fair)
    for n in range(3):
        quarter.post(posted.terms, replace(posted.work, spec=f"{n}" * 64))
    assert quarter.until(submit(quarter, fair), TaskState.SETTLED, TaskState.REFUNDED) is TaskState.SETTLED


def test_a_crowd_of_tasks_does_not_keep_a_solver_busy_with_looking(quarter: Quarter, fair: Package, monkeypatch):
    """A solver that looks at all tasks for each open one misses the time for opening its traces."""
    task = submit(quarter, fair)
    assert quarter.until(task, TaskState.ASSIGNED) is TaskState.ASSIGNED
    for _ in range(12):
        quarter.post(replace(offered(fair).terms, price=1), offered(fair).work)
    market, asked = quarter.solver.session.market, []
    look = market.record
    monkeypatch.setattr(market, "record", lambda wanted: asked.append(wanted) or look(wanted))
    quarter.turn(quarter.solver)
    assert len(asked) <= 3 * len(quarter.solver.watchlist.tasks)
    assert quarter.until(task, TaskState.SETTLED, TaskState.REFUNDED) is TaskState.SETTLED


def test_data_that_nobody_gives_bind_no_solver(tmp_path: Path):
    """Accepting first and fetching then, a solver would be kept from other work for the whole of the working time."""
    with a_quarter(tmp_path) as quarter:
        without_data(quarter, small(quarter.submitter.session.store))


def without_data(quarter: Quarter, fair: Package) -> None:
    for missing in (fair.spec.dataset, fair.spec.initial):
        task = submit(quarter, fair)
        quarter.lose(missing)
        quarter.turn(times=3)
        assert quarter.state(task) is TaskState.OPEN
        quarter.submitter.session.market.cancel(task)
    assert quarter.until(submit(quarter, fair), TaskState.SETTLED, TaskState.REFUNDED) is TaskState.SETTLED


def test_data_that_are_withdrawn_from_the_verifiers_come_from_the_solver(quarter: Quarter, fair: Package):
    task = submit(quarter, fair)
    assert quarter.until(task, TaskState.ASSIGNED) is TaskState.ASSIGNED
    for blob in fair.blobs:
        quarter.lose(blob)
    assert quarter.until(task, TaskState.SETTLED, TaskState.REFUNDED) is TaskState.SETTLED


def test_an_initial_state_of_another_root_binds_no_solver(quarter: Quarter, fair: Package):
    store = quarter.submitter.session.store
    spec = msgspec.structs.replace(fair.spec, initial_root="ab" * 32)
    task = submit(quarter, replace(fair, spec=spec, blob=store.put(canonical(spec))))
    quarter.turn(times=3)
    assert quarter.state(task) is TaskState.OPEN


def padded(store: Store, blob: Blob, by: int) -> Blob:
    """The same tensors, with more white space in the header."""
    data = store.get(blob)
    size = int.from_bytes(data[:8], "little")
    return store.put((size + by).to_bytes(8, "little") + data[8 : 8 + size] + b" " * by + data[8 + size :])


def test_a_padded_initial_state_is_refused(quarter: Quarter, fair: Package):
    """Solvers would read it and verifiers would not: the submitter would have its money back, and the model."""
    store = quarter.submitter.session.store
    initial = padded(store, fair.spec.initial, size_limit(fair.program.state))
    assert decode_state(store.get(initial), fair.program.state)
    hostile = replace(fair, spec=msgspec.structs.replace(fair.spec, initial=initial))
    assert "initial state" in str(refusal(offered(hostile)))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"work_for": 1}, "working"),
        ({"attest_for": 1}, "attesting"),
        ({"reveal_for": 1}, "revealing"),
        ({"fee": 0}, "verifiers"),
    ],
)
def test_terms_under_which_honest_work_is_not_paid_are_refused(fair: Package, changes, told):
    assert refusal(offered(fair)) is None
    assert told in str(refusal(offered(fair, **changes)))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"steps": 2**53, "interval": 2**53}, "time for working"),
        ({"steps": 10**6, "interval": 10**6, "audit": Audit(1, 1)}, "steps in an interval"),
        ({"steps": 10**6, "interval": 1}, "bytes of checkpoints"),
        ({"dataset": Blob("ab" * 32, 2**53)}, "bytes of data"),
    ],
)
def test_what_would_fill_memory_or_disk_is_refused(fair: Package, changes, told):
    hostile = replace(fair, spec=msgspec.structs.replace(fair.spec, **changes))
    month = 30 * 86400
    fitting = {"steps": hostile.spec.steps, "interval": hostile.spec.interval, "price": 10**30}
    fitting |= {"verifiers": hostile.spec.audit.verifiers, "audit_intervals": hostile.spec.audit.intervals}
    task = replace(offered(fair, **fitting, work_for=month, attest_for=month), spec=hostile.spec)
    assert told in str(refusal(task))


def test_every_hazard_says_what_it_is_about():
    assert all(check.__doc__ for check in HAZARDS)


def test_a_program_of_any_size_is_not_fetched(quarter: Quarter, fair: Package):
    hostile = msgspec.structs.replace(fair.spec, program=Blob("ab" * 32, 2**40))
    with pytest.raises(RefusedError, match="bytes"):
        quarter.solver.session.program(hostile)


def test_a_depot_that_is_busy_for_a_moment_does_not_cost_the_solver_its_task(
    quarter: Quarter, fair: Package, monkeypatch
):
    task = submit(quarter, fair)
    assert quarter.until(task, TaskState.ASSIGNED) is TaskState.ASSIGNED
    take, refused = assay.store.server._take, []

    async def busy(*arguments):
        if len(refused) < 3:
            refused.append(1)
            return assay.store.server._refusal(503, "too much to do")
        return await take(*arguments)

    monkeypatch.setattr(assay.store.server, "_take", busy)
    assert quarter.until(task, TaskState.SETTLED, TaskState.REFUNDED) is TaskState.SETTLED
    assert len(refused) == 3


def test_a_full_disk_does_not_cost_the_solver_its_task(quarter: Quarter, fair: Package, monkeypatch):
    task = submit(quarter, fair)
    assert quarter.until(task, TaskState.ASSIGNED) is TaskState.ASSIGNED

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(Store, "put", full)
        quarter.turn(quarter.solver, times=2)
    assert quarter.until(task, TaskState.SETTLED, TaskState.REFUNDED) is TaskState.SETTLED


def test_what_the_disk_has_spoilt_is_fetched_again(quarter: Quarter, fair: Package):
    submit(quarter, fair)
    session = quarter.verifiers[0].session
    data = session.read(fair.spec.initial)
    path = session.store.path(fair.spec.initial)
    path.write_bytes(data[:-1] + b"?")
    assert session.read(fair.spec.initial) == data == path.read_bytes()
