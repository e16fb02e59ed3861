"""examples/digits: agrees with torch, is what ships among the assets, and learns under the exact engine."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.numpy import load as load_tensors

from assay.capture import Job
from assay.engine import exact
from assay.program import load
from assay.proof import Dataset, decode_state, rows

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "src" / "assay" / "assets" / "digits"
PINNED = "2.13"
"""The version of torch with which the assets were captured; another one may trace the same step differently."""


def imported(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def files() -> Iterator[dict[str, bytes]]:
    """What examples/digits/capture.py would write; it imports its neighbour as `train`."""
    imported(ROOT / "examples" / "digits" / "train.py", "train")
    yield imported(ROOT / "examples" / "digits" / "capture.py", "digits_capture").files()
    for name in ("train", "digits_capture"):
        del sys.modules[name]


@pytest.fixture(scope="module")
def job(files) -> Job:
    return sys.modules["train"].task()


def batches(job: Job, steps: int) -> list[dict[str, np.ndarray]]:
    draw = np.random.default_rng(0)
    rows = [draw.choice(job.rows, job.batch_size, replace=False) for _ in range(steps)]
    return [{name: column[r] for name, column in job.dataset.items()} for r in rows]


def test_first_50_losses_agree_with_torch(job, agree):
    # a bias before batch norm has a gradient of zero up to rounding, which Adam blows up: it and the running mean
    # that follows it differ, the losses don't
    agree(
        job.module, job.loss, job.optimizer, batches(job, 50), schedule=job.schedule, rtol=1e-4,
        state_rtol=1e-2, state_atol=3e-3, noise=("conv1.bias", "running_mean"),
    )  # fmt: skip


def test_assets_are_what_the_example_gives(files, runner, job):
    assert {p.name for p in ASSETS.iterdir()} == {*files, "README.md"}
    for name in ("task.toml", "train.safetensors", "test.safetensors", "initial.safetensors"):
        assert (ASSETS / name).read_bytes() == files[name], name
    if torch.__version__.startswith(PINNED):
        assert (ASSETS / "program.onnx").read_bytes() == files["program.onnx"]
        assert (ASSETS / "inference.onnx").read_bytes() == files["inference.onnx"]
    state = load_tensors(files["initial.safetensors"])
    models = files["program.onnx"], (ASSETS / "program.onnx").read_bytes()
    found = [runner(model).train(state, batches(job, 3))[0] for model in models]
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_learns_under_the_exact_engine(job):
    program = load((ASSETS / "program.onnx").read_bytes())
    engine = exact.compile(program)
    state = decode_state((ASSETS / "initial.safetensors").read_bytes(), program.state)
    losses = []
    for step in range(job.steps):
        picked = rows(job.seed, step, job.batch_size, job.rows)
        feeds = {f"state/{n}": v for n, v in state.items()} | {f"batch/{n}": v[picked] for n, v in job.dataset.items()}
        out = engine.run({**feeds, "step": np.array(step, np.int64)})
        state = {name: out[f"next/{name}"] for name in state}
        losses.append(float(out["metric/loss"]))
    assert losses[0] > 2.0 > 0.1 > np.mean(losses[-10:])
    assert accuracy(state) >= 0.96


def accuracy(state: dict[str, np.ndarray]) -> float:
    program = load((ASSETS / "inference.onnx").read_bytes())
    engine, test = exact.compile(program), Dataset.parse((ASSETS / "test.safetensors").read_bytes()).columns
    size, hits = program.batch["x"].shape[0], 0
    weights = {f"state/{name}": state[name] for name in program.state}
    for start in range(0, len(test["y"]), size):
        x, y = test["x"][start : start + size], test["y"][start : start + size]
        filled = np.concatenate([x, np.repeat(x[-1:], size - len(x), axis=0)])
        hits += int((engine.run({**weights, "batch/x": filled})["result/output"].argmax(1)[: len(y)] == y).sum())
    return hits / len(test["y"])
