from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from assay.errors import MismatchError, UsageError
from assay.proof import Opening, commitment_root, interval_root, merkle, opening, validate
from assay.proof.trajectory import leaves
from assay.words.canonical import canonical, parse
from assay.words.task import Blob, TaskSpec, Trajectory

replace = msgspec.structs.replace


def test_an_honest_trajectory(toy: Any) -> None:
    trajectory = toy.solve()
    assert [c.step for c in trajectory.checkpoints] == [0, 4, 8, 11]
    validate(trajectory, toy.spec, toy.program.state)
    assert parse(Trajectory, canonical(trajectory)) == trajectory
    assert parse(TaskSpec, canonical(toy.spec)) == toy.spec


def test_leaves_are_the_definition(toy: Any) -> None:
    trajectory = toy.solve()
    h = bytes.fromhex
    previous, expected = bytes(32), []
    for c in trajectory.checkpoints:
        parts = [
            previous,
            h(c.state_root),
            c.step.to_bytes(8, "big"),
            h(c.batches),
            h(toy.spec.program_root),
            h(c.trace),
        ]
        expected.append(sha256(b"\x04" + b"".join(parts)).digest())
        previous = h(c.state_root)
    assert leaves(trajectory) == expected
    assert commitment_root(trajectory) == merkle.root(expected)
    assert trajectory.checkpoints[0].batches == trajectory.checkpoints[0].trace == "00" * 32
    assert trajectory.checkpoints[3].batches == interval_root(toy.spec, 2).hex()


def test_golden_commitment(toy: Any) -> None:
    assert commitment_root(toy.solve()).hex() == "9293ce9cd6b2c6b0c6b5e67b811ed179fd6627954b91315a43513b22247dce3f"


def test_openings(toy: Any) -> None:
    trajectory = toy.solve()
    root = commitment_root(trajectory)
    for k, c in enumerate(trajectory.checkpoints):
        opened = opening(trajectory, k)
        assert opened.holds(root)
        assert opened.step == c.step
        assert len(opened.proof) == 2
        assert not opened.holds(bytes(32))
        for field in ("prev_root", "state_root", "batches", "program_root", "trace"):
            changed = Opening(**(vars(opened) | {field: b"x" * 32}))
            assert not changed.holds(root), field
        assert not Opening(**(vars(opened) | {"step": c.step + 1})).holds(root)
        assert not Opening(**(vars(opened) | {"index": k ^ 1})).holds(root)
    with pytest.raises(UsageError):
        opening(trajectory, 4)


def at(trajectory: Trajectory, k: int, **changes: Any) -> Trajectory:
    changed = list(trajectory.checkpoints)
    changed[k] = replace(changed[k], **changes)
    return replace(trajectory, checkpoints=tuple(changed))


BENT: dict[str, tuple[Callable[[Trajectory], Trajectory], str, int]] = {
    "program": (lambda t: replace(t, program_root="11" * 32), "same_program", -1),
    "dataset": (lambda t: replace(t, dataset_root="11" * 32), "same_dataset", -1),
    "none": (lambda t: replace(t, checkpoints=()), "all_checkpoints", 0),
    "half": (lambda t: replace(t, checkpoints=t.checkpoints[:2]), "all_checkpoints", 8),
    "more": (lambda t: replace(t, checkpoints=(*t.checkpoints, t.checkpoints[-1])), "all_checkpoints", 11),
    "steps": (lambda t: at(t, 2, step=7), "right_steps", 8),
    "order": (lambda t: at(at(t, 1, step=8), 2, step=4), "right_steps", 4),
    "start": (lambda t: at(t, 0, state_root="22" * 32), "initial_state", 0),
    "start batches": (lambda t: at(t, 0, batches="22" * 32), "initial_state", 0),
    "start trace": (lambda t: at(t, 0, trace="22" * 32), "initial_state", 0),
    "batches": (lambda t: at(t, 2, batches="33" * 32), "right_batches", 8),
    "last batches": (lambda t: at(t, 3, batches=t.checkpoints[1].batches), "right_batches", 11),
}


@pytest.mark.parametrize(("bend", "rule", "step"), BENT.values(), ids=BENT.keys())
def test_each_rule(toy: Any, bend: Callable[[Trajectory], Trajectory], rule: str, step: int) -> None:
    with pytest.raises(MismatchError) as caught:
        validate(bend(toy.solve()), toy.spec, toy.program.state)
    assert caught.value.evidence["rule"] == rule
    assert caught.value.evidence["step"] == step


def test_no_checkpoint_may_announce_more_than_a_state(toy: Any) -> None:
    greedy = at(toy.solve(), 2, blob=Blob("00" * 32, 2**40))
    validate(greedy, toy.spec)
    with pytest.raises(MismatchError, match="larger") as caught:
        validate(greedy, toy.spec, toy.program.state)
    assert caught.value.evidence["step"] == 8
