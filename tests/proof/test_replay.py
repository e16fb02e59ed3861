from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from assay.errors import BlobMissing, BlobRefused, UsageError
from assay.proof import Runner, encode_state, replay, replay_interval, state_root, trace_of
from assay.words.task import Blob, Trajectory

replace = msgspec.structs.replace


def bent(trajectory: Trajectory, k: int, **changes: Any) -> Trajectory:
    changed = list(trajectory.checkpoints)
    changed[k] = replace(changed[k], **changes)
    return replace(trajectory, checkpoints=tuple(changed))


def test_an_honest_trajectory_is_confirmed(toy: Any) -> None:
    trajectory = toy.solve()
    findings = list(replay(toy.runner, toy.source, trajectory, range(3)))
    assert [(f.interval, f.matched, f.step, f.reason) for f in findings] == [(k, True, -1, "") for k in range(3)]
    for finding, checkpoint in zip(findings, trajectory.checkpoints[1:], strict=True):
        assert finding.found_root == finding.expected_root == checkpoint.state_root
        assert trace_of(finding.digest).hex() == checkpoint.trace


def test_one_bit_of_one_weight_is_found_at_its_checkpoint(toy: Any) -> None:
    def tamper(step: int, state: dict[str, np.ndarray]) -> None:
        if step == 8:
            state["w"].view(np.uint32)[1, 0] ^= 1

    findings = list(replay(toy.runner, toy.source, toy.solve(tamper), range(3)))
    assert [f.matched for f in findings] == [True, False]
    assert findings[1].step == 8
    assert findings[1].reason == "the replay reaches another state"
    assert findings[1].found_root != findings[1].expected_root
    assert replay_interval(toy.runner, toy.source, toy.solve(tamper), 2).matched  # honest from the tampered state on


def test_another_step_count_or_rate_is_found(toy: Any, make: Any) -> None:
    trajectory = toy.solve()
    skipped = toy.runner.interval(toy.initial, 0, 3).state
    lazy = bent(trajectory, 1, state_root=state_root(skipped).hex())
    assert replay_interval(toy.runner, toy.source, lazy, 0).step == 4


def test_other_rows_are_found(toy: Any) -> None:
    class Ordered(Runner):
        def batch(self, step: int) -> dict[str, np.ndarray]:
            return self.dataset.take(np.arange(step * 4, step * 4 + 4) % 30)

    toy.runner, honest = Ordered(toy.runner.executable, toy.spec, toy.dataset), toy.runner
    finding = replay_interval(honest, toy.source, toy.solve(), 0)
    assert (finding.matched, finding.step) == (False, 4)


def test_each_bound_value_is_compared(toy: Any) -> None:
    trajectory = toy.solve()
    cases = {
        "other rows than the sampler's": {"batches": "11" * 32},
        "the state is right but the trace of the steps is not": {"trace": "11" * 32},
        "the state is right but the named blob does not hold it": {"blob": Blob("11" * 32, 5)},
    }
    for reason, changes in cases.items():
        finding = replay_interval(toy.runner, toy.source, bent(trajectory, 2, **changes), 1)
        assert (finding.matched, finding.step, finding.reason) == (False, 8, reason)


def blob(toy: Any, data: bytes) -> Blob:
    from hashlib import sha256

    name = Blob(sha256(data).hexdigest(), len(data))
    (toy.folder / name.sha256).write_bytes(data)
    return name


@pytest.mark.parametrize("kind", ["garbage", "another state", "another program's"])
def test_a_checkpoint_whose_bytes_are_not_a_state_is_a_finding(toy: Any, kind: str) -> None:
    data = {
        "garbage": b"\x00" * 100,
        "another state": encode_state(toy.initial | {"w": np.ones((3, 1), np.float32)}),
        "another program's": encode_state({"v": np.ones(3, np.float32)}),
    }[kind]
    trajectory = bent(toy.solve(), 1, blob=blob(toy, data))
    finding = replay_interval(toy.runner, toy.source, trajectory, 1)
    assert (finding.matched, finding.step, finding.digest) == (False, 4, bytes(32))
    assert finding.reason


def test_a_source_s_faults_are_not_the_solver_s(toy: Any) -> None:
    trajectory = toy.solve()
    with pytest.raises(BlobRefused, match="do not hash"):
        replay_interval(toy.runner, lambda _: encode_state(toy.initial), trajectory, 1)

    def gone(_: Blob) -> bytes:
        raise BlobMissing("gone")

    with pytest.raises(BlobMissing):
        replay_interval(toy.runner, gone, trajectory, 1)


def test_only_intervals_that_exist(toy: Any) -> None:
    trajectory = toy.solve()
    for k in (-1, 3):
        with pytest.raises(UsageError):
            replay_interval(toy.runner, toy.source, trajectory, k)
