"""Memory of outputs: used again when nobody holds any of it, and never before."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from assay.engine.exact.outputs import LEAST, Outputs

SHAPE = (LEAST // 4, 2)
HOLDS = {
    "the array": lambda a: a,
    "a slice": lambda a: a[5:6],
    "a view of another type": lambda a: a.view(np.int32),
    "a transposed reshape": lambda a: a.reshape(2, -1).T,
    "a memoryview": memoryview,
    "an iterator": lambda a: a.flat,
}


@pytest.mark.parametrize("hold", HOLDS.values(), ids=HOLDS)
def test_what_somebody_holds_is_not_handed_out_again(hold):
    outputs = Outputs()
    first = outputs.take(SHAPE, np.dtype(np.float32))
    first[:] = 1.0
    place = first.__array_interface__["data"][0]
    held = hold(first)
    del first
    second = outputs.take(SHAPE, np.dtype(np.float32))
    assert second.__array_interface__["data"][0] != place
    second[:] = 2.0
    assert np.all(np.asarray(memoryview(held) if isinstance(held, memoryview) else held).view(np.float32) == 1.0)
    del held
    gc.collect()
    third = outputs.take(SHAPE, np.dtype(np.float32))
    assert third.__array_interface__["data"][0] == place, "nobody holds it any more"


def test_memory_outlives_whoever_handed_it_out():
    outputs = Outputs()
    array = outputs.take(SHAPE, np.dtype(np.float32))
    array[:] = 3.0
    del outputs
    gc.collect()
    assert np.all(array == 3.0)
    assert array.__array_interface__["data"][0] % 64 == 0
