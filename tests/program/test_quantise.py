"""Quantised operators: exact integers, saturation, ties to even, and what a scale of zero or NaN does."""

from __future__ import annotations

import numpy as np
import pytest

from assay.errors import RefusedError

RNG = np.random.default_rng(9)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def narrow(kind: str, *shape: int) -> np.ndarray:
    info = np.iinfo(kind)
    return RNG.integers(info.min, info.max + 1, shape).astype(kind)


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16"])
def test_round_to_even_and_saturate(one_node, kind):
    info = np.iinfo(kind)
    x = np.float32([0.5, 1.5, 2.5, -0.5, -1.5, 1e30, -1e30, np.inf, -np.inf, np.nan])
    found = one_node("QuantizeLinear", [x, np.float32(1), np.array(3, kind)]).run()["y0"]
    whole = [3, 5, 5, 3, 1, info.max, info.min, info.max, info.min, 0]
    np.testing.assert_array_equal(found, np.array(whole).clip(info.min, info.max).astype(kind))


def test_division_by_a_scale_of_zero(one_node):
    found = one_node("QuantizeLinear", [np.float32([1, -1, 0]), np.float32(0), np.uint8(7)]).run()["y0"]
    assert found.tolist() == [255, 0, 0]


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_per_axis(agrees, axis):
    scale, zero = np.abs(floats(3)) + np.float32(0.1), np.int8([-3, 0, 5])
    quantised = agrees("QuantizeLinear", [floats(3, 3, 3) * 20, scale, zero], axis=axis)["y0"]
    agrees("DequantizeLinear", [quantised, scale, zero], axis=axis)


@pytest.mark.parametrize(("block", "axis"), [(2, 1), (3, 1), (2, -1), (1, 0)])
def test_blocks(agrees, block, axis):
    x = floats(2, 5, 3) * 20
    shape = [-(-d // block) if a == axis % 3 else d for a, d in enumerate(x.shape)]
    scale, zero = np.abs(floats(*shape)) + np.float32(0.1), RNG.integers(-5, 5, shape).astype(np.int8)
    quantised = agrees("QuantizeLinear", [x, scale, zero], axis=axis, block_size=block)["y0"]
    agrees("DequantizeLinear", [quantised, scale, zero], axis=axis, block_size=block)


def test_types_of_results(one_node):
    x, scale = floats(4), np.float32(0.1)
    assert one_node("QuantizeLinear", [x, scale]).run()["y0"].dtype == np.uint8
    assert one_node("QuantizeLinear", [x, scale], output_dtype=5).run()["y0"].dtype == np.int16
    half = one_node("DequantizeLinear", [np.int8([1, 2]), np.float16(0.5)]).run()["y0"]
    assert half.dtype == np.float16
    assert half.tolist() == [0.5, 1.0]


def test_dequantised_int32(one_node):
    found = one_node("DequantizeLinear", [np.int32([2**31 - 1, -(2**31)]), np.float32(1)]).run()["y0"]
    assert found.tolist() == [2.0**31, -(2.0**31)]


@pytest.mark.parametrize("x", [floats(3, 4), np.abs(floats(5)), -np.abs(floats(5)), np.float32(2.5), floats(1, 1)])
def test_dynamic(agrees, x):
    agrees("DynamicQuantizeLinear", [x], outputs=3)


def test_dynamic_over_nothing_but_zeros(one_node):
    found = one_node("DynamicQuantizeLinear", [np.zeros((2, 2), np.float32)], outputs=3).run()
    assert [found[n].tolist() for n in ("y0", "y1", "y2")] == [[[0, 0], [0, 0]], np.float32(1 / 255), 0]


@pytest.mark.parametrize(("a", "b"), [("uint8", "int8"), ("uint8", "uint8"), ("int8", "int8")])
def test_integer_products(one_node, a, b):
    # Not beside ONNX Runtime: without VNNI instructions its products of uint8 and int8 saturate in pairs at 16 bits.
    left, right, zero, zeros = narrow(a, 2, 3, 7), narrow(b, 7, 4), np.array(3, a), narrow(b, 4)
    found = one_node("MatMulInteger", [left, right]).run()["y0"]
    np.testing.assert_array_equal(found, left.astype(np.int32) @ right.astype(np.int32))
    found = one_node("MatMulInteger", [left, right, zero, zeros]).run()["y0"]
    np.testing.assert_array_equal(found, (left.astype(np.int32) - 3) @ (right.astype(np.int32) - zeros))


def test_zero_points_per_row(one_node):
    a, b, zero = narrow("uint8", 3, 5), narrow("int8", 5, 2), np.uint8([1, 100, 255])
    found = one_node("MatMulInteger", [a, b, zero, np.int8(-2)]).run()["y0"]
    np.testing.assert_array_equal(found, (a.astype(np.int32) - zero[:, None]) @ (b.astype(np.int32) + 2))


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_quantised_products(agrees, kind):
    agrees(
        "QLinearMatMul",
        [
            *(narrow(kind, 3, 8), np.float32(0.02), np.array(5, kind)),
            *(narrow(kind, 8, 4), np.float32(0.03), np.array(9, kind)),
            *(np.float32(0.5), np.array(2, kind)),
        ],
    )


@pytest.mark.parametrize("options", [{}, {"pads": [1, 0, 2, 1], "strides": [2, 1]}, {"group": 2}])
def test_integer_convolutions(agrees, options):
    channels = 2 if "group" in options else 4
    x, w = narrow("uint8", 2, 4, 6, 5), narrow("uint8", 4, channels, 3, 2)
    agrees("ConvInteger", [x, w, np.uint8(100)], **options)
    scales = np.abs(floats(4)) * np.float32(0.01) + np.float32(0.001)
    bias = RNG.integers(-5000, 5000, 4).astype(np.int32)
    inputs = [
        x,
        np.float32(0.1),
        np.uint8(100),
        w,
        scales,
        np.full(4, 7, np.uint8),
        np.float32(0.7),
        np.uint8(120),
        bias,
    ]
    agrees("QLinearConv", inputs, **options)


@pytest.mark.parametrize(
    ("op", "inputs", "options"),
    [
        ("QuantizeLinear", [floats(2, 3), floats(2)], {}),
        ("QuantizeLinear", [floats(2, 3), floats(2, 2)], {"block_size": 1}),
        ("QuantizeLinear", [floats(2, 3), floats(2, 2)], {}),
        ("QuantizeLinear", [floats(2, 3), np.float32(1), np.uint8(0)], {"output_dtype": 3}),
        ("DequantizeLinear", [np.int8([1]), np.float32(1), np.uint8(1)], {}),
        ("MatMulInteger", [narrow("int8", 2, 3), narrow("int8", 2, 3)], {}),
    ],
)
def test_what_does_not_fit_is_refused(one_node, op, inputs, options):
    with pytest.raises(RefusedError, match=op):
        one_node(op, inputs, **options).program()
