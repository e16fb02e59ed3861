"""Each way to cheat at the work is a real deviation, which an audit of the whole finds; nothing else is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.attack.toy import onnx_program, toy
from assay.engine import exact
from assay.errors import MismatchError, UsageError
from assay.market import Package
from assay.program import Program, load
from assay.proof import Dataset, Finding, Runner, decode_state, interval_root, program_root, replay, validate
from assay.roles.cheats import CHEATS, Manner, Scene, cheat_of, with_half_rate, with_low_precision
from assay.roles.cheats.registry import _WORKERS
from assay.roles.cheats.spoofing import between
from assay.solve import Journal, train
from assay.store import Store
from assay.words import Trajectory

FIRST_WRONG = {
    "weights": 9,
    "weights-first": 3,
    "weights-last": 12,
    "idle": 9,
    "stale": 9,
    "forged_trace": 9,
    "top_q": 9,
}
"""Step of the first checkpoint that an audit of all intervals takes offence at, where it is not the first one."""


@cache
def compiled(source: bytes) -> exact.Executable:
    return exact.compile(load(source))


def compile_program(program: Program) -> exact.Executable:
    return compiled(program.source)


class Attempt:
    """A task, worked on by somebody."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.folder, self.store = folder, Store(folder / "store")
        self.package: Package = toy(self.store, **changes)
        spec = self.package.spec
        self.runner = Runner(compiled(onnx_program()), spec, Dataset.parse(self.store.get(spec.dataset)))
        self.initial = decode_state(self.store.get(spec.initial), self.runner.ports)

    def scene(self, **more: Any) -> Scene:
        return Scene(self.runner, self.initial, compile_program, **more)

    def solved(self, cheat: str | None = None, journal: str = "journal", **more: Any) -> Trajectory:
        worker = cheat_of(cheat, "solver").work(self.scene(**more)) if cheat else self.runner
        nothing: Callable[..., None] = lambda *_: None  # noqa: E731
        found = Journal(self.folder / f"{cheat}-{journal}.jsonl")
        return train(self.package.spec, worker, self.runner.ports, self.initial, found, self.store, nothing, nothing)

    def audited(self, trajectory: Trajectory) -> list[Finding]:
        intervals = range(self.package.spec.intervals)
        return list(replay(self.runner, self.store.get, trajectory, intervals))


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    return Attempt(tmp_path)


def test_the_honest_toy_learns_and_matches(attempt: Attempt):
    trajectory = attempt.solved()
    assert all(finding.matched for finding in attempt.audited(trajectory))
    losses = [loss for entry in Journal(attempt.folder / "None-journal.jsonl").entries for loss in entry.losses]
    assert len(losses) == 12
    assert np.mean(losses[-3:]) < np.mean(losses[:3])


@pytest.mark.parametrize("name", [cheat.name for cheat in _WORKERS])
def test_it_deviates_and_an_audit_finds_it(attempt: Attempt, name: str):
    honest, cheated = attempt.solved(), attempt.solved(name)
    assert cheated != honest
    if name == "batches":
        with pytest.raises(MismatchError, match="right batches"):
            validate(cheated, attempt.package.spec, attempt.runner.ports)
        return
    # All that can be seen without a replay looks right: the claims are those of the task.
    validate(cheated, attempt.package.spec, attempt.runner.ports)
    *before, finding = attempt.audited(cheated)
    assert all(each.matched for each in before)
    assert not finding.matched
    assert finding.step == FIRST_WRONG.get(name, 3)
    assert ("trace" in finding.reason) == (name == "forged_trace")


@pytest.mark.parametrize("name", [cheat.name for cheat in _WORKERS])
def test_a_cheat_that_is_killed_goes_on_as_if_nothing_had_happened(attempt: Attempt, name: str):
    """Else a solver that is started again in the middle would be caught for another reason than its cheat."""
    whole = attempt.solved(name)
    journal = Journal(attempt.folder / f"{name}-journal.jsonl")
    journal.cut(4)
    assert attempt.solved(name) == whole


def test_a_result_may_be_right_though_the_trace_is_forged(attempt: Attempt):
    honest, forged = attempt.solved(), attempt.solved("forged_trace")
    assert [c.state_root for c in honest.checkpoints] == [c.state_root for c in forged.checkpoints]


def test_an_earlier_task_is_handed_in_again(tmp_path: Path):
    earlier, later = Attempt(tmp_path / "earlier", seed=2), Attempt(tmp_path / "later")
    old = {c.step: decode_state(earlier.store.get(c.blob), earlier.runner.ports) for c in earlier.solved().checkpoints}
    cheated = later.solved("stale", earlier=old.get)
    assert [c.state_root for c in cheated.checkpoints] == [c.state_root for c in earlier.solved().checkpoints]
    validate(cheated, later.package.spec, later.runner.ports)
    (finding,) = later.audited(cheated)
    assert (finding.matched, finding.step) == (False, 3)


