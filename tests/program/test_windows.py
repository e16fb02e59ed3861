"""Windows compose as numpy's strided views do, whatever their order."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.program import DType, Limits, Read
from assay.program.lower import Context, Value


def elements(value, array):
    """What a window shows of its tensor."""
    flat = array.reshape(-1)
    index = np.full(value.shape, value.offset)
    for axis, stride in enumerate(value.strides):
        index += (np.arange(value.shape[axis]) * stride).reshape([-1 if a == axis else 1 for a in range(value.rank)])
    return flat[index]


@st.composite
def steps(draw):
    """A tensor's shape, and a chain of moves as functions of (window, numpy array)."""
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    array = np.arange(np.prod(shape)).reshape(shape)
    value, seen = Value.of("t", DType.INT64, shape), array
    for move in draw(
        st.lists(st.sampled_from(["transpose", "slice", "expand", "insert", "drop", "reshape"]), max_size=5)
    ):
        if move == "transpose":
            order = tuple(draw(st.permutations(range(value.rank))))
            value, seen = value.transpose(order), seen.transpose(order)
        elif move == "slice" and value.rank:
            axis = draw(st.integers(0, value.rank - 1))
            start = draw(st.integers(0, value.shape[axis] - 1))
            step = draw(st.sampled_from([1, 2, -1, -3]))
            room = value.shape[axis] - start if step > 0 else start + 1
            count = draw(st.integers(1, -(-room // abs(step))))
            value = value.slice(axis, start, count, step)
            seen = np.moveaxis(np.moveaxis(seen, axis, 0)[start::step][:count], 0, axis)
        elif move == "expand":
            target = (draw(st.integers(1, 2)), *(draw(st.integers(1, 3)) if d == 1 else d for d in value.shape))
            value, seen = value.expand(target), np.broadcast_to(seen, target)
        elif move == "insert":
            axis = draw(st.integers(0, value.rank))
            value, seen = value.insert(axis), np.expand_dims(seen, axis)
        elif move == "drop" and 1 in value.shape:
            axis = value.shape.index(1)
            value, seen = value.drop(axis), np.squeeze(seen, axis)
        elif move == "reshape":
            divisors = [n for n in range(1, value.count + 1) if value.count % n == 0]
            first = draw(st.sampled_from(divisors))
            second = draw(st.sampled_from([n for n in divisors if (value.count // first) % n == 0]))
            target = (first, second, value.count // first // second)
            window = value.reshape(target)
            # A window is found exactly where numpy needs no copy.
            assert (window is not None) == np.shares_memory(seen, seen.reshape(target))
            value, seen = (window, seen.reshape(target)) if window else (value, seen)
    return array, value, seen


@settings(max_examples=300, deadline=None)
@given(steps())
def test_windows_show_what_numpy_shows(case):
    array, value, seen = case
    assert value.shape == seen.shape
    np.testing.assert_array_equal(elements(value, array), seen)
    assert value.is_whole == (seen.size == array.size and np.array_equal(seen.reshape(-1), array.reshape(-1)))


@settings(max_examples=300, deadline=None)
@given(steps())
def test_reads_reach_the_same_elements(case):
    """The operand made for a window, evaluated by hand over its view, is the window."""
    array, value, seen = case
    context = Context(Limits())
    loop = context.loop(value.shape)
    read = loop.read(value, loop.identity())
    assert isinstance(read, Read)
    assert np.prod(read.view, dtype=int) == array.size
    grid = np.indices(value.shape)
    places = [axis.offset + sum(s * g for s, g in zip(axis.strides, grid, strict=True)) for axis in read.axes]
    table = array.reshape(read.view)
    found = (
        table[tuple(np.broadcast_to(p, value.shape) for p in places)] if places else np.broadcast_to(table, value.shape)
    )
    np.testing.assert_array_equal(found, seen)
    assert not context.kernels


def test_some_reshapes_are_windows_and_some_are_not():
    whole = Value.of("t", DType.INT64, (2, 3, 4))
    assert whole.slice(2, 1, 2).reshape((6, 2)) is not None  # rows stay evenly spaced
    assert whole.slice(2, 1, 2).reshape((12,)) is None
    assert whole.transpose((0, 2, 1)).reshape((2, 2, 2, 3)) is not None
    assert whole.transpose((0, 2, 1)).reshape((24,)) is None
