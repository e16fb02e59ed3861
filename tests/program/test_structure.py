"""Operators that move elements: shapes, windows, indices."""

from __future__ import annotations

import numpy as np
import pytest

RNG = np.random.default_rng(2)
X = RNG.normal(size=(3, 4, 5)).astype(np.float32)
IMAGE = RNG.normal(size=(2, 8, 4, 6)).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def kernels(graph):
    return [k.op for k in graph.program().kernels]


def test_windows_take_no_kernels(graph):
    g = graph(inputs={"x": X}, constants={"s": ints(3, 2, 10), "a": ints(1), "two": ints(2)}, outputs=["y"])
    g.node("Reshape", ["x", "s"], ["r"]).node("Identity", ["r"], ["i"]).node("Unsqueeze", ["i", "a"], ["u"])
    g.node("Squeeze", ["u"], ["q"]).node("Flatten", ["q"], ["f"]).node("Neg", ["f"], ["y"])
    assert kernels(g) == ["neg"]
    np.testing.assert_array_equal(g.run()["y"], -X.reshape(3, 20))


def test_an_output_that_is_a_window_is_copied_once(one_node):
    assert kernels(one_node("Transpose", [X])) == ["copy"]
    assert kernels(one_node("Reshape", [X, ints(60)], constant=(1,))) == []


@pytest.mark.parametrize("perm", [None, (0, 2, 1), (2, 0, 1), (1, 2, 0)])
def test_transpose(agrees, perm):
    agrees("Transpose", [X], **({"perm": perm} if perm else {}))


@pytest.mark.parametrize("shape", [(60,), (-1, 10), (0, -1), (5, 4, 3), (3, 2, 2, 5), (1, 60, 1)])
def test_reshape(agrees, graph, same, shape):
    agrees("Reshape", [X, ints(*shape)], constant=(1,))
    g = graph(inputs={"x": X}, constants={"s": ints(*shape)}, outputs=["y"])
    g.node("Transpose", ["x"], ["t"], perm=[0, 2, 1]).node("Reshape", ["t", "s"], ["y"])
    same(g.run(), g.expected())


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1])
def test_flatten(agrees, axis):
    agrees("Flatten", [X], axis=axis)


def test_squeeze_and_unsqueeze(agrees):
    agrees("Unsqueeze", [X, ints(0, -1, 2)], constant=(1,))
    agrees("Squeeze", [X[:, :1, None]])
    agrees("Squeeze", [X[:, :1, None], ints(-2)], constant=(1,))


def test_expand(agrees):
    agrees("Expand", [X[:, :1], ints(2, 1, 4, 1)], constant=(1,))


@pytest.mark.parametrize(
    "bounds",
    [
        ((1,), (3,), (1,), (1,)),
        ((0, 0), (2, 4), (0, 2), (1, 2)),
        ((-1,), (-100,), (1,), (-1,)),
        ((-2, 10), (2**62, -(2**63)), (0, 2), (1, -3)),
        ((3,), (-5,), (2,), (-1,)),
    ],
)
def test_slice(agrees, bounds):
    agrees("Slice", [X, *map(np.array, map(np.int64, bounds))], constant=(1, 2, 3, 4))


def test_slice_of_slice_of_transpose_is_one_copy(graph, same):
    g = graph(inputs={"x": X}, constants={"a": ints(1), "b": ints(4), "c": ints(0), "d": ints(2)}, outputs=["y"])
    g.node("Transpose", ["x"], ["t"]).node("Slice", ["t", "a", "b", "c", "d"], ["u"])
    g.node("Slice", ["u", "a", "b", "a"], ["y"])
    assert kernels(g) == ["copy"]
    same(g.run(), g.expected())


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concat(agrees, axis):
    agrees("Concat", [X, X * 2, X * 3], axis=axis)


def test_concat_of_many_is_done_in_groups(agrees):
    parts = [np.full((2, n % 3 + 1), n, np.float32) for n in range(70)]
    agrees("Concat", parts, axis=1)


