"""The ports, names and bytes of a captured program."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from assay.capture import SGD, Adam, Job, inference_onnx, initial_state, training_step, training_step_onnx
from assay.errors import UsageError

BATCH = {"x": torch.zeros(4, 3, dtype=torch.uint8), "y": torch.zeros(4, dtype=torch.int32)}


class Tied(nn.Module):
    """Embedding and output share a weight; one part is unused, one frozen; buffers of three kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 5)
        self.norm = nn.BatchNorm1d(3)
        self.head = nn.Linear(5, 7)
        self.head.weight = self.embedding.weight
        self.unused = nn.Linear(2, 2)
        self.frozen = nn.Parameter(torch.full((5,), 2.0), requires_grad=False)
        self.register_buffer("mask", torch.tril(torch.ones(3, 3)), persistent=False)
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.plain = torch.arange(5.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count = self.count + 2
        h = self.norm(self.embedding(x.long()) * self.frozen + self.plain)
        return self.head((self.mask @ h).sum(1))


def ports(model: bytes) -> tuple[dict[str, tuple], dict[str, tuple]]:
    graph = onnx.load_from_string(model).graph

    def described(values: object) -> dict[str, tuple]:
        return {
            v.name: (
                onnx.helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type).name,
                tuple(d.dim_value for d in v.type.tensor_type.shape.dim),
            )
            for v in values
        }

    return described(graph.input), described(graph.output)


def test_ports_of_a_training_step():
    module, rule = Tied(), Adam(lr=0.01, weight_decay=0.1)
    state = initial_state(module, rule)
    found, results = ports(training_step_onnx(module, "cross_entropy", rule, BATCH))
    described = {name: (value.dtype.name, value.shape) for name, value in state.items()}
    assert found == {
        **{f"state/{name}": kind for name, kind in described.items()},
        "batch/x": ("uint8", (4, 3)), "batch/y": ("int32", (4,)), "step": ("int64", ()),
    }  # fmt: skip
    probe = 4  # embedding, two of the norm, the head's bias: what has a gradient
    metrics = {"metric/loss": ("float32", ()), "metric/probe": ("float32", (probe,))}
    assert results == {**{f"next/{name}": kind for name, kind in described.items()}, **metrics}
    assert "model.head.weight" not in state
    assert "model.mask" not in state
    assert described["model.count"] == described["model.norm.num_batches_tracked"] == ("int64", ())
    assert not any("frozen" in name for name in state if name.startswith("optimizer."))


def test_tied_frozen_unused_and_counting_tensors(agree):
    torch.manual_seed(0)
    draw = np.random.default_rng(0)
    batches = [{"x": draw.integers(0, 7, (4, 3)).astype(np.uint8), "y": draw.integers(0, 7, 4)} for _ in range(5)]
    agree(Tied(), "cross_entropy", Adam(lr=0.01, weight_decay=0.1), batches)


def test_probe_is_the_first_elements_of_the_gradients(runner):
    torch.manual_seed(0)
    module = nn.Sequential(*(nn.Linear(3, 3) for _ in range(5)))
    batch = {"x": torch.randn(4, 3), "y": torch.randn(4, 3)}
    program = runner(training_step_onnx(module, "mse", SGD(lr=0.1), batch, clip_norm=1e-3))
    feeds = {f"state/{n}": v for n, v in initial_state(module, SGD(lr=0.1)).items()}
    out = program.run({**feeds, **{f"batch/{n}": v.numpy() for n, v in batch.items()}, "step": np.array(0)})
    nn.functional.mse_loss(module(batch["x"]), batch["y"]).backward()
    expected = [p.grad.reshape(-1)[0].item() for p in module.parameters()][:8]
    np.testing.assert_allclose(out["metric/probe"], expected, rtol=1e-4, atol=1e-8)


def test_no_float64_and_equal_bytes():
    """What is captured is reproducible, and has no type that exact-1 lacks, in functions and constants too."""
    models = [
        make()
        for make in (
            lambda: training_step_onnx(Tied(), "cross_entropy", Adam(), BATCH, clip_norm=1.0),
            lambda: inference_onnx(Tied(), BATCH["x"]),
        )
        for _ in range(2)
    ]
    torch.manual_seed(0)
    assert models[0] == models[1]
    assert models[2] == models[3]
    for model in models:
        parsed = onnx.load_from_string(model)
        onnx.checker.check_model(parsed, full_check=True)
        types = {v.type.tensor_type.elem_type for v in onnx.shape_inference.infer_shapes(parsed).graph.value_info}
        types |= {t.data_type for t in parsed.graph.initializer}
        assert types.isdisjoint({onnx.TensorProto.DOUBLE, onnx.TensorProto.COMPLEX64, 0})


def test_the_program_loads():
    program = training_step(Tied(), "cross_entropy", SGD(lr=0.1), BATCH)
    assert program.is_training
    assert set(program.state) == set(initial_state(Tied(), SGD(lr=0.1)))


def test_several_inputs(agree):
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(7, 2)

        def forward(self, a: torch.Tensor, b: torch.Tensor, *, scale: torch.Tensor) -> torch.Tensor:
            return self.inner(torch.cat([a, b], 1)) * scale

    draw = np.random.default_rng(0)
    shapes = {"x0": (5, 3), "x1": (5, 4), "x_scale": (5, 1), "y": (5, 2), "weight": (5, 2)}
    batches = [{n: draw.standard_normal(s).astype(np.float32) for n, s in shapes.items()} for _ in range(3)]
    model = agree(Two(), lambda o, b: (b["weight"] * (o - b["y"]) ** 2).sum(), SGD(lr=0.01), batches)
    assert {n for n in ports(model)[0] if n.startswith("batch/")} == {f"batch/{n}" for n in shapes}


def test_modes_are_kept_and_restored():
    module = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5)).eval()
    batch = {"x": torch.zeros(4, 3), "y": torch.zeros(4, 2)}
    assert "seed" in ports(training_step_onnx(module, "mse", SGD(lr=0.1), batch))[0]
    assert not any(part.training for part in module.modules())
    module.train()[1].eval()
    assert "seed" not in ports(training_step_onnx(module, "mse", SGD(lr=0.1), batch))[0]
    assert [part.training for part in module.modules()] == [True, True, False]


def test_several_outputs(runner):
    class Both(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x * 2, x.argmax(-1)

    x = torch.randn(4, 3)
    out = runner(inference_onnx(Both(), (x,))).run({"batch/x": x.numpy()})
    np.testing.assert_array_equal(out["result/output0"], x * 2)
    np.testing.assert_array_equal(out["result/output1"], x.argmax(-1))


def test_jobs_are_checked():
    fields = {
        "name": "job",
        "module": nn.Linear(3, 2),
        "loss": "mse",
        "optimizer": SGD(lr=0.1),
        "steps": 3,
        "interval": 1,
    }
    columns = {"x": np.zeros((5, 3), np.float32), "y": np.zeros((5, 2), np.float32)}
    job = Job(dataset=columns, batch_size=8, **fields)
    assert {n: c.shape for n, c in job.example_batch().items()} == {"x": (8, 3), "y": (8, 2)}
    with pytest.raises(UsageError):
        Job(dataset={**columns, "y": columns["y"][:4]}, batch_size=8, **fields)
    with pytest.raises(UsageError):
        Job(dataset=columns, batch_size=0, **fields)


def test_records_cost_no_torch():
    code = "import sys; from assay.capture import SGD, Job; assert 'torch' not in sys.modules; assert 'onnx' not in sys.modules"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
