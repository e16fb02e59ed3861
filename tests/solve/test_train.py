"""Training goes on from any cut and ends with the same trajectory."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest
from small import blobs, runner, small, solve

from assay.errors import RefusedError, UnavailableError
from assay.proof import Runner, commitment_root, decode_state, state_root, trace_of, validate
from assay.solve import Journal, train
from assay.store import Store
from assay.words import Blob, TaskSpec, Trajectory


class Whole:
    """The small task, trained without a break."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "store")
        self.spec: TaskSpec = small(self.store).spec
        self.runner: Runner = runner(self.spec, self.store)
        self.path = folder / "journal.jsonl"
        self.trajectory = solve(self.spec, self.store, self.path)
        self.lines = self.path.read_bytes().splitlines(keepends=True)

    def train(self, store: Store, path: Path, worker=None, publish=None, on_step=None) -> Trajectory:
        initial = decode_state(self.store.get(self.spec.initial), self.runner.ports)
        told = on_step or (lambda done, loss: None)
        sent = publish or (lambda blob: None)
        ports = self.runner.ports
        return train(self.spec, worker or self.runner, ports, initial, Journal(path), store, sent, told)

    def copy(self, folder: Path, upto: int) -> Store:
        """A store that has the task and the first `upto` checkpoints."""
        store = Store(folder / "store")
        spec = self.spec
        for blob in (spec.program, spec.initial, spec.dataset, *blobs(self.trajectory)[:upto]):
            store.put(self.store.get(blob))
        return store


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return Whole(tmp_path_factory.mktemp("whole"))


class Counting:
    """An honest worker that counts what it is asked for, and may die in the middle of an interval."""

    def __init__(self, honest: Runner, dies_in: int | None = None) -> None:
        self.honest, self.dies_in, self.asked = honest, dies_in, []

    def interval(self, state, start, stop, on_step=None):
        self.asked.append((start, stop))

        def step(number, metrics):
            if self.dies_in == start and number == start + 1:
                raise KeyboardInterrupt
            on_step(number, metrics)

        return self.honest.interval(state, start, stop, step)


def test_a_whole_run_keeps_every_rule(whole: Whole):
    validate(whole.trajectory, whole.spec, whole.runner.ports)
    assert [c.step for c in whole.trajectory.checkpoints] == [0, 3, 6, 9, 12]
    journal = Journal(whole.path)
    assert [trace_of(d).hex() for d in journal.digests] == [c.trace for c in whole.trajectory.checkpoints[1:]]
    for checkpoint in whole.trajectory.checkpoints:
        state = decode_state(whole.store.get(checkpoint.blob), whole.runner.ports)
        assert state_root(state).hex() == checkpoint.state_root


def test_losses_in_the_journal_are_rounded(whole: Whole):
    entries = Journal(whole.path).entries
    assert [len(entry.losses) for entry in entries] == [0, 3, 3, 3, 3]
    assert all(loss == float(f"{loss:.3g}") for entry in entries for loss in entry.losses)


@pytest.mark.parametrize("kept", range(6))
@pytest.mark.parametrize("torn", [False, True])
def test_any_cut_leads_to_the_same_trajectory(whole: Whole, tmp_path, kept, torn):
    path = tmp_path / "journal.jsonl"
    rest = whole.lines[kept][:-9] if torn and kept < len(whole.lines) else b""
    path.write_bytes(b"".join(whole.lines[:kept]) + rest)
    worker = Counting(whole.runner)
    found = whole.train(whole.copy(tmp_path, kept), path, worker)
    assert found == whole.trajectory
    assert path.read_bytes() == b"".join(whole.lines), "secrets and losses too"
    assert worker.asked == [(3 * k, 3 * k + 3) for k in range(max(0, kept - 1), 4)], "nothing is done twice"


