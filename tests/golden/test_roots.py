"""Bits are law: the roots of three small tasks, on either engine and any number of threads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assay.engine import exact
from assay.engine.clear import Interpreter
from assay.market import read_task
from assay.proof import Dataset, Runner, commitment_root, decode_state, state_root
from assay.roles.digits import digits
from assay.solve import Journal, train
from assay.store import Store

HERE = Path(__file__).parent
ROOTS = json.loads((HERE / "roots.json").read_text())
TASKS = {"digits": digits(), "mlp": HERE / "mlp" / "task.toml", "gpt": HERE / "gpt" / "task.toml"}


@pytest.fixture(params=sorted(TASKS))
def name(request):
    return request.param


@pytest.mark.parametrize("threads", [1, 2])
def test_a_whole_training_gives_the_golden_roots(name, threads, tmp_path):
    store = Store(tmp_path / "store")
    package = read_task(TASKS[name], store)
    spec = package.spec
    runner = Runner(exact.compile(package.program, threads=threads), spec, Dataset.parse(store.get(spec.dataset)))
    initial = decode_state(store.get(spec.initial), runner.ports)
    journal = Journal(tmp_path / "journal.jsonl")
    trajectory = train(spec, runner, runner.ports, initial, journal, store, lambda blob: None, lambda done, loss: None)
    found = {
        "program": spec.program_root,
        "dataset": spec.dataset_root,
        "commitment": commitment_root(trajectory).hex(),
        "state": trajectory.checkpoints[-1].state_root,
    }
    assert found == ROOTS[name]


def test_the_clear_version_takes_the_same_steps(name, tmp_path):
    store = Store(tmp_path)
    package = read_task(TASKS[name], store)
    dataset = Dataset.parse(store.get(package.spec.dataset))
    clear = Runner(Interpreter(package.program), package.spec, dataset)
    fast = Runner(exact.compile(package.program), package.spec, dataset)
    initial = decode_state(store.get(package.spec.initial), clear.ports)
    steps = 2 if name == "digits" else 5
    mine, theirs = clear.interval(initial, 0, steps), fast.interval(initial, 0, steps)
    assert state_root(mine.state) == state_root(theirs.state)
    assert mine.digest == theirs.digest
