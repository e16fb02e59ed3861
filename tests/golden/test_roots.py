"""Bits are law: the roots of small tasks, on either engine, any number of threads, and every instruction set."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from unittest import mock

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from foreign import ASSEMBLER, EMULATOR, LINKER, Emulated

from assay.engine import exact
from assay.engine.clear import Interpreter
from assay.engine.exact import executable
from assay.engine.exact.native import LEVELS, machine
from assay.errors import ConfigError
from assay.market import read_task
from assay.proof import Dataset, Runner, code_root, commitment_root, decode_state, state_root
from assay.roles.digits import digits
from assay.solve import Journal, train
from assay.store import Store

HERE = Path(__file__).parent
ROOTS = json.loads((HERE / "roots.json").read_text())
TASKS = {"digits": digits()} | {name: HERE / name / "task.toml" for name in ("mlp", "gpt", "gpt-bfloat16")}
MISSING = [name for name in (ASSEMBLER, LINKER, EMULATOR) if shutil.which(name) is None]
emulated = pytest.mark.skipif(
    bool(MISSING), reason=f"{', '.join(MISSING)} not installed: nothing was run on a second architecture"
)


@pytest.fixture(params=sorted(TASKS))
def name(request):
    return request.param


@pytest.fixture(params=LEVELS)
def level(request):
    try:
        machine(request.param)
    except ConfigError:
        pytest.skip(f"this machine has no {request.param}")
    return request.param


def roots(name, make, folder):
    """The roots of a whole training on the engine that `make` makes of the program."""
    store = Store(folder / "store")
    package = read_task(TASKS[name], store)
    spec = package.spec
    runner = Runner(make(package.program), spec, Dataset.parse(store.get(spec.dataset)))
    initial = decode_state(store.get(spec.initial), runner.ports)
    journal = Journal(folder / "journal.jsonl")
    trajectory = train(spec, runner, runner.ports, initial, journal, store, lambda blob: None, lambda done, loss: None)
    return {
        "program": spec.program_root,
        "code": code_root(package.program).hex(),
        "dataset": spec.dataset_root,
        "commitment": commitment_root(trajectory).hex(),
        "state": trajectory.checkpoints[-1].state_root,
    }


def shared(features, threads):
    """Makes an engine whose threads share even the smallest kernels: by itself it would not, in tasks this small."""

    def make(program):
        with mock.patch.object(executable, "SHARED_FROM", 1):
            return exact.compile(program, threads=threads, features=features)

    return make


@pytest.mark.parametrize("threads", [1, 2])
def test_a_whole_training_gives_the_golden_roots(name, threads, tmp_path):
    assert roots(name, lambda program: exact.compile(program, threads=threads), tmp_path) == ROOTS[name]


@pytest.mark.parametrize("threads", [1, 3, 8])
def test_every_instruction_set_gives_the_golden_roots(level, threads, tmp_path):
    assert roots("mlp", shared(level, threads), tmp_path) == ROOTS["mlp"]


@pytest.mark.slow
@pytest.mark.parametrize("threads", range(1, 9))
def test_every_instruction_set_and_number_of_threads_gives_all_golden_roots(name, level, threads, tmp_path):
    assert roots(name, shared(level, threads), tmp_path) == ROOTS[name]


@emulated
def test_aarch64_gives_the_golden_roots(tmp_path):
    assert roots("mlp", lambda program: Emulated(program, threads=2, shared_from=64), tmp_path) == ROOTS["mlp"]


@emulated
@pytest.mark.parametrize("name", ["digits", "gpt"])
def test_aarch64_takes_the_same_steps(name, tmp_path):
    """Two steps of the larger ones; all of them in the slow tier."""
    store = Store(tmp_path)
    package = read_task(TASKS[name], store)
    dataset = Dataset.parse(store.get(package.spec.dataset))
    foreign = Runner(Emulated(package.program, threads=2, shared_from=1000), package.spec, dataset)
    fast = Runner(exact.compile(package.program), package.spec, dataset)
    initial = decode_state(store.get(package.spec.initial), fast.ports)
    mine, theirs = foreign.interval(initial, 0, 2), fast.interval(initial, 0, 2)
    assert state_root(mine.state) == state_root(theirs.state)
    assert mine.digest == theirs.digest


@emulated
@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "gpt"])
def test_aarch64_gives_all_golden_roots(name, tmp_path):
    assert roots(name, Emulated, tmp_path) == ROOTS[name]


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
