"""Philox4x32-10 in ONNX against an independent one, the published vectors, and dropout as documented."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import helper
from torch import nn

from assay.capture import SGD, inference_onnx, initial_state, training_step_onnx
from assay.capture.graph import Graph
from assay.capture.philox import uniform
from assay.program.types import DType

M, W, MASK = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85), 0xFFFFFFFF


def philox(counter: tuple[int, ...], key: tuple[int, ...]) -> tuple[int, ...]:
    """The reference of Random123, in Python integers."""
    (a, b, c, d), (k, l) = counter, key
    for _ in range(10):
        p, q = M[0] * a, M[1] * c
        a, b, c, d = (q >> 32) ^ b ^ k, q & MASK, (p >> 32) ^ d ^ l, p & MASK
        k, l = (k + W[0]) & MASK, (l + W[1]) & MASK
    return a, b, c, d


def expected(seed: int, step: int, ordinal: int, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """The uniform numbers of docs/capture.md."""
    size = int(np.prod(shape))
    words = [
        word
        for block in range(-(-size // 4))
        for word in philox((block & MASK, block >> 32, step & MASK, ordinal), (seed & MASK, seed >> 32))
    ]
    return (np.array(words[:size], np.uint64) >> 8).astype(np.float32).reshape(shape) * np.float32(2.0**-24)


VECTORS = [
    # kat_vectors of Random123: "philox4x32 10 <counter> <key> <result>"
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((MASK,) * 4, (MASK,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "result"), VECTORS)
def test_published_vectors(counter, key, result, runner):
    assert philox(counter, key) == result
    graph = Graph()
    seed = graph.input("seed", DType.UINT64, ())
    graph.output("u", uniform(graph, seed, None, 0, (4,)))
    function = onnx.load_from_string(graph.model("u")).functions[0]
    names = [*function.input, *function.output]
    ports = [helper.make_tensor_value_info(name, onnx.TensorProto.UINT64, [1]) for name in names]
    node = helper.make_node(function.name, list(function.input), list(function.output), domain=function.domain)
    model = helper.make_model(
        helper.make_graph([node], "philox", ports[:6], ports[6:]),
        functions=[function],
        opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("assay", 1)],
        ir_version=10,
    )
    feeds = {n: np.array([v], np.uint64) for n, v in zip(function.input, [*counter, *key], strict=True)}
    assert tuple(int(v[0]) for v in runner(model.SerializeToString()).run(feeds).values()) == result


@pytest.mark.parametrize("shape", [(1,), (4,), (3, 5), (2, 3, 7), (20000,)])
def test_uniform_numbers(shape, runner):
    graph = Graph()
    ports = [graph.input("seed", DType.UINT64, ()), graph.input("step", DType.INT64, ())]
    graph.output("u", uniform(graph, *ports, 3, shape))
    program = runner(graph.model("u"))
    for seed, step in [(0, 0), (2**63 + 12345, 7), (2**32, 2**33 + 5)]:
        found = program.run({"seed": np.array(seed, np.uint64), "step": np.array(step, np.int64)})["u"]
        np.testing.assert_array_equal(found, expected(seed, step, 3, shape))
        assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() < 1


class Twice(nn.Module):
    """Drops a parameter twice; its gradient is then the product of the two masks."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(6, 11))
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(F.dropout(self.weight, self.p, self.training) * x, 0.5, self.training)


@pytest.mark.parametrize("p", [0.1, 0.3, 0.75])
def test_dropout_is_the_documented_one(p, runner):
    batch, rule = {"x": np.ones((1,), np.float32)}, SGD(lr=1.0)
    program = runner(training_step_onnx(Twice(p), lambda o, b: o.sum(), rule, batch))
    assert "seed" in program.inputs
    for seed, step in [(0, 0), (5, 1), (2**40 + 1, 1000)]:
        feeds = {"state/model.weight": np.zeros((6, 11), np.float32), "batch/x": batch["x"]}
        feeds |= {"seed": np.array(seed, np.uint64), "step": np.array(step, np.int64)}
        gradient = -program.run(feeds)["next/model.weight"]
        first, second = (expected(seed, step, ordinal, (6, 11)) >= np.float32(q) for ordinal, q in [(0, p), (1, 0.5)])
        np.testing.assert_allclose(gradient, first * second * (2.0 / (1 - p)), rtol=1e-6)


def test_dropout_in_attention(runner):
    q = nn.Parameter(torch.zeros(1, 2, 5, 4))

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.v = nn.Parameter(torch.zeros(1, 2, 5, 4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.scaled_dot_product_attention(x, x, self.v, dropout_p=0.25 if self.training else 0.0)

    batch = {"x": q.detach().numpy()}
    model = training_step_onnx(Attention(), lambda o, b: o.sum(), SGD(lr=1.0), batch)
    _, after = runner(model).train({"model.v": batch["x"]}, [batch], seed=9)
    weights = (expected(9, 0, 0, (1, 2, 5, 5)) >= np.float32(0.25)) / np.float32(0.75) / 5
    np.testing.assert_allclose(-after["model.v"][..., 0], weights.sum(-2), rtol=1e-5)


def test_no_seed_without_dropout(runner):
    batch = {"x": np.ones((2, 11), np.float32)[:1]}
    assert "seed" not in runner(training_step_onnx(_frozen(), lambda o, b: o.sum(), SGD(lr=1.0), batch)).inputs
    assert "seed" not in runner(inference_onnx(Twice(0.5), torch.ones(1))).inputs
    assert initial_state(Twice(0.5), SGD(lr=1.0)).keys() == {"model.weight"}


def _frozen() -> nn.Module:
    """In training mode as a whole, but with its dropout in evaluation mode: modes of parts are kept."""
    return nn.Sequential(nn.Linear(11, 3), nn.Dropout(0.5).eval())