def test_concat_of_windows(graph, same):
    g = graph(inputs={"x": X, "s": np.float32([[[1.0]]])}, constants={"shape": ints(3, 4, 1)}, outputs=["y"])
    g.node("Transpose", ["x"], ["t"], perm=[0, 2, 1]).node("Transpose", ["t"], ["u"], perm=[0, 2, 1])
    g.node("Expand", ["s", "shape"], ["e"]).node("Concat", ["u", "e", "x"], ["y"], axis=2)
    same(g.run(), g.expected())


def test_split(agrees):
    agrees("Split", [X, ints(1, 3)], constant=(1,), axis=1, outputs=2)
    agrees("Split", [X], axis=2, num_outputs=2, outputs=2)
    agrees("Split", [X], axis=0, num_outputs=3, outputs=3)


@pytest.mark.parametrize("pads", [(1, 0, 2, 0, 3, 1), (-1, 1, 0, 0, -2, 2), (0, 0, -2, 0, 0, -1)])
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
def test_pad(agrees, pads, mode):
    if mode == "constant":
        agrees("Pad", [X, ints(*pads), np.float32(1.5)], constant=(1, 2))
        agrees("Pad", [X, ints(*pads), np.float32(1.5)], constant=(1,))
        agrees("Pad", [X, ints(*pads)], constant=(1,))
    elif min(pads) >= 0:
        agrees("Pad", [X, ints(*pads)], constant=(1,), mode=mode)


def test_pad_of_chosen_axes(agrees):
    agrees("Pad", [X, ints(2, 1), None, ints(-1)], constant=(1, 3))


def test_tile(agrees):
    agrees("Tile", [X, ints(2, 1, 3)], constant=(1,))


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_and_space(agrees, mode):
    agrees("DepthToSpace", [IMAGE], blocksize=2, mode=mode)
    agrees("SpaceToDepth", [IMAGE], blocksize=2)


@pytest.mark.parametrize("k", [None, 0, 1, -2, 100])
@pytest.mark.parametrize("upper", [0, 1])
def test_trilu(agrees, k, upper):
    agrees("Trilu", [X, None if k is None else np.array(k, np.int64)], constant=(1,), upper=upper)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_gather(agrees, axis):
    agrees("Gather", [X, np.array([[0, -1], [2, 1]], np.int64)], axis=axis)
    agrees("Gather", [X, np.array([[0, -1], [2, 1]], np.int32)], axis=axis)
    agrees("Gather", [X, np.array([1, -3], np.int64)], axis=axis, constant=(1,))
    agrees("Gather", [X, np.array(-2, np.int64)], axis=axis, constant=(1,))


@pytest.mark.parametrize(
    ("dtype", "beyond"),
    [(np.float32, np.nan), (np.int32, -(2**31)), (np.int64, -(2**63)), (np.uint8, 255), (bool, False)],
)
def test_gather_out_of_range_is_visible(one_node, dtype, beyond):
    data = np.ones(3).astype(dtype)
    for constant in [(), (1,)]:
        found = one_node("Gather", [data, ints(3, -4, 0, 2**62)], constant=constant).run()["y0"]
        np.testing.assert_array_equal(found, np.array([beyond, beyond, 1, beyond]).astype(dtype))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_gather_and_scatter_elements(agrees, axis):
    where = RNG.integers(-3, 3, (3, 2, 4)).astype(np.int64)
    agrees("GatherElements", [X, where], axis=axis)
    where = np.argsort(RNG.random((3, 4, 5)), axis).astype(np.int64)[:3, :3, :3]
    agrees("ScatterElements", [X, where, X[:3, :3, :3] * 7], axis=axis)