@pytest.mark.parametrize(("name", "rule"), [("other_start", "initial state"), ("other_program", "same program")])
def test_a_forged_commitment_breaks_a_rule(attempt: Attempt, name: str, rule: str):
    forged = CHEATS[name].forge(attempt.solved(), attempt.package.spec)
    with pytest.raises(MismatchError, match=rule):
        validate(forged, attempt.package.spec, attempt.runner.ports)


def test_what_is_withheld_is_committed_to(attempt: Attempt):
    trajectory = attempt.solved()
    blobs = [checkpoint.blob for checkpoint in trajectory.checkpoints]
    assert CHEATS["withheld"].hides(trajectory) == {blobs[-1]}
    assert CHEATS["withheld-middle"].hides(trajectory) == {blobs[2]}
    assert CHEATS["weights"].hides(trajectory) == set()


def test_programs_are_nearly_the_task_s(attempt: Attempt):
    honest = attempt.runner.executable.program
    roots = {program_root(found) for found in (honest, with_half_rate(honest), with_low_precision(honest))}
    assert len(roots) == 3
    metrics, others = (
        Runner(compile_program(program), attempt.package.spec, attempt.runner.dataset).step(attempt.initial, 0)[1]
        for program in (honest, with_low_precision(honest))
    )
    assert 0 < abs(float(metrics["loss"]) - float(others["loss"])) < 0.02 * float(metrics["loss"])
    moved, half = (
        Runner(compile_program(program), attempt.package.spec, attempt.runner.dataset).step(attempt.initial, 0)[0]["a"]
        - attempt.initial["a"]
        for program in (honest, with_half_rate(honest))
    )
    np.testing.assert_allclose(moved, 2 * half, rtol=1e-3, atol=1e-7)


def test_a_program_without_random_numbers_has_no_other_seed(attempt: Attempt):
    program = attempt.runner.executable.program
    port = next(port for port in program.inputs if port.name == "seed")
    inputs = tuple(other for other in program.inputs if other is not port)
    blind = Runner(Blind(replace(program, inputs=inputs)), attempt.package.spec, attempt.runner.dataset)
    with pytest.raises(UsageError, match="no random numbers"):
        CHEATS["other_seed"].work(Scene(blind, attempt.initial, compile_program))


@dataclass
class Blind:
    """An engine whose program takes no seed; it is not run."""

    program: Program


def test_between_two_states():
    low = {"w": np.array([0, 1], np.float32), "n": np.array(3, np.int64), "on": np.array(False)}
    high = {"w": np.array([1, 3], np.float32), "n": np.array(15, np.int64), "on": np.array(True)}
    middle = between(low, high, 1, 4)
    np.testing.assert_array_equal(middle["w"], np.array([0.25, 1.5], np.float32))
    assert (middle["n"], middle["n"].dtype, middle["n"].shape) == (6, np.int64, ())
    assert {name: array.dtype for name, array in middle.items()} == {name: array.dtype for name, array in low.items()}
    for name, array in between(low, high, 4, 4).items():
        np.testing.assert_array_equal(array, high[name])


def test_rows_are_claimed_as_the_task_wants_them(attempt: Attempt):
    spec = attempt.package.spec
    claimed = [bytes.fromhex(c.batches) for c in attempt.solved("order").checkpoints[1:]]
    assert claimed == [interval_root(spec, k) for k in range(spec.intervals)]


@pytest.mark.parametrize(
    ("text", "moved", "now", "speaks"),
    [
        (None, 0, 0, True),
        ("answer", 9, 99, True),
        ("silent", 0, 0, False),
        ("silent:2", 1, 0, True),
        ("silent:2", 2, 0, False),
        ("late", 0, 96, False),
        ("late", 0, 97, True),
    ],
)
def test_when_a_manner_speaks(text: str | None, moved: int, now: int, speaks: bool):
    assert Manner.parse(text).speaks(moved, now, deadline=100) is speaks


@pytest.mark.parametrize("text", ["loud", "silent:-1", "silent:x", ""])
def test_no_such_manner(text: str):
    if text:
        with pytest.raises(UsageError, match="no manner"):
            Manner.parse(text)
    else:
        assert Manner.parse(text) == Manner()


@pytest.mark.parametrize(("name", "role"), [("nothing", "solver"), ("echo", "solver"), ("weights", "verifier")])
def test_no_such_cheat(name: str, role: str):
    with pytest.raises(UsageError, match="no cheat"):
        cheat_of(name, role)
    assert cheat_of(None, role) is None
