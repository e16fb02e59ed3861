"""The referee of these tests: torch eager with a real torch.optim loop, against the captured program in onnxruntime."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch

from assay.capture import SGD, Adam, AdamW, Constant, initial_state, training_step_onnx
from assay.capture import loss as losses

torch.set_num_threads(1)
logging.getLogger("torch.__trace").setLevel(logging.WARNING)  # pytest would format a record per fake tensor
Arrays = dict[str, np.ndarray[Any, Any]]
_TORCH = {SGD: torch.optim.SGD, Adam: torch.optim.Adam, AdamW: torch.optim.AdamW}


class Runner:
    """A program in onnxruntime: `run` takes and returns tensors by port name."""

    def __init__(self, model: bytes) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        # ORT's fusions change bits and, with Adam's eps, even results
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        self.session = ort.InferenceSession(model, options)
        self.inputs = {i.name for i in self.session.get_inputs()}
        self.outputs = [o.name for o in self.session.get_outputs()]

    def run(self, feeds: Mapping[str, Any]) -> Arrays:
        given = {name: np.asarray(feeds[name]) for name in self.inputs}
        return dict(zip(self.outputs, self.session.run(None, given), strict=True))

    def train(self, state: Arrays, batches: Sequence[Mapping[str, Any]], seed: int = 0) -> tuple[list[float], Arrays]:
        """Losses of the steps 0, 1, ... and the state after them."""
        found = []
        for step, batch in enumerate(batches):
            feeds = {f"state/{name}": value for name, value in state.items()}
            feeds |= {f"batch/{name}": np.asarray(value) for name, value in batch.items()}
            feeds |= {"step": np.array(step, np.int64), "seed": np.array(seed, np.uint64)}
            out = self.run(feeds)
            assert not any(np.isnan(value).any() for value in out.values())
            state = {name: out[f"next/{name}"] for name in state}
            found.append(float(out["metric/loss"]))
        return found, state


def eager(
    module: torch.nn.Module,
    loss: Any,
    rule: Any,
    batches: Sequence[Mapping[str, Any]],
    schedule: Any = None,
    clip_norm: float | None = None,
) -> tuple[list[float], Arrays]:
    """The same with torch's own autograd, optimizer and clipping."""
    module, function, found = copy.deepcopy(module), losses.named(loss), []
    fields = {name: getattr(rule, name) for name in rule.__dataclass_fields__}
    optimizer = _TORCH[type(rule)](module.parameters(), **fields)
    for step, batch in enumerate(batches):
        batch = {name: torch.as_tensor(value) for name, value in batch.items()}
        for group in optimizer.param_groups:
            group["lr"] = (schedule or Constant()).at(step, rule.lr)
        args, keywords = losses.positional(batch)
        value = function(module(*args, **keywords), batch)
        optimizer.zero_grad()
        value.backward()
        if clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(module.parameters(), clip_norm)
        optimizer.step()
        found.append(value.item())
    names = {id(p): name for name, p in module.named_parameters()}
    state = {f"model.{n}": t.detach().numpy() for n, t in [*module.named_parameters(), *module.named_buffers()]}
    torch_names = {"momentum": "momentum_buffer"}
    for p, kept in optimizer.state.items():
        for moment in rule.moments:
            state[f"optimizer.{moment}.{names[id(p)]}"] = kept[torch_names.get(moment, moment)].numpy()
    return found, state


@pytest.fixture
def runner() -> type[Runner]:
    return Runner


@pytest.fixture
def agree() -> Callable[..., bytes]:
    """agree(module, loss, rule, batches, ...) checks losses and final state against torch; returns the ONNX bytes.

    Tensors whose name contains one of `noise` are left out of the comparison of states.
    """

    def check(
        module: Any, loss: Any, rule: Any, batches: Any, *, schedule: Any = None, clip_norm: Any = None,
        rtol: float = 1e-5, state_rtol: float = 1e-3, state_atol: float = 1e-5, noise: tuple[str, ...] = (),
    ) -> bytes:  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = training_step_onnx(module, loss, rule, batches[0], schedule=schedule, clip_norm=clip_norm)
        wanted, wanted_state = eager(module, loss, rule, batches, schedule, clip_norm)
        found, state = Runner(model).train(initial_state(module, rule), batches)
        np.testing.assert_allclose(found, wanted, rtol=rtol)
        for name, value in wanted_state.items():
            if name in state and not any(part in name for part in noise):
                np.testing.assert_allclose(state[name], value, rtol=state_rtol, atol=state_atol, err_msg=name)
                assert state[name].dtype == value.dtype
        assert {n for n in wanted_state if n in state} == set(state) - _untouched(state, wanted_state)
        return model

    return check


def _untouched(state: Arrays, wanted: Arrays) -> set[str]:
    """Moments that torch never made because the parameter had no gradient: zero here."""
    extra = {name for name in state if name not in wanted and name.startswith("optimizer.")}
    assert all(not state[name].any() for name in extra)
    return extra
