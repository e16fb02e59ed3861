"""The referee of these tests: torch eager with torch.optim, against the captured program in the exact engine."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from assay.capture import AdamW, initial_state, training_step
from assay.capture import loss as losses
from assay.engine import exact

torch.set_num_threads(1)
logging.getLogger("torch.__trace").setLevel(logging.WARNING)  # pytest would format a record per fake tensor
Arrays = dict[str, np.ndarray[Any, Any]]
Batches = Sequence[Mapping[str, np.ndarray[Any, Any]]]


class Trainer:
    """A training step of `module`, captured and compiled."""

    def __init__(self, module: torch.nn.Module, loss: Any, rule: AdamW, batch: Mapping[str, Any], **more: Any) -> None:
        self.program = training_step(module, loss, rule, batch, **more)
        self.engine, self.before = exact.compile(self.program, threads=1), initial_state(module, rule)
        self.ports = {port.name for port in self.program.inputs}

    def run(self, batches: Batches, seed: int = 0) -> tuple[list[float], Arrays]:
        """The losses of one step per batch from the initial state, and the state after them."""
        state, found = self.before, []
        for step, batch in enumerate(batches):
            feeds = {f"state/{name}": value for name, value in state.items()}
            feeds |= {f"batch/{name}": value for name, value in batch.items()}
            feeds |= {"step": np.array(step, np.int64), "seed": np.array(seed, np.uint64)}
            out = self.engine.run({name: value for name, value in feeds.items() if name in self.ports})
            state = {name: out[f"next/{name}"] for name in state}
            found.append(float(out["metric/loss"]))
        return found, state


def eager(module: torch.nn.Module, loss: Any, rule: AdamW, batches: Batches) -> list[float]:
    """The losses of torch's own training of a copy of `module`."""
    module, function, found = copy.deepcopy(module).train(), losses.named(loss), []
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=rule.lr, weight_decay=rule.weight_decay)
    for columns in batches:
        batch = {name: torch.as_tensor(column) for name, column in columns.items()}
        args, keywords = losses.positional(batch)
        value = function(module(*args, **keywords), batch)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        found.append(value.item())
    return found


@pytest.fixture
def trainer() -> type[Trainer]:
    return Trainer


@pytest.fixture
def follows_torch() -> Callable[..., tuple[Arrays, Arrays]]:
    """follows_torch(module, loss, rule, batches): every loss within 1e-3 of torch's, and the last below the first.

    Returns the states before and after.
    """

    def check(module: torch.nn.Module, loss: Any, rule: AdamW, batches: Batches) -> tuple[Arrays, Arrays]:
        trained = Trainer(module, loss, rule, batches[0])
        (found, after), wanted = trained.run(batches), eager(module, loss, rule, batches)
        np.testing.assert_allclose(found, wanted, rtol=1e-3)
        assert np.mean(wanted[-5:]) < 0.8 * wanted[0]
        return trained.before, after

    return check