@pytest.mark.parametrize("reduction", ["add", "mul", "max", "min"])
def test_scatter_with_reduction(agrees, reduction):
    where = RNG.integers(-3, 3, (2, 6)).astype(np.int64)
    data, updates = X[:, :, 0].copy(), RNG.normal(size=(2, 6)).astype(np.float32)
    agrees(
        "ScatterElements",
        [data, where[:, :4], updates[:, :4]],
        reduction=reduction,
    )
    tuples = RNG.integers(0, 3, (6, 1)).astype(np.int64)
    agrees("ScatterND", [X, tuples, RNG.normal(size=(6, 4, 5)).astype(np.float32)], reduction=reduction)


def test_scatter_into_zeros(graph, same):
    g = graph(inputs={"i": ints(2, 0, 2).reshape(3, 1), "u": X[:, :, 0].copy()}, constants={"s": ints(3, 4)})
    g.outputs = ["y"]
    g.node("ConstantOfShape", ["s"], ["z"]).node("ScatterND", ["z", "i", "u"], ["y"], reduction="add")
    same(g.run(), g.expected())
    assert kernels(g) == ["add", "lt", "select", "copy", "add"]


def test_scatter_out_of_range_writes_nothing(one_node):
    found = one_node("ScatterElements", [np.zeros(3, np.float32), ints(5, -9, 1), np.float32([1, 2, 3])]).run()["y0"]
    assert found.tolist() == [0, 3, 0]


def test_scatter_nd(agrees):
    agrees("ScatterND", [X, ints(0, 1, -1, 3).reshape(2, 2), X[:2, 0] * 9])


@pytest.mark.parametrize("batch", [0, 1])
def test_gather_nd(agrees, batch):
    agrees("GatherND", [X, RNG.integers(-3, 3, (3, 2, 2)).astype(np.int64)], batch_dims=batch)
    agrees("GatherND", [X, RNG.integers(0, 3, (3, 2, 1)).astype(np.int64)], batch_dims=batch, constant=(1,))


@pytest.mark.parametrize("bounds", [(3, 9, 2), (10, 4, -3), (5, 5, 1)])
def test_range(agrees, graph, same, bounds):
    if bounds[0] != bounds[1]:
        agrees("Range", [np.array(b, np.int64) for b in bounds], constant=(0, 1, 2))
        agrees("Range", [np.float32(b / 4) for b in bounds], constant=(0, 1, 2))


def test_constant_of_shape(agrees):
    from onnx import helper

    agrees("ConstantOfShape", [ints(2, 3)], constant=(0,), value=helper.make_tensor("v", 7, [1], [5]))
    agrees("ConstantOfShape", [ints(2, 3)], constant=(0,))


def test_eye_like(agrees):
    agrees("EyeLike", [X[0]], k=1)
    agrees("EyeLike", [X[0]], dtype=7, k=-1)


@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_one_hot(agrees, axis):
    values = np.float32([0.5, 2])
    agrees("OneHot", [RNG.integers(-5, 5, (3, 4)), np.array(5, np.int64), values], constant=(1,), axis=axis)


@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
def test_cumulative_sum(agrees, exclusive, reverse):
    for axis in (0, 1, -1):
        agrees("CumSum", [X, np.array(axis, np.int64)], constant=(1,), exclusive=exclusive, reverse=reverse)


def test_shapes_are_arithmetic(graph):
    """Reshape(x, Concat(Shape(x)[0], Div(Size(x), Shape(x)[0]))) takes no kernel at all."""
    g = graph(inputs={"x": X}, constants={"zero": ints(0), "axis": np.array(0, np.int64)}, outputs=["y"])
    g.node("Shape", ["x"], ["s"]).node("Gather", ["s", "zero"], ["rows"]).node("Size", ["x"], ["n"])
    g.node("Div", ["n", "rows"], ["rest"]).node("Concat", ["rows", "rest"], ["t"], axis=0)
    g.node("Reshape", ["x", "t"], ["y"])
    assert kernels(g) == []
    assert g.run()["y"].shape == (3, 20)
