"""The examples, trained by the exact engine, next to torch eager from the same weights on the same batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from assay.engine import exact
from assay.market.job import package_job, read_job
from assay.proof import Dataset, Runner, decode_state
from assay.store import Store

EXAMPLES = Path(__file__).parents[2] / "examples"
COMPARED = 50


def torch_losses(job, runner: Runner) -> list[float]:
    """The first losses of an ordinary torch loop over the batches that the task's sampler draws."""
    rule = job.optimizer
    model = job.module.train()
    if type(rule).__name__ == "SGD":
        optimizer = torch.optim.SGD(
            model.parameters(), rule.lr, rule.momentum, nesterov=rule.nesterov, weight_decay=rule.weight_decay
        )
    else:
        kind = getattr(torch.optim, type(rule).__name__)
        optimizer = kind(model.parameters(), rule.lr, rule.betas, rule.eps, rule.weight_decay)
    losses = []
    for step in range(COMPARED):
        batch = {name: torch.from_numpy(column) for name, column in runner.batch(step).items()}
        if job.schedule is not None:
            optimizer.param_groups[0]["lr"] = job.schedule.at(step, rule.lr)
        outputs = model(batch["x"])
        loss = F.cross_entropy(outputs.flatten(0, -2), batch["y"].long().flatten())
        optimizer.zero_grad()
        loss.backward()
        if job.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), job.clip_norm)
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


@pytest.mark.parametrize(("example", "bar"), [("digits", 0.1), ("shakespeare", 2.7)])
def test_an_example_follows_torch_and_learns(example, bar, tmp_path):
    job = read_job(EXAMPLES / example / "train.py")
    store = Store(tmp_path)
    package = package_job(job, store)
    assert package.spec.steps <= 300
    executable = exact.compile(package.program, threads=2)
    runner = Runner(executable, package.spec, Dataset.parse(store.get(package.spec.dataset)))
    state = decode_state(store.get(package.spec.initial), runner.ports)
    losses = [float(step["loss"]) for step in runner.interval(state, 0, package.spec.steps).metrics]
    np.testing.assert_allclose(losses[:COMPARED], torch_losses(job, runner), rtol=1e-4)
    assert np.mean(losses[-10:]) < bar
