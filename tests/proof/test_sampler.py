from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import UsageError
from assay.proof import audit_intervals, batches_root, interval_root, merkle, permute, rows
from assay.proof.sampler import permute_many, sampler_key
from assay.words.task import Audit, Blob, TaskSpec

keys = st.binary(min_size=32, max_size=32)


@given(st.integers(1, 400), keys)
@settings(max_examples=60)
def test_permute_is_a_bijection(n: int, key: bytes) -> None:
    assert sorted(permute(x, n, key) for x in range(n)) == list(range(n))


@given(st.integers(1, 2**53), keys, st.data())
def test_vectorised_equals_scalar(n: int, key: bytes, data: st.DataObject) -> None:
    xs = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=20))
    assert permute_many(np.array(xs, np.uint64), n, key).tolist() == [permute(x, n, key) for x in xs]


def test_golden_permutation() -> None:
    key = sha256(b"assay").digest()
    assert [permute(x, 10, key) for x in range(10)] == [9, 8, 5, 7, 2, 4, 3, 6, 1, 0]
    assert [permute(x, 2**40 + 7, key) for x in (0, 1, 2**40)] == [409986777482, 402519746389, 747343058524]
    assert permute(0, 1, key) == 0


def test_arguments_are_checked() -> None:
    key = bytes(32)
    for bad in [(0, 0, key), (5, 5, key), (-1, 5, key), (0, 5, b"short"), (0, 2**60, key)]:
        with pytest.raises(UsageError):
            permute(*bad)


def test_rows_follow_the_definition_across_epochs() -> None:
    seed, size, total = 7, 5, 13
    stream = np.concatenate([rows(seed, step, size, total) for step in range(40)])
    for p in range(200):
        key = sha256(b"\x0a" + seed.to_bytes(8, "big") + (p // total).to_bytes(8, "big")).digest()
        assert stream[p] == permute(p % total, total, key)
    assert stream.dtype == np.int64
    for epoch in range(15):
        assert sorted(stream[epoch * total : (epoch + 1) * total]) == list(range(total))
    assert (np.concatenate([rows(1, s, 30, 7) for s in range(3)]) < 7).all()  # a batch of several epochs


def test_rows_of_a_large_dataset_are_computed_in_parts() -> None:
    total, key = 150_001, sampler_key(5, 1)
    for first in (0, 65_530, 131_065, 149_990):  # the last one runs into the next epoch
        step, size = (total + first) // 20, 20
        for j, row in enumerate(rows(5, step, size, total)):
            epoch, within = divmod(step * size + j, total)
            assert row == permute(within, total, key if epoch == 1 else sampler_key(5, epoch))


def test_rows_are_spread_evenly() -> None:
    """First position of many epochs: chi-square over 16 cells stays below its 1e-6 quantile (66.0 at 15 d.o.f.)."""
    first = [permute(0, 1000, sampler_key(3, epoch)) for epoch in range(4000)]
    counts = np.bincount(np.array(first) * 16 // 1000, minlength=16)
    expected = np.bincount(np.arange(1000) * 16 // 1000) * 4
    assert ((counts - expected) ** 2 / expected).sum() < 66.0
    follow = [(b - a) % 1000 for a, b in zip(rows(3, 0, 1000, 1000), rows(3, 0, 1000, 1000)[1:], strict=False)]
    assert len(set(follow)) > 500  # neighbours are not kept together


def test_batches_root_is_a_tree_over_steps() -> None:
    def step_leaf(step: int) -> bytes:
        data = b"".join(int(row).to_bytes(8, "big") for row in rows(9, step, 200, 50))
        return merkle.root([merkle.leaf(data[:1024]), merkle.leaf(data[1024:])])

    root = batches_root(9, 4, 7, 200, 50)
    assert root == merkle.root([step_leaf(4), step_leaf(5), step_leaf(6)])
    assert root != batches_root(9, 4, 7, 200, 51)
    assert root.hex() == "4cbff7ca32feed194618b158079fcd770d83b72f78e8fb1e4cfffabc49c78998"


def spec(**changes: object) -> TaskSpec:
    zero, blob = "00" * 32, Blob("00" * 32, 1)
    fields: dict[str, object] = {"name": "t", "program": blob, "program_root": zero, "initial": blob}
    fields |= {"initial_root": zero, "dataset": blob, "dataset_root": zero, "rows": 50, "batch_size": 4, "seed": 1}
    fields |= {"steps": 25, "interval": 10, "audit": Audit(2, 2)}
    return TaskSpec(**(fields | changes))  # type: ignore[arg-type]


def test_interval_root_covers_the_short_last_interval() -> None:
    assert interval_root(spec(), 0) == batches_root(1, 0, 10, 4, 50)
    assert interval_root(spec(), 2) == batches_root(1, 20, 25, 4, 50)


@given(st.integers(1, 60), st.integers(1, 8), st.integers(1, 8), keys)
def test_verifiers_share_the_intervals_out(intervals: int, verifiers: int, each: int, seed: bytes) -> None:
    drawn = [audit_intervals(seed, j, Audit(verifiers, each), intervals) for j in range(verifiers)]
    assert all(len(one) == each for one in drawn)
    flat = [k for one in drawn for k in one]
    assert all(0 <= k < intervals for k in flat)
    assert len(set(flat)) == min(intervals, verifiers * each)
    assert flat == [permute(i % intervals, intervals, seed) for i in range(verifiers * each)]
