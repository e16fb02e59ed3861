from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np
import pytest

from assay.engine import exact
from assay.engine.clear import Interpreter
from assay.errors import RefusedError
from assay.proof import Dataset, Runner, Trace, interval_root, public_metric, rows, state_root, trace_of
from assay.proof.trace import fingerprint


def test_an_interval_is_its_steps_one_after_the_other(toy: Any) -> None:
    seen: list[tuple[int, float]] = []
    segment = toy.runner.interval(toy.initial, 4, 8, on_step=lambda step, m: seen.append((step, float(m["loss"]))))
    state = toy.initial
    for step in range(4, 8):
        state, metrics = toy.runner.step(state, step)
        assert metrics["probe"].tobytes() == segment.metrics[step - 4]["probe"].tobytes()
    assert state_root(state) == state_root(segment.state)
    assert [step for step, _ in seen] == [4, 5, 6, 7]
    assert segment.batches == interval_root(toy.spec, 1)
    assert segment.trace == trace_of(segment.digest)
    assert int(segment.state["calls"]) == 4
    assert int(toy.initial["calls"]) == 0


def test_it_is_the_arithmetic_of_the_program(toy: Any) -> None:
    """Against numpy in float64: the rows of the sampler, the step in the learning rate, the carried state."""
    w = np.zeros((3, 1))
    for step in range(11):
        taken = rows(toy.spec.seed, step, 4, 30)
        x, y = (toy.dataset.columns[name][taken].astype(np.float64) for name in "xy")
        w -= 0.05 / (1 + step) * (x.T @ (x @ w - y)) * 2 / 4
    segment = toy.runner.interval(toy.initial, 0, 11)
    np.testing.assert_allclose(segment.state["w"], w, rtol=1e-5)
    assert float(segment.metrics[-1]["loss"]) < float(segment.metrics[0]["loss"])


def test_engines_and_threads_agree(toy: Any) -> None:
    engines = [Interpreter(toy.program), exact.compile(toy.program, threads=2)]
    expected = toy.runner.interval(toy.initial, 0, 5)
    for engine in engines:
        segment = Runner(engine, toy.spec, toy.dataset).interval(toy.initial, 0, 5)
        assert state_root(segment.state) == state_root(expected.state)
        assert segment.digest == expected.digest


def test_the_seed_is_fed_where_the_program_takes_one(make: Callable[..., Any]) -> None:
    seeded = make(seeded=True)
    assert seeded.runner.interval(seeded.initial, 0, 1).metrics[0]["seed"] == 11


def test_the_digest_is_a_tree_over_exact_bits(toy: Any) -> None:
    segment = toy.runner.interval(toy.initial, 0, 2)
    leaves = []
    for step, metrics in enumerate(segment.metrics):
        data = step.to_bytes(8, "big") + metrics["loss"].tobytes() + metrics["probe"].tobytes()
        leaves.append(sha256(b"\x00" + data).digest())
    assert segment.digest == sha256(b"\x01" + leaves[0] + leaves[1]).digest()
    assert segment.trace == sha256(b"\x05" + segment.digest).digest()
    bent = dict(segment.metrics[0])
    bent["loss"] = np.nextafter(bent["loss"], np.float32(9))
    assert fingerprint(0, bent) != leaves[0]
    assert fingerprint(1, segment.metrics[0]) != leaves[0]
    assert Trace().digest == bytes(32)


def test_public_metrics_hide_the_bits() -> None:
    assert public_metric(2.30258509) == 2.3
    assert public_metric(0.000123456) == 0.000123
    assert np.isnan(public_metric(float("nan")))


def change(toy: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(toy.spec, **changes)


def test_parts_that_do_not_fit_are_refused(toy: Any) -> None:
    executable, columns = toy.runner.executable, toy.dataset.columns
    misfits = [
        (change(toy, rows=29), toy.dataset),
        (change(toy, batch_size=5), toy.dataset),
        (change(toy, batch_size=2**53), toy.dataset),
        (toy.spec, Dataset({"x": columns["x"]})),
        (toy.spec, Dataset(columns | {"x": columns["x"][:, :2]})),
        (toy.spec, Dataset(columns | {"y": columns["y"].astype(np.float16)})),
        (toy.spec, Dataset(columns | {"z": columns["y"]})),
    ]
    for spec, dataset in misfits:
        with pytest.raises(RefusedError, match="do not fit"):
            Runner(executable, spec, dataset)


def test_a_state_of_another_program_is_refused(toy: Any) -> None:
    for state in [{}, {"w": toy.initial["w"]}, toy.initial | {"w": np.zeros((3, 1), np.int32)}]:
        with pytest.raises(RefusedError, match="not a state"):
            toy.runner.interval(state, 0, 1)
