"""Reductions, products, pooling and normalisations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from assay.program import Order

RNG = np.random.default_rng(3)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


X = normal(3, 4, 5)
SUMS = ["ReduceSum", "ReduceMean", "ReduceSumSquare", "ReduceL1", "ReduceL2", "ReduceLogSumExp"]


@pytest.mark.parametrize("op", [*SUMS, "ReduceMax", "ReduceMin", "ReduceProd"])
@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 2), (-1, -2), None])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_reductions(agrees, op, axes, keepdims):
    where = None if axes is None else np.array(axes, np.int64)
    agrees(op, [X, where], constant=(1,), keepdims=keepdims)


def test_reduction_of_nothing_and_of_a_scalar(agrees):
    agrees("ReduceSum", [X], noop_with_empty_axes=1)
    agrees("ReduceSum", [np.float32(3)])
    agrees("ReduceMean", [X], opset=17, axes=[1])
    agrees("ReduceLogSum", [np.abs(X) + 1, np.array([1], np.int64)], constant=(1,))


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceMean"])
def test_integer_reductions(agrees, op):
    agrees(op, [RNG.integers(-9, 9, (3, 4)).astype(np.int32), np.array([1], np.int64)], constant=(1,))


@pytest.mark.parametrize(
    ("axes", "order"), [((0,), Order.CHAIN), ((0, 1), Order.CHAIN), ((2,), Order.LANES), ((0, 2), Order.LANES)]
)
def test_the_fold_rule(one_node, graph, axes, order):
    where = np.array(axes, np.int64)
    kernel = one_node("ReduceSum", [X, where], constant=(1,)).program().kernels[0]
    assert (kernel.order, kernel.fold) == (order, tuple(X.shape[a] for a in axes))
    # It is decided on the tensor that the operator sees, however its elements lie in memory.
    g = graph(inputs={"x": X}, constants={"a": np.array([2], np.int64)}, outputs=["y"])
    g.node("Transpose", ["x"], ["t"]).node("ReduceSum", ["t", "a"], ["y"])
    assert [k.order for k in g.program().kernels] == [Order.LANES]


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("last", [0, 1])
def test_arg_extremum(agrees, op, axis, last):
    agrees(
        op,
        [
            np.round(X),
        ],
        axis=axis,
        keepdims=last,
        select_last_index=last,
    )
    agrees(op, [RNG.integers(0, 3, (4, 5)).astype(np.int32)], axis=axis if axis < 2 else 1, select_last_index=last)


@pytest.mark.parametrize(
    ("a", "b"),
    [((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((2, 1, 3, 4), (6, 4, 5)), ((4,), (4, 5)), ((3, 4), (4,)), ((4,), (4,))],
)
def test_matmul(agrees, a, b):
    agrees("MatMul", [normal(*a), normal(*b)])


def test_matmul_is_one_chain_per_element(one_node):
    a, b = normal(2, 40), normal(40, 3)
    found = one_node("MatMul", [a, b]).run()["y0"]
    for i in range(2):
        for j in range(3):
            acc = np.float32(0)
            for k in range(40):  # the product of two binary32 is exact in binary64; one rounding is fma within 1 ulp
                acc = np.float32(np.float64(a[i, k]) * np.float64(b[k, j]) + np.float64(acc))
            assert found[i, j] == acc


def test_transposed_product_is_one_kernel(graph, same):
    g = graph(inputs={"a": normal(4, 3), "b": normal(5, 4)}, outputs=["y"])
    g.node("Transpose", ["a"], ["p"]).node("Transpose", ["b"], ["q"]).node("MatMul", ["p", "q"], ["y"])
    assert [k.op for k in g.program().kernels] == ["fma"]
    same(g.run(), g.expected())


@pytest.mark.parametrize("attributes", [{}, {"transA": 1, "transB": 1}, {"alpha": 0.5, "beta": 0.25}, {"beta": 0.0}])
@pytest.mark.parametrize("c", [(3, 5), (5,), (3, 1), ()])
def test_gemm(agrees, attributes, c):
    a, b = normal(3, 4), normal(4, 5)
    turned = [a.T.copy(), b.T.copy()] if "transA" in attributes else [a, b]
    agrees("Gemm", [*turned, normal(*c)], **attributes)
    agrees("Gemm", turned, **attributes)


WINDOWS = {
    "kernel": st.tuples(st.integers(1, 3), st.integers(1, 3)),
    "strides": st.tuples(st.integers(1, 3), st.integers(1, 3)),
    "dilations": st.tuples(st.integers(1, 2), st.integers(1, 2)),
    "pads": st.tuples(*[st.integers(0, 2)] * 4),
}


def smaller(pads, kernel):
    """Pads below the kernel's size: of others ONNX Runtime will not hear."""
    return tuple(p % k for p, k in zip(pads, kernel * 2, strict=True))


@settings(max_examples=25, deadline=None)
@given(group=st.integers(1, 3), height=st.integers(1, 7), width=st.integers(3, 6), bias=st.booleans(), **WINDOWS)
def test_conv(agrees, group, height, width, bias, kernel, strides, dilations, pads):
    assume(height + pads[0] + pads[2] > (kernel[0] - 1) * dilations[0])
    assume(width + pads[1] + pads[3] > (kernel[1] - 1) * dilations[1])
    inputs = [
        normal(2, 2 * group, height, width),
        normal(4 * group, 2, *kernel),
        *([normal(4 * group)] if bias else []),
    ]
    agrees("Conv", inputs, group=group, strides=strides, dilations=dilations, pads=pads)


