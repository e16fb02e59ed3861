"""RNN, GRU and LSTM beside ONNX Runtime (and onnx.reference where that has no layout 1)."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from assay.errors import ProgramRefused, RefusedError

RNG = np.random.default_rng(8)
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
STEPS, ROWS, WIDTH, HIDDEN = 4, 3, 3, 2


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def inputs(op: str, directions: int, full: bool) -> list[np.ndarray | None]:
    """All inputs in order, or those that are required."""
    gates = GATES[op] * HIDDEN
    required = [floats(STEPS, ROWS, WIDTH), floats(directions, gates, WIDTH), floats(directions, gates, HIDDEN)]
    if not full:
        return required
    extra = [floats(directions, 2 * gates), np.int32([4, 1, 2]), floats(directions, ROWS, HIDDEN)]
    peepholes = [floats(directions, ROWS, HIDDEN), floats(directions, 3 * HIDDEN)] if op == "LSTM" else []
    return [*required, *extra, *peepholes]


CASES = list(itertools.product(GATES, ["forward", "reverse", "bidirectional"], [False, True]))


@pytest.mark.parametrize(("op", "direction", "full"), CASES)
def test_against_onnx_runtime(agrees, op, direction, full):
    options = {"clip": 0.4, "linear_before_reset": 1, "input_forget": 1} if full else {}
    options = {k: v for k, v in options.items() if k == "clip" or (k[0] == "l") == (op == "GRU") == (op != "LSTM")}
    arrays = inputs(op, 1 + (direction == "bidirectional"), full)
    outputs = 3 if op == "LSTM" else 2
    agrees(op, arrays, outputs=outputs, direction=direction, hidden_size=HIDDEN, rtol=1e-4, **options)


@pytest.mark.parametrize(
    ("op", "options"),
    [
        ("RNN", {"activations": ["LeakyRelu"], "activation_alpha": [0.2]}),
        ("RNN", {"activations": ["Softplus"]}),
        (
            "GRU",
            {
                "activations": ["HardSigmoid", "ScaledTanh"],
                "activation_alpha": [0.3, 0.9],
                "activation_beta": [0.4, 0.8],
            },
        ),
        ("LSTM", {"activations": ["Relu", "Affine", "Softsign"], "activation_alpha": [0.9], "activation_beta": [0.1]}),
    ],
)
def test_activations(agrees, op, options):
    agrees(op, inputs(op, 1, True), outputs=2, hidden_size=HIDDEN, rtol=1e-4, **options)


@pytest.mark.parametrize("op", GATES)
def test_rows_first(one_node, same, op):
    x, w, r = inputs(op, 1, False)
    graph = one_node(op, [np.swapaxes(x, 0, 1), w, r], outputs=2, hidden_size=HIDDEN, layout=1)
    expected = ReferenceEvaluator(graph.model()).run(None, graph.inputs)
    same(graph.run(), dict(zip(graph.outputs, expected, strict=True)), rtol=1e-4)


def test_beyond_a_rows_length_there_is_nothing(one_node):
    x, w, r = inputs("GRU", 1, False)
    x[2:, 1] = np.nan  # row 1 ends after two steps
    found = one_node("GRU", [x, w, r, None, np.int32([4, 2, 4])], outputs=2, hidden_size=HIDDEN).run()
    assert not found["y0"][2:, 0, 1].any()
    np.testing.assert_array_equal(found["y1"][0, 1], found["y0"][1, 0, 1])
    assert np.isfinite(found["y1"]).all()


def test_too_many_steps_are_refused_at_once(one_node):
    _, w, r = inputs("LSTM", 1, False)
    started = time.process_time()
    with pytest.raises(ProgramRefused, match="too many to unroll"):
        one_node("LSTM", [np.zeros((10_000, 1, WIDTH), np.float32), w, r], hidden_size=HIDDEN).program()
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("wrong", "options"),
    [
        ({}, {"direction": "sideways"}),
        ({}, {"direction": "bidirectional"}),
        ({}, {"hidden_size": 7}),
        ({}, {"activations": ["Gelu", "Tanh", "Tanh"]}),
        ({}, {"activations": ["Tanh"]}),
        ({1: floats(1, 5, WIDTH)}, {}),
        ({3: floats(1, 5)}, {}),
        ({5: floats(2, 2, 2)}, {}),
    ],
)
def test_what_does_not_fit_is_refused(one_node, wrong, options):
    arrays = dict(enumerate(inputs("LSTM", 1, True))) | wrong
    with pytest.raises(RefusedError, match="LSTM"):
        one_node("LSTM", list(arrays.values()), **options).program()
