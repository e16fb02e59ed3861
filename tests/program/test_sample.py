"""Resize and operators that sample at computed positions, beside ONNX Runtime and onnx.reference."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from assay.errors import RefusedError, UnsupportedOperator

RNG = np.random.default_rng(12)
MODES = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric"]


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def by_reference(graph, same, **tolerance):
    expected = ReferenceEvaluator(graph.model()).run(None, graph.inputs)
    same(graph.run(), dict(zip(graph.outputs, expected, strict=True)), **tolerance)


@pytest.mark.parametrize(("mode", "how"), list(itertools.product(["nearest", "linear", "cubic"], MODES)))
@pytest.mark.parametrize("sizes", [[7, 9], [3, 2]])
def test_resize(one_node, same, mode, how, sizes):
    options = {"mode": mode, "coordinate_transformation_mode": how, "axes": [2, 3]}
    arrays = [floats(1, 2, 4, 5), None, None, np.int64(sizes)]
    by_reference(one_node("Resize", arrays, constant=[3], **options), same, rtol=1e-4)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize(("antialias", "exclude"), [(1, 0), (1, 1), (0, 1)])
@pytest.mark.parametrize("scale", [0.4, 1.7])
def test_resize_with_few_or_many_taps(one_node, same, mode, antialias, exclude, scale):
    options = {"mode": mode, "antialias": antialias, "exclude_outside": exclude}
    arrays = [floats(6, 7), None, np.float32([scale, 0.8])]
    by_reference(one_node("Resize", arrays, constant=[2], **options), same, rtol=1e-4)


@pytest.mark.parametrize("nearest", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
def test_resize_to_the_nearest(agrees, nearest):
    agrees("Resize", [floats(1, 1, 4, 6), None, np.float32([1, 1, 1.5, 0.5])], constant=[2], nearest_mode=nearest)


def test_resize_of_a_region(one_node, same):
    roi = np.float32([0, 0, 0.2, -0.3, 1, 1, 0.7, 1.3])
    options = {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 9.0}
    arrays = [floats(1, 1, 4, 5), roi, None, np.int64([1, 1, 3, 6])]
    by_reference(one_node("Resize", arrays, constant=[1, 3], **options), same, rtol=1e-4)


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
def test_resize_that_keeps_the_aspect_ratio(one_node, same, policy):
    options = {"axes": [0, 1], "keep_aspect_ratio_policy": policy}
    by_reference(one_node("Resize", [floats(4, 6), None, None, np.int64([9, 7])], constant=[3], **options), same)


@pytest.mark.parametrize(("op", "opset"), [("Upsample", 9), ("Resize", 10)])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_resize_as_it_once_was(agrees, op, opset, mode):
    agrees(op, [floats(1, 1, 3, 4), np.float32([1, 1, 2, 3])], constant=[1], opset=opset, mode=mode)


@pytest.mark.parametrize("kind", ["int32", "uint8", "bool"])
def test_resize_of_integers(one_node, kind):
    x = RNG.integers(0, 2, (2, 3)).astype(kind)
    arrays = [x, None, np.float32([2, 2])]
    found = one_node("Resize", arrays, constant=[2]).run()["y0"]
    np.testing.assert_array_equal(found, np.repeat(np.repeat(x, 2, 0), 2, 1))
    with pytest.raises(UnsupportedOperator, match="mode 'linear' on"):
        one_node("Resize", arrays, constant=[2], mode="linear").program()


@pytest.mark.parametrize(
    ("shape", "scales", "options"),
    [
        ((2, 3), [1e8, 1e8], {"mode": "linear"}),
        ((2, 3), [np.nan, 1], {}),
        ((2, 3), [0, 1], {}),
        ((2, 3), [-1, 1], {}),
        ((2, 3), [1e-9, 1], {}),
        ((2, 3), [1, 1, 1], {}),
        ((2, 3), [2, 2], {"mode": "cubist"}),
        ((2, 3), [2, 2], {"coordinate_transformation_mode": "sideways"}),
        ((2, 3), [2, 2], {"coordinate_transformation_mode": "tf_crop_and_resize"}),
        ((2, 3), [2, 2], {"antialias": 1}),
        ((200_000, 1), [1e-5, 1], {"mode": "linear", "antialias": 1, "axes": [0, 0]}),
    ],
)
def test_resize_that_is_refused(one_node, shape, scales, options):
    started = time.process_time()
    with pytest.raises(RefusedError, match="Resize"):
        one_node("Resize", [floats(*shape), None, np.float32(scales)], constant=[2], **options).program()
    assert time.process_time() - started < 1


GRIDS = list(itertools.product(["nearest", "linear", "cubic"], ["zeros", "border", "reflection"], [0, 1]))


@pytest.mark.parametrize(("mode", "padding", "corners"), GRIDS)
def test_grid_sample(agrees, mode, padding, corners):
    grid = (RNG.random((2, 4, 3, 2)) * 3 - 1.5).astype(np.float32)
    options = {"mode": mode, "padding_mode": padding, "align_corners": corners}
    agrees("GridSample", [floats(2, 3, 5, 6), grid], opset=20, rtol=1e-3, atol=1e-4, **options)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_grid_sample_of_volumes(agrees, padding):
    grid = (RNG.random((1, 2, 3, 2, 3)) * 3 - 1.5).astype(np.float32)
    agrees("GridSample", [floats(1, 2, 3, 4, 5), grid], opset=20, rtol=1e-3, atol=1e-4, padding_mode=padding)


def test_grid_sample_anywhere(one_node):
    """Positions that no integer holds lie outside; NaN stays NaN."""
    grid = np.float32([[[[np.nan, 0], [np.inf, 0], [-3e38, 3e38], [1e10, 0]]]])
    x = floats(1, 1, 3, 3)
    found = one_node("GridSample", [x, grid], opset=20, mode="nearest").run()["y0"].reshape(-1)
    assert found[1:].tolist() == [0, 0, 0]
    found = one_node("GridSample", [x, grid], opset=20, mode="nearest", padding_mode="border").run()["y0"].reshape(-1)
    np.testing.assert_array_equal(found[1:], x[0, 0, [1, 2, 1], [2, 0, 2]])
    assert np.isnan(one_node("GridSample", [x, grid], opset=20).run()["y0"].reshape(-1)[0])


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("size", [[2, 3, 4, 5], [2, 3, 3, 4, 2], [2, 3, 1, 5]])
def test_affine_grid(one_node, corners, size):
    rank = len(size) - 2
    theta = floats(2, rank, rank + 1)
    found = one_node("AffineGrid", [theta, np.int64(size)], constant=[1], opset=20, align_corners=corners).run()["y0"]
    places = []
    for length in size[2:]:
        steps = np.arange(length)
        places.append(-1 + steps * 2 / max(1, length - 1) if corners else (2 * steps + 1) / length - 1)
    mesh = np.meshgrid(*places, indexing="ij")[::-1]
    base = np.stack([*mesh, np.ones_like(mesh[0])], axis=-1)
    np.testing.assert_allclose(found, np.einsum("nij,...j->n...i", theta, base), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("how", ["half_pixel", "output_half_pixel"])
def test_roi_align(agrees, mode, how):
    rois = np.float32([[0, 0, 9, 9], [-3, 2, 4, 30], [5, 5, 5.5, 5.25]])
    options = {"output_height": 3, "output_width": 2, "sampling_ratio": 2, "spatial_scale": 0.9}
    arrays = [floats(2, 3, 10, 11), rois, np.int64([0, 1, 1])]
    agrees("RoiAlign", arrays, mode=mode, coordinate_transformation_mode=how, rtol=1e-3, atol=1e-4, **options)


def test_roi_align_with_as_many_samples_as_the_regions_want(one_node):
    with pytest.raises(UnsupportedOperator, match="sampling_ratio 0"):
        one_node("RoiAlign", [floats(1, 1, 4, 4), floats(1, 4), np.int64([0])]).program()


@pytest.mark.parametrize("options", [{}, {"pads": [1, 1, 1, 1], "strides": [2, 1]}, {"group": 2, "offset_group": 2}])
@pytest.mark.parametrize("full", [False, True])
def test_deform_conv(one_node, same, options, full):
    group, parts = options.get("group", 1), options.get("offset_group", 1)
    pads, strides = options.get("pads", [0] * 4), options.get("strides", [1, 1])
    out = [(d + pads[n] + pads[n + 2] - 2) // strides[n] + 1 for n, d in enumerate((4, 5))]
    arrays = [floats(2, 4, 4, 5), floats(2, 4 // group, 2, 2), floats(2, parts * 8, *out)]
    arrays += [floats(2), floats(2, parts * 4, *out)] if full else []
    by_reference(one_node("DeformConv", arrays, opset=22, **options), same, rtol=1e-3, atol=1e-4)
