"""Ranks, selections and sums over labels: ties, NaN, signed zeros, and what must be a constant."""

from __future__ import annotations

import time

import numpy as np
import pytest

from assay.errors import RefusedError, UnsupportedOperator
from assay.program import load

RNG = np.random.default_rng(10)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_top_k(agrees, largest, axis):
    agrees("TopK", [floats(3, 5, 4), np.int64([2])], constant=[1], outputs=2, axis=axis, largest=largest)


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "uint32", "int64", "uint64", "float16"])
@pytest.mark.parametrize("largest", [0, 1])
def test_top_k_of_all_types_with_many_ties(one_node, kind, largest):
    x = RNG.integers(0, 4, (2, 9)).astype(kind)
    if kind.startswith(("int", "uint")):
        x[0, :2] = np.iinfo(kind).min, np.iinfo(kind).max
    found = one_node("TopK", [x, np.int64([5])], constant=[1], outputs=2, largest=largest, opset=24).run()
    for row, values, places in zip(x, found["y0"], found["y1"], strict=True):
        order = sorted(range(9), key=lambda n: (-int(row[n]) if largest else int(row[n]), n))[:5]
        assert places.tolist() == order
        np.testing.assert_array_equal(values, row[order])


def test_top_k_of_nan_zeros_and_infinities(one_node):
    x = np.float32([0.0, -np.inf, np.nan, -0.0, np.inf, -1e-45, np.nan])
    found = one_node("TopK", [x, np.int64([7])], constant=[1], outputs=2).run()
    assert found["y1"].tolist() == [2, 6, 4, 0, 3, 5, 1]
    np.testing.assert_array_equal(found["y0"], x[[2, 6, 4, 0, 3, 5, 1]])
    found = one_node("TopK", [x, np.int64([7])], constant=[1], outputs=2, largest=0).run()
    assert found["y1"].tolist() == [1, 5, 0, 3, 4, 2, 6]


def test_top_k_of_nothing(one_node):
    found = one_node("TopK", [floats(2, 3), np.int64([0])], constant=[1], outputs=2).run()
    assert [a.shape for a in found.values()] == [(2, 0), (2, 0)]


@pytest.mark.parametrize("shape", [(10**6,), (2**31 - 1,)])
def test_a_huge_ranking_is_refused_at_once(one_node, shape):
    graph = one_node("TopK", [floats(1), np.int64([1])], constant=[1], outputs=2)
    model = graph.model()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = shape[0]
    started = time.process_time()
    with pytest.raises(RefusedError, match="comparisons of a ranking"):
        load(model.SerializeToString(), named=False)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("bij,bjk", [(2, 3, 4), (2, 4, 5)]),
        ("ii->i", [(3, 3)]),
        ("ii", [(3, 3)]),
        ("i,j->ji", [(2,), (3,)]),
        ("...ij,...jk->...ik", [(2, 1, 2, 3), (4, 3, 2)]),
        ("ij->", [(2, 3)]),
        ("ba", [(2, 3)]),
        ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 2)]),
        ("bhwi,bhwj->bhij", [(2, 3, 4, 2), (2, 3, 4, 3)]),
        (" i j , j -> i ", [(2, 3), (3,)]),
        ("a...a->...", [(2, 3, 2)]),
    ],
)
def test_einsum(one_node, equation, shapes):
    arrays = [floats(*shape) for shape in shapes]
    found = one_node("Einsum", arrays, equation=equation).run()["y0"]
    np.testing.assert_allclose(found, np.einsum(equation.replace(" ", ""), *arrays), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij->ik", [(2, 3)]),
        ("ij->ii", [(2, 3)]),
        ("ii", [(2, 3)]),
        ("ij", [(2, 3, 4)]),
        ("ij,jk", [(2, 3)]),
        ("ij,jk", [(2, 3), (4, 2)]),
        ("i->j->k", [(2,)]),
        ("1", [(2,)]),
        ("i" * 600, [(2,)]),
        ("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN->a", [(1,) * 12]),
        (",".join("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN"), [(2,)] * 40),
    ],
)
def test_einsum_that_makes_no_sense(one_node, equation, shapes):
    with pytest.raises(RefusedError, match="Einsum"):
        one_node("Einsum", [floats(*s) for s in shapes], equation=equation).program()


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("ordered", [0, 1])
def test_unique(one_node, axis, ordered):
    x = np.float32([[2, 1, 2], [1, 2, 1], [2, 1, 2]])
    options = {} if axis is None else {"axis": axis}
    found = one_node("Unique", [x], constant=[0], outputs=4, sorted=ordered, **options).run()
    values, first, inverse, counts = (found[f"y{n}"] for n in range(4))
    flat = x if axis is not None else x.reshape(-1)
    np.testing.assert_array_equal(np.take(values, inverse, axis or 0), flat)
    np.testing.assert_array_equal(np.take(flat, first, axis or 0), values)
    assert counts.sum() == flat.shape[axis or 0]
    if ordered:
        np.testing.assert_array_equal(values, np.unique(x, axis=axis))
    else:
        assert first.tolist() == sorted(first)


def test_nan_is_one_value_and_the_last(one_node):
    found = one_node("Unique", [np.float32([np.nan, 1, np.nan, 0])], constant=[0], outputs=4).run()
    np.testing.assert_array_equal(found["y0"], np.float32([0, 1, np.nan]))
    assert found["y3"].tolist() == [1, 1, 2]


@pytest.mark.parametrize("axis", [0, 1, None])
def test_compress(agrees, axis):
    options = {} if axis is None else {"axis": axis}
    agrees("Compress", [floats(3, 4), np.array([True, False, True])], constant=[1], **options)


def test_non_zero(agrees):
    agrees("NonZero", [np.float32([[0, 2, -0.0], [np.nan, 0, 1]])], constant=[0])


@pytest.mark.parametrize(("op", "position"), [("NonZero", 0), ("Unique", 0), ("Compress", 1)])
def test_what_decides_a_shape_must_be_known(one_node, op, position):
    arrays = [floats(3)] if position == 0 else [floats(3), np.array([True, False, True])]
    with pytest.raises(UnsupportedOperator, match="decides a shape") as refusal:
        one_node(op, arrays).program()
    assert refusal.value.evidence["needs"] == [f"x{position}"]


def test_hardmax(agrees, one_node):
    agrees("Hardmax", [np.float32([[1, 3, 3], [2, 0, 1]])])
    agrees("Hardmax", [floats(2, 3, 4)], axis=1)
    agrees("Hardmax", [floats(2, 3, 4)], axis=1, opset=11)
    assert not one_node("Hardmax", [np.float32([[np.nan, 1]])]).run()["y0"].any()


@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
def test_softmax_over_all_further_axes_before_version_13(agrees, op, opset):
    agrees(op, [floats(2, 3, 4)], axis=1, opset=opset)