@settings(max_examples=25, deadline=None)
@given(group=st.integers(1, 2), height=st.integers(1, 5), bias=st.booleans(), extra=st.integers(0, 1), **WINDOWS)
def test_conv_transpose(agrees, group, height, bias, extra, kernel, strides, dilations, pads):
    extra = [min(extra, s - 1) for s in strides]
    out = [
        s * (d - 1) + e + (k - 1) * n + 1
        for s, d, e, k, n in zip(strides, (height, 4), extra, kernel, dilations, strict=True)
    ]
    assume(out[0] > pads[0] + pads[2] and out[1] > pads[1] + pads[3])
    inputs = [normal(2, 2 * group, height, 4), normal(2 * group, 3, *kernel), *([normal(3 * group)] if bias else [])]
    agrees("ConvTranspose", inputs, group=group, strides=strides, dilations=dilations, pads=pads, output_padding=extra)


@pytest.mark.parametrize("how", ["SAME_UPPER", "SAME_LOWER", "VALID"])
def test_auto_pad(agrees, how):
    x, w = normal(1, 2, 7, 8), normal(3, 2, 3, 2)
    agrees("Conv", [x, w], auto_pad=how, strides=[2, 3])
    agrees("MaxPool", [x], auto_pad=how, kernel_shape=[3, 2], strides=[2, 3])


def test_conv_transpose_to_a_given_shape(agrees):
    agrees("ConvTranspose", [normal(1, 2, 3, 4), normal(2, 3, 3, 3)], strides=[2, 2], output_shape=[6, 8])


def test_convolutions_of_other_ranks(agrees):
    agrees("Conv", [normal(2, 3, 9), normal(4, 3, 3)], pads=[1, 2])
    agrees("Conv", [normal(1, 2, 4, 5, 3), normal(3, 2, 2, 3, 2)])
    agrees("ConvTranspose", [normal(2, 3, 5), normal(3, 2, 3)], strides=[2])


@settings(max_examples=40, deadline=None)
@given(height=st.integers(5, 8), width=st.integers(5, 7), ceil=st.integers(0, 1), ties=st.booleans(), **WINDOWS)
def test_max_pool(agrees, height, width, ceil, ties, kernel, strides, dilations, pads):
    pads = smaller(pads, kernel)
    x = normal(2, 3, height, width)
    x = np.round(x) if ties else x
    options = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": pads, "ceil_mode": ceil}
    agrees("MaxPool", [x], **options)
    if max(pads) == 0:  # ONNX Runtime returns -1 or so for windows that hold padding only
        agrees("MaxPool", [x], outputs=2, **options)


@settings(max_examples=40, deadline=None)
@given(height=st.integers(5, 8), width=st.integers(5, 7), include=st.integers(0, 1), **WINDOWS)
def test_average_pool(agrees, height, width, include, kernel, strides, dilations, pads):
    pads = smaller(pads, kernel)
    options = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": pads}
    agrees("AveragePool", [normal(2, 3, height, width)], count_include_pad=include, **options)


@pytest.mark.parametrize("include", [0, 1])
def test_average_pool_with_ceil_mode(agrees, include):
    options = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1}
    agrees("AveragePool", [normal(1, 2, 6, 7)], count_include_pad=include, **options)


def test_max_pool_of_nan_and_of_equals(one_node):
    x = np.float32([[[[1, 1, np.nan, 0, -np.inf, -np.inf]]]])
    found = one_node("MaxPool", [x], kernel_shape=[1, 2], strides=[1, 2], outputs=2).run()
    np.testing.assert_array_equal(found["y0"].ravel(), np.float32([1, np.nan, -np.inf]))
    assert found["y1"].ravel().tolist() == [0, 2**63 - 1, 4]


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
def test_global_pools(agrees, op):
    agrees(op, [normal(2, 3, 4, 5)])


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax(agrees, op, axis):
    agrees(op, [X * 20], axis=axis)


@pytest.mark.parametrize("axis", [-1, 1])
def test_layer_norm(agrees, axis):
    shape = X.shape[axis:]
    agrees("LayerNormalization", [X, normal(*shape), normal(*shape)], axis=axis)
    agrees("LayerNormalization", [X, normal(*shape)], axis=axis, outputs=3)


def test_rms_norm(agrees):
    agrees("RMSNormalization", [X, normal(5)], opset=23)


def test_batch_norm(agrees):
    image, vectors = normal(2, 3, 4, 5), [normal(3), normal(3), normal(3), np.abs(normal(3))]
    agrees("BatchNormalization", [image, *vectors], epsilon=1e-3)
    agrees("BatchNormalization", [image, *vectors], training_mode=1, momentum=0.8, outputs=3)


def test_instance_and_group_norm(agrees):
    image = normal(2, 6, 4, 5)
    agrees("InstanceNormalization", [image, normal(6), normal(6)])
    agrees("GroupNormalization", [image, normal(6), normal(6)], num_groups=3)
    agrees("MeanVarianceNormalization", [image])


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_cross_entropy_comes_from_the_standards_function_body(agrees, reduction):
    scores, labels = normal(4, 7), np.array([1, 0, 6, 3], np.int64)
    agrees("SoftmaxCrossEntropyLoss", [scores, labels], reduction=reduction)
    agrees("NegativeLogLikelihoodLoss", [scores, labels, np.abs(normal(7))], reduction=reduction)
