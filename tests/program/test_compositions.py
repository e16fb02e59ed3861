"""Functions and transforms that are compositions of others: their errors, their ends, and what they mean for odd inputs."""

from __future__ import annotations

import time

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from assay.errors import RefusedError, UnsupportedOperator

RNG = np.random.default_rng(14)
NAN, INF = np.nan, np.inf


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def wide(low: float, high: float) -> np.ndarray:
    """Numbers of both signs and of every size between 2^low and 2^high."""
    size = 2.0 ** RNG.uniform(low, high, 4000)
    return (size * RNG.choice([-1, 1], 4000)).astype(np.float32)


def ulps(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    exact32 = np.abs(exact).astype(np.float32)
    return np.abs(found - exact) / np.spacing(np.maximum(exact32, np.finfo(np.float32).tiny)).astype(np.float64)


# The bounds are a little above what 4,000 samples show.
@pytest.mark.parametrize(
    ("op", "function", "low", "high", "bound"),
    [
        ("Acos", np.arccos, -30, 0, 4),
        ("Asin", np.arcsin, -30, 0, 4),
        ("Atan", np.arctan, -30, 60, 4),
        ("Acosh", np.arccosh, 0, 120, 4),
        ("Asinh", np.arcsinh, -30, 120, 4),
        ("Atanh", np.arctanh, -30, 0, 4),
        ("Cosh", np.cosh, -30, 6.4, 5),
        ("Sinh", np.sinh, -30, 6.4, 5),
        ("Tan", np.tan, -30, 10, 4),
    ],
)
def test_errors(one_node, op, function, low, high, bound):
    x = wide(low, high)
    x = np.abs(x) if op == "Acosh" else x
    found = one_node(op, [x]).run()["y0"].astype(np.float64)
    with np.errstate(over="ignore", divide="ignore"):
        exact = function(x.astype(np.float64))
    assert ulps(found, exact).max() < bound


@pytest.mark.parametrize(
    ("op", "pairs"),
    [
        ("Acos", [(1, 0), (1.5, NAN), (-1.5, NAN), (NAN, NAN)]),
        ("Asin", [(-0.0, -0.0), (0, 0), (2, NAN), (NAN, NAN)]),
        ("Atan", [(-0.0, -0.0), (INF, np.pi / 2), (-INF, -np.pi / 2), (NAN, NAN)]),
        ("Acosh", [(1, 0), (0.5, NAN), (-2, NAN), (INF, INF), (NAN, NAN)]),
        ("Asinh", [(-0.0, -0.0), (INF, INF), (-INF, -INF), (NAN, NAN)]),
        ("Atanh", [(-0.0, -0.0), (1, INF), (-1, -INF), (2, NAN), (NAN, NAN)]),
        ("Cosh", [(0, 1), (INF, INF), (-INF, INF), (89, np.cosh(89)), (NAN, NAN)]),
        ("Sinh", [(-0.0, -0.0), (INF, INF), (-INF, -INF), (-89, -np.sinh(89)), (NAN, NAN)]),
        ("Tan", [(-0.0, -0.0), (INF, NAN), (NAN, NAN)]),
    ],
)
def test_ends(one_node, op, pairs):
    x, want = (np.array(side, np.float32) for side in zip(*pairs, strict=True))
    found = one_node(op, [x]).run()["y0"]
    np.testing.assert_allclose(found, want, rtol=1e-5)
    np.testing.assert_array_equal(np.signbit(found[want == 0]), np.signbit(want[want == 0]))


def test_half_precision_is_rounded_once(one_node):
    x = RNG.normal(size=500).astype(np.float16)
    found = one_node("Sinh", [x]).run()["y0"]
    wide_result = one_node("Sinh", [x.astype(np.float32)]).run()["y0"]
    np.testing.assert_array_equal(found, wide_result.astype(np.float16))


@pytest.mark.parametrize("fmod", [0, 1])
def test_remainders_of_floats(one_node, fmod):
    x, y = wide(-20, 20), wide(-2, 20)
    found = one_node("Mod", [x, y], fmod=fmod).run()["y0"]
    want = (np.fmod if fmod else np.mod)(x.astype(np.float64), y.astype(np.float64)).astype(np.float32)
    near = np.abs(x.astype(np.float64) / y) < 2**24
    if fmod:
        np.testing.assert_array_equal(found[near], want[near])
    else:
        np.testing.assert_allclose(found[near], want[near], rtol=1e-6, atol=0)
    assert np.isnan(found[~near]).all()


def test_remainders_at_their_ends(one_node):
    x = np.float32([-4, 4, 5, -5, 5, INF, 1, NAN, 0, 1e9])
    y = np.float32([2, -2, INF, INF, 0, 3, NAN, 1, 5, 1e-9])
    found = one_node("Mod", [x, y], fmod=1).run()["y0"]
    np.testing.assert_array_equal(found, np.float32([-0.0, 0, 5, -5, NAN, NAN, NAN, NAN, 0, NAN]))
    assert np.signbit(found[:2]).tolist() == [True, False]
    found = one_node("Mod", [x, y]).run()["y0"]
    np.testing.assert_array_equal(found[[0, 1, 2]], np.float32([0, -0.0, 5]))
    assert np.signbit(found[:2]).tolist() == [False, True]


@pytest.mark.parametrize("kind", ["int32", "int64", "uint8"])
def test_integer_powers_wrap(one_node, kind):
    info = np.iinfo(kind)
    x = RNG.integers(max(info.min, -9), 9, 200).astype(kind)
    y = RNG.integers(0, 70, 200).astype(kind)
    found = one_node("Pow", [x, y]).run()["y0"]
    width = 8 * x.dtype.itemsize
    want = [(int(a) ** int(b) - info.min) % 2**width + info.min for a, b in zip(x, y, strict=True)]
    assert found.tolist() == want


def test_integers_to_other_powers(one_node):
    x = np.int64([2, 2, -1, -1, 1, 0, 3, 10])
    assert one_node("Pow", [x, np.int64([-1, 62, -3, -4, -9, -1, 4, 0])]).run()["y0"].tolist() == [
        0,
        2**62,
        -1,
        1,
        1,
        0,
        81,
        1,
    ]
    whole = one_node("Pow", [np.int32([3, 7, 2, 2, 10]), np.float32([13, 5, 0.5, -1, 6])]).run()["y0"]
    assert whole.tolist() == [3**13, 7**5, 1, 0, 10**6]


@pytest.mark.parametrize("size", [1, 2, 5, 8, 12])
@pytest.mark.parametrize("onesided", [0, 1])
@pytest.mark.parametrize("parts", [1, 2])
def test_transform(one_node, size, onesided, parts):
    x = floats(2, size, 3, parts)
    signal = x[..., 0] + 1j * x[..., 1] if parts == 2 else x[..., 0]
    want = np.fft.fft(signal, axis=1)
    want = want[:, : size // 2 + 1] if onesided else want
    arrays = [x, None, np.array(1)]
    found = one_node("DFT", arrays, constant=[2], opset=20, onesided=onesided).run()["y0"]
    np.testing.assert_allclose(found[..., 0] + 1j * found[..., 1], want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("length", [4, 7, 8, 11])
def test_transform_of_another_length_and_back(one_node, length):
    x = floats(1, 8, 1)
    found = one_node("DFT", [x, np.array(length)], constant=[1], opset=17, onesided=1).run()["y0"]
    want = np.fft.rfft(x[..., 0], length, axis=1)
    np.testing.assert_allclose(found[..., 0] + 1j * found[..., 1], want, rtol=1e-5, atol=1e-5)
    arrays = [found, np.array(length)]
    back = one_node("DFT", arrays, constant=[1], opset=17, onesided=1, inverse=1).run()["y0"]
    np.testing.assert_allclose(back[..., 0], np.fft.irfft(want, length, axis=1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("onesided", [0, 1])
def test_frames(one_node, onesided):
    x, window = floats(2, 20, 1), np.abs(floats(6))
    arrays = [x, np.array(4), window, np.array(6)]
    found = one_node("STFT", arrays, constant=[1, 3], onesided=onesided).run()["y0"]
    frames = np.stack([x[:, 4 * n : 4 * n + 6, 0] * window for n in range(4)], axis=1)
    want = np.fft.fft(frames, axis=2)[:, :, : 4 if onesided else 6]
    np.testing.assert_allclose(found[..., 0] + 1j * found[..., 1], want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("op", ["HannWindow", "HammingWindow", "BlackmanWindow"])
@pytest.mark.parametrize("periodic", [0, 1])
@pytest.mark.parametrize("size", [2, 9, 64])
def test_windows(one_node, same, op, periodic, size):
    graph = one_node(op, [np.array(size)], constant=[0], periodic=periodic)
    expected = ReferenceEvaluator(graph.model()).run(None, {})
    same(graph.run(), {"y0": expected[0]}, rtol=1e-5, atol=1e-6)


def test_mel_weights(one_node, same):
    arrays = [np.array(20), np.array(512), np.array(16000), np.float32(20), np.float32(7600)]
    graph = one_node("MelWeightMatrix", arrays, constant=range(5))
    same(graph.run(), {"y0": ReferenceEvaluator(graph.model()).run(None, {})[0]})


@pytest.mark.parametrize("size", range(1, 7))
def test_determinant(one_node, size):
    x = floats(3, size, size)
    found = one_node("Det", [x]).run()["y0"]
    np.testing.assert_allclose(found, np.linalg.det(x.astype(np.float64)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("centred", [0, 1])
def test_non_maximum_suppression(agrees, centred):
    boxes = np.abs(RNG.random((2, 30, 4))).astype(np.float32)
    scores = RNG.random((2, 3, 30)).astype(np.float32)
    arrays = [boxes, scores, np.array(5), np.float32(0.3), np.float32(0.2)]
    agrees("NonMaxSuppression", arrays, constant=range(5), center_point_box=centred)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_norms(agrees, p):
    x = floats(2, 3, 6, 5)
    agrees("LpPool", [x], kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1], p=p, rtol=1e-4)
    agrees("GlobalLpPool", [x], p=p, rtol=1e-4)
    if p < 3:
        agrees("LpNormalization", [x], axis=1, p=p)


def test_a_norm_of_zero(one_node):
    assert one_node("LpNormalization", [np.zeros((2, 3), np.float32)]).run()["y0"].tolist() == [[0] * 3] * 2


@pytest.mark.parametrize("size", [1, 2, 3, 5, 99])
def test_local_response(one_node, size):
    x = floats(1, 4, 3)
    found = one_node("LRN", [x], size=size, alpha=0.5, beta=0.7, bias=1.5).run()["y0"]
    for c in range(4):
        near = x[:, max(0, c - (size - 1) // 2) : c + size // 2 + 1].astype(np.float64)
        want = x[:, c] / (1.5 + 0.5 / size * (near**2).sum(1)) ** 0.7
        np.testing.assert_allclose(found[:, c], want, rtol=1e-5)


def test_blocks_to_image(one_node, same):
    arrays = [floats(2, 12, 15), np.int64([5, 7]), np.int64([2, 3])]
    graph = one_node("Col2Im", arrays, constant=[1, 2], pads=[1, 0, 0, 1], strides=[2, 1], dilations=[1, 2])
    arrays[0] = graph.inputs["x0"] = floats(2, 12, 3 * 4)
    same(graph.run(), {"y0": ReferenceEvaluator(graph.model()).run(None, graph.inputs)[0]}, rtol=1e-4)


def test_unpooling_takes_the_last_of_equal_indices(one_node):
    x, indices = floats(1, 1, 2, 2), np.int64([[[[5, 5], [0, 99]]]])
    found = one_node("MaxUnpool", [x, indices], kernel_shape=[2, 2], strides=[2, 2]).run()["y0"]
    want = np.zeros(16, np.float32)
    want[[5, 0]] = x.reshape(-1)[[1, 2]]
    np.testing.assert_array_equal(found.reshape(-1), want)


@pytest.mark.parametrize(("time_axis", "batch"), [(0, 1), (1, 0)])
def test_reversal(agrees, time_axis, batch):
    agrees("ReverseSequence", [floats(4, 4, 2), np.int64([1, 4, 2, 3])], time_axis=time_axis, batch_axis=batch)


@pytest.mark.parametrize("options", [{}, {"exclusive": 1}, {"reverse": 1}])
def test_running_products(one_node, options):
    x = floats(3, 4)
    found = one_node("CumProd", [x, np.array(1)], constant=[1], opset=26, **options).run()["y0"]
    turned = x[:, ::-1] if "reverse" in options else x
    want = np.cumprod(turned, axis=1)
    if "exclusive" in options:
        want = np.concatenate([np.ones((3, 1), np.float32), want[:, :-1]], axis=1)
    np.testing.assert_allclose(found, want[:, ::-1] if "reverse" in options else want, rtol=1e-6)


@pytest.mark.parametrize(
    ("op", "arrays", "options"),
    [
        ("DFT", [np.zeros((1, 2**20, 1), np.float32)], {"onesided": 1}),
        ("HannWindow", [np.array(2**31 - 1)], {}),
        ("HannWindow", [np.array(-1)], {}),
        ("MelWeightMatrix", [np.array(n) for n in (10**6, 8, 1)] + [np.float32(0), np.float32(9e8)], {}),
        ("Det", [np.zeros((7, 7), np.float32)], {}),
        ("Det", [np.zeros((2, 3), np.float32)], {}),
        ("MaxUnpool", [np.zeros((1, 1, 2), np.float32), np.zeros((1, 1, 2), np.int64)], {"kernel_shape": [2**39]}),
        ("Col2Im", [np.zeros((1, 2, 2), np.float32), np.int64([2**40]), np.int64([2])], {}),
        ("LRN", [np.zeros((1, 2, 2), np.float32)], {"size": 0}),
    ],
)
def test_refused_at_once(one_node, op, arrays, options):
    constant = [n for n, a in enumerate(arrays) if a.size < 9]
    started = time.process_time()
    with pytest.raises(RefusedError, match=op):
        one_node(op, arrays, constant=constant, **options).program()
    assert time.process_time() - started < 1


def test_many_boxes_take_no_time(one_node):
    boxes, scores = RNG.random((1, 1000, 4)).astype(np.float32), RNG.random((1, 4, 1000)).astype(np.float32)
    arrays = [boxes, scores, np.array(10**6), np.float32(1)]
    started = time.process_time()
    one_node("NonMaxSuppression", arrays, constant=range(4)).program()
    assert time.process_time() - started < 5


def test_a_two_sided_inverse_is_not_covered(one_node):
    with pytest.raises(UnsupportedOperator, match="'inverse' without 'onesided'"):
        one_node("DFT", [np.zeros((1, 4, 2), np.float32)], inverse=1).program()