@pytest.mark.parametrize("interval", range(4))
def test_a_worker_that_dies_inside_an_interval_is_continued(whole: Whole, tmp_path, interval):
    store, path = whole.copy(tmp_path, 0), tmp_path / "journal.jsonl"
    with pytest.raises(KeyboardInterrupt):
        whole.train(store, path, Counting(whole.runner, dies_in=3 * interval))
    assert len(Journal(path).entries) <= interval + 1
    assert whole.train(store, path) == whole.trajectory


def test_a_checkpoint_is_published_before_it_counts(whole: Whole, tmp_path):
    store, path = whole.copy(tmp_path, 0), tmp_path / "journal.jsonl"
    published: list[Blob] = []

    def publish(blob: Blob) -> None:
        assert store.has(blob)
        if len(published) == 2:
            raise UnavailableError("the depot is gone")
        published.append(blob)

    with pytest.raises(UnavailableError):
        whole.train(store, path, publish=publish)
    assert [entry.checkpoint.blob for entry in Journal(path).entries[1:]] == published
    assert len(published) == 2
    published.clear()
    assert whole.train(store, path) == whole.trajectory


def test_every_checkpoint_after_the_first_is_published_once(whole: Whole, tmp_path):
    published: list[Blob] = []
    whole.train(whole.copy(tmp_path, 0), tmp_path / "journal.jsonl", publish=published.append)
    assert published == list(blobs(whole.trajectory)[1:])


def test_progress_counts_finished_steps(whole: Whole, tmp_path):
    told: list[tuple[int, float]] = []
    whole.train(whole.copy(tmp_path, 0), tmp_path / "j", on_step=lambda done, loss: told.append((done, loss)))
    assert [done for done, _ in told] == list(range(1, 13))
    assert told[-1][1] < told[0][1]


def test_a_finished_journal_needs_neither_worker_nor_state(whole: Whole, tmp_path):
    shutil.copy(whole.path, tmp_path / "j")
    worker = Counting(whole.runner)
    assert whole.train(whole.copy(tmp_path, 5), tmp_path / "j", worker) == whole.trajectory
    assert worker.asked == []


@pytest.mark.parametrize("spoilt", [False, True])
def test_a_checkpoint_that_a_power_cut_took_is_computed_again(whole: Whole, tmp_path, spoilt: bool):
    (tmp_path / "j").write_bytes(b"".join(whole.lines))
    store, worker = whole.copy(tmp_path, 3), Counting(whole.runner)
    if spoilt:
        store.path(blobs(whole.trajectory)[2]).write_bytes(b"")
    assert whole.train(store, tmp_path / "j", worker) == whole.trajectory
    assert worker.asked == ([(3, 6)] if spoilt else []) + [(6, 9), (9, 12)]
    assert (tmp_path / "j").read_bytes() == b"".join(whole.lines)


def test_an_initial_state_that_the_spec_does_not_name_is_refused_before_any_work(whole: Whole, tmp_path):
    """Every verifier would find the result wrong: the submitter would keep both the money and the model."""
    lying = msgspec.structs.replace(whole.spec, initial_root="ab" * 32)
    worker = Counting(whole.runner)
    initial = decode_state(whole.store.get(lying.initial), whole.runner.ports)
    store, journal = whole.copy(tmp_path, 0), Journal(tmp_path / "j")
    with pytest.raises(RefusedError, match="initial state"):
        train(lying, worker, whole.runner.ports, initial, journal, store, lambda b: None, lambda d, l: None)
    assert worker.asked == []
    assert journal.entries == []


def test_a_last_interval_that_is_shorter(store, tmp_path):
    spec = small(store, steps=7, interval=3).spec
    found = solve(spec, store, tmp_path / "j")
    assert [c.step for c in found.checkpoints] == [0, 3, 6, 7]
    validate(found, spec)
    # The same seven steps in one piece end in the same state: intervals are only marks.
    one = small(store, steps=7, interval=7, audit=None).spec
    assert solve(one, store, tmp_path / "k").checkpoints[-1].state_root == found.checkpoints[-1].state_root
    assert commitment_root(found) != commitment_root(solve(one, store, tmp_path / "l"))
