"""Optimizers, schedules and clipping against torch.optim, over enough steps for the bias corrections to matter."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from assay.capture import SGD, Adam, AdamW, Constant, WarmupCosine, initial_state, training_step_onnx
from assay.errors import CaptureError, UsageError

RULES = {
    "sgd": SGD(lr=0.1),
    "momentum": SGD(lr=0.05, momentum=0.9, weight_decay=0.01),
    "nesterov": SGD(lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.01),
    "adam": Adam(lr=0.01),
    "adam_decay": Adam(lr=0.01, betas=(0.8, 0.9), eps=1e-6, weight_decay=0.1),
    "adam_no_memory": Adam(lr=0.01, betas=(0.0, 0.99)),
    "adamw": AdamW(lr=0.01, weight_decay=0.1),
}


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))


def batches(steps: int = 12) -> list[dict[str, np.ndarray]]:
    draw = np.random.default_rng(0)
    return [{"x": draw.standard_normal((16, 8)).astype(np.float32), "y": draw.integers(0, 4, 16)} for _ in range(steps)]


def step(module: nn.Module, optimizer: object, **options: object) -> bytes:
    return training_step_onnx(module, "cross_entropy", optimizer, batches(1)[0], **options)


@pytest.mark.parametrize("name", RULES)
def test_update_rules(name, agree):
    agree(net(), "cross_entropy", RULES[name], batches())


@pytest.mark.parametrize("rule", [RULES["momentum"], RULES["adamw"]], ids=["sgd", "adamw"])
@pytest.mark.parametrize(
    "schedule", [WarmupCosine(warmup=4, steps=10, floor=0.1), WarmupCosine(warmup=0, steps=30)], ids=["warm", "cold"]
)
def test_schedule_and_clipping(rule, schedule, agree):
    agree(net(), "cross_entropy", rule, batches(), schedule=schedule, clip_norm=0.3)


def test_schedule_is_the_graph_value_learning_rate(runner):
    schedule, rule = WarmupCosine(warmup=5, steps=40, floor=0.2), SGD(lr=0.3)
    model = onnx.load_from_string(step(net(), rule, schedule=schedule))
    assert sum("learning_rate" in node.output for node in model.graph.node) == 1
    model.graph.output.append(onnx.helper.make_tensor_value_info("learning_rate", onnx.TensorProto.FLOAT, []))
    program = runner(model.SerializeToString())
    feeds = {f"state/{n}": v for n, v in initial_state(net(), rule).items()}
    feeds |= {f"batch/{n}": v for n, v in batches(1)[0].items()}
    for number in [0, 1, 4, 5, 6, 20, 39, 40, 1000]:
        found = program.run({**feeds, "step": np.array(number, np.int64)})["learning_rate"]
        np.testing.assert_allclose(found, schedule.at(number, 0.3), rtol=1e-5)


def test_constant_rate_feeds_the_updates(runner):
    model = onnx.load_from_string(step(net(), SGD(lr=0.5), schedule=Constant()))
    made = next(node for node in model.graph.node if "learning_rate" in node.output)
    readers = [node for node in model.graph.node if "learning_rate" in node.input]
    assert made.op_type == "Identity"
    assert len(readers) == 4
    source = next(tensor for tensor in model.graph.initializer if tensor.name == made.input[0])
    source.CopyFrom(onnx.numpy_helper.from_array(np.array(0.0, np.float32), source.name))
    state = initial_state(net(), SGD(lr=0.5))
    _, after = runner(model.SerializeToString()).train(state, batches(2))
    for name, before in state.items():
        np.testing.assert_array_equal(after[name], before)


def test_bias_correction_keeps_its_digits(runner):
    """Over 2000 steps, 1 - beta^t as captured is within 1e-6 of the true value, where a subtraction is off by 1e-5."""
    module = nn.Linear(1, 1, bias=False)
    rule = Adam(lr=1.0, betas=(0.9, 0.999), eps=0.0)
    batch = {"x": np.ones((1, 1), np.float32), "y": np.zeros((1, 1), np.float32)}
    program = runner(training_step_onnx(module, lambda o, b: o.sum(), rule, batch))
    feeds = {f"batch/{n}": v for n, v in batch.items()} | {"state/model.weight": batch["y"]}
    for number in [0, 1, 9, 99, 1999]:
        t = number + 1
        # the gradient is 1; with these moments before the step, both are 1 - beta^t after it, and the update is lr
        m, v = (np.full((1, 1), (1 - b**number), np.float32) for b in rule.betas)
        feeds |= {"state/optimizer.exp_avg.weight": m, "state/optimizer.exp_avg_sq.weight": v}
        found = program.run({**feeds, "step": np.array(number, np.int64)})["next/model.weight"]
        after = [b * x + (1 - b) for b, x in zip(rule.betas, (m.astype(float), v.astype(float)), strict=True)]
        want = -(after[0] / (1 - rule.betas[0] ** t)) / np.sqrt(after[1] / (1 - rule.betas[1] ** t))
        np.testing.assert_allclose(found, want, rtol=1e-6)


@pytest.mark.parametrize("name", RULES)
def test_torch_optimizers_are_read(name):
    rule, module = RULES[name], net()
    kind = {SGD: torch.optim.SGD, Adam: torch.optim.Adam, AdamW: torch.optim.AdamW}[type(rule)]
    same = kind(module.parameters(), **{f: getattr(rule, f) for f in rule.__dataclass_fields__})
    assert step(module, same) == step(module, rule)
    assert initial_state(module, same).keys() == initial_state(module, rule).keys()


def test_only_the_optimizers_parameters_are_trained(runner):
    module = net()
    optimizer = torch.optim.SGD(module[2].parameters(), lr=0.1, momentum=0.9)
    state = initial_state(module, optimizer)
    assert [name for name in state if "momentum" in name] == [
        "optimizer.momentum.2.bias",
        "optimizer.momentum.2.weight",
    ]
    _, after = runner(step(module, optimizer)).train(state, batches(2))
    changed = {name for name in state if not np.array_equal(after[name], state[name])}
    assert changed == {f"{kind}.2.{part}" for kind in ("model", "optimizer.momentum") for part in ("weight", "bias")}


def test_refused_optimizers():
    module = net()
    parameters = list(module.parameters())
    stepped = torch.optim.Adam(parameters)
    module(torch.zeros(1, 8)).sum().backward()
    stepped.step()
    groups = torch.optim.SGD([{"params": parameters[:1]}, {"params": parameters[1:]}], lr=0.1)
    for optimizer, word in [
        (torch.optim.RMSprop(parameters), "RMSprop"),
        (torch.optim.Adam(parameters, amsgrad=True), "amsgrad"),
        (torch.optim.SGD(parameters, lr=0.1, momentum=0.9, dampening=0.5), "dampening"),
        (torch.optim.SGD(parameters, lr=0.1, maximize=True), "maximize"),
        (groups, "groups"),
        (stepped, "already stepped"),
        ("sgd", "str"),
    ]:
        with pytest.raises(CaptureError, match=word):
            step(module, optimizer)
    with pytest.raises(UsageError):
        WarmupCosine(warmup=10, steps=10)
