"""Intervals tile the steps."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from assay.words import Audit, Blob, TaskSpec

BLOB = Blob("0" * 64, 0)
SPEC = TaskSpec("t", BLOB, "0" * 64, BLOB, "0" * 64, BLOB, "0" * 64, 1, 1, 0, 1, 1, Audit(1, 1))


@given(steps=st.integers(1, 500), interval=st.integers(1, 600))
def test_every_step_is_in_exactly_one_interval(steps, interval):
    spec = msgspec.structs.replace(SPEC, steps=steps, interval=interval)
    bounds = [spec.bounds(k) for k in range(spec.intervals)]
    assert [step for start, stop in bounds for step in range(start, stop)] == list(range(steps))
    assert all(stop - start == interval for start, stop in bounds[:-1])
    assert 1 <= bounds[-1][1] - bounds[-1][0] <= interval


@given(steps=st.integers(1, 2**53), interval=st.integers(1, 2**53))
def test_counts_are_exact_however_large(steps, interval):
    spec = msgspec.structs.replace(SPEC, steps=steps, interval=interval)
    start, stop = spec.bounds(spec.intervals - 1)
    assert 0 <= start < stop == steps
    assert start % interval == 0
