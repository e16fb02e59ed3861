"""Attention and its kin, whose bodies are our own, beside onnx.reference."""

from __future__ import annotations

import numpy as np
import pytest

from assay.errors import RefusedError

RNG = np.random.default_rng(16)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


Q, K, V = floats(2, 4, 3, 8), floats(2, 2, 5, 8), floats(2, 2, 5, 6)
PAST = [floats(2, 2, 4, 8), floats(2, 2, 4, 6)]
MASK = RNG.random((2, 4, 3, 5)) < 0.6
CASES = [
    (1, [], {}),
    (1, [MASK], {}),
    (1, [floats(3, 5)], {"scale": 0.3, "softcap": 2.0}),
    (3, [None, *PAST], {"is_causal": 1}),
    (4, [floats(1, 1, 3, 9), *PAST], {"is_causal": 1, "qk_matmul_output_mode": 3}),
    (1, [None, None, None, np.int64([3, 5])], {"is_causal": 1}),
    (1, [], {"left_window_size": 1, "right_window_size": 0}),
]


@pytest.mark.parametrize(("outputs", "more", "options"), CASES)
def test_attention(agrees, outputs, more, options):
    version = 25 if "left_window_size" in options else 24
    agrees("Attention", [Q, K, V, *more], outputs=outputs, opset=version, rtol=1e-4, atol=1e-5, **options)


def test_a_short_mask_hides_the_rest(one_node, same):
    short = one_node("Attention", [Q, K, V, MASK[..., :4]], opset=24).run()
    full = MASK.copy()
    full[..., 4] = False
    same(short, one_node("Attention", [Q, K, V, full], opset=24).run(), rtol=0, atol=0)


def test_rows_that_are_masked_throughout_give_zero(one_node):
    mask = np.ones((3, 5), bool)
    mask[1] = False
    found = one_node("Attention", [Q, K, V, mask], opset=24).run()["y0"]
    assert not found[:, :, 1].any()
    assert np.isfinite(found).all()
    assert found[:, :, 0].any()


@pytest.mark.parametrize("options", [{"q_num_heads": 3, "kv_num_heads": 2}, {"q_num_heads": 4}, {}])
def test_heads_that_do_not_divide(one_node, options):
    x = floats(2, 3, 8)
    with pytest.raises(RefusedError, match="Attention"):
        one_node("Attention", [x, x, x], opset=24, **options).program()


@pytest.mark.parametrize(
    ("shape", "caches", "options"),
    [
        ((2, 3, 4, 8), (10, 4), {}),
        ((2, 3, 4, 8), (10, 2), {"rotary_embedding_dim": 4}),
        ((2, 4, 24), (10, 4), {"num_heads": 3, "interleaved": 1}),
        ((2, 4, 24), (10, 2), {"num_heads": 3, "interleaved": 1, "rotary_embedding_dim": 4}),
    ],
)
def test_rotary_embedding(agrees, shape, caches, options):
    positions = RNG.integers(0, 10, (2, 4))
    agrees("RotaryEmbedding", [floats(*shape), floats(*caches), floats(*caches), positions], opset=23, **options)
    agrees("RotaryEmbedding", [floats(*shape), *(floats(2, 4, caches[1]) for _ in range(2))], opset=23, **options)


@pytest.mark.parametrize("rule", ["linear", "gated", "delta", "gated_delta"])
@pytest.mark.parametrize("state", [False, True])
def test_linear_attention(agrees, rule, state):
    decay = -np.abs(floats(2, 3, 2)) if "gated" in rule else None
    beta = np.abs(floats(2, 3, 2)) if "delta" in rule else None
    arrays = [floats(2, 3, 16), floats(2, 3, 8), floats(2, 3, 6), floats(2, 2, 4, 3) if state else None, decay, beta]
    options = {"q_num_heads": 4, "kv_num_heads": 2, "update_rule": rule}
    agrees("LinearAttention", arrays, outputs=2, opset=27, rtol=1e-4, atol=1e-5, **options)


@pytest.mark.parametrize("activation", ["none", "silu"])
@pytest.mark.parametrize("state", [False, True])
def test_causal_convolution(agrees, activation, state):
    arrays = [floats(2, 3, 7), floats(3, 1, 4), floats(3), floats(2, 3, 3) if state else None]
    agrees("CausalConvWithState", arrays, outputs=2, opset=27, activation=activation)


@pytest.mark.parametrize("mode", ["linear", "circular"])
def test_caches(agrees, one_node, mode):
    start = np.int64([1, 3] if mode == "circular" else [1, 2])
    agrees("TensorScatter", [floats(2, 3, 4, 5), floats(2, 3, 2, 5), start], opset=24, mode=mode)
    cache = floats(2, 4, 5)
    beyond = one_node("TensorScatter", [cache, floats(2, 2, 5), np.int64([9, -7])], opset=24).run()["y0"]
    np.testing.assert_array_equal(beyond, cache)


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("options", [{}, {"ignore_index": 1}])
def test_losses(agrees, reduction, weighted, options):
    weights = [np.abs(floats(4))] if weighted else []
    labels = RNG.integers(0, 4, (3, 2))
    options = {"reduction": reduction, **options}
    agrees("NegativeLogLikelihoodLoss", [floats(3, 4, 2), labels, *weights], **options)
    agrees("SoftmaxCrossEntropyLoss", [floats(3, 4, 2), labels, *weights], outputs=2, **options)


@pytest.mark.parametrize("opset", [12, 13])
def test_a_loss_is_over_one_axis_in_every_version(agrees, opset):
    agrees("SoftmaxCrossEntropyLoss", [floats(3, 4, 2, 2), RNG.integers(0, 4, (3, 2, 2))], outputs=2, opset=opset)


@pytest.mark.parametrize("axes", [None, [0, -1]])
def test_crop_and_pad(agrees, axes):
    options = {} if axes is None else {"axes": axes}
    shape = [6, 2, 5] if axes is None else [6, 5]
    agrees("CenterCropPad", [floats(3, 5, 8), np.int64(shape)], constant=[1], **options)


def test_shrink_and_gates(agrees):
    agrees("Shrink", [floats(50)], lambd=0.4, bias=0.1)
    agrees("Shrink", [floats(50).astype(np.float16)])
    agrees("SwiGLU", [floats(3, 4), floats(3, 4)], opset=28)
