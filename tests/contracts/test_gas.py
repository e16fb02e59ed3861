"""What a dispute and a task without one cost, beside the snapshot in gas.json; `scripts/bench game --write` renews it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "bench"))

import game as bench
from happy_path import happy_path

PERCENT = 3
"""A permutation walks cycles of other lengths with each block hash; a change of the code shows all the same."""


@pytest.fixture(scope="module")
def found():
    alone, ten = happy_path(), happy_path(10)
    return bench.snapshot({"dispute": bench.dispute(32, True), "happy_path": {"alone": alone, "per_task_of_ten": ten}})


@pytest.mark.parametrize("part", ["dispute", "alone", "per_task_of_ten", "bytes"])
def test_nothing_costs_other_than_it_did(found, part):
    kept = json.loads((HERE / "gas.json").read_text())[part]
    assert list(kept) == list(found[part])
    moved = {
        name: f"{was:,} -> {found[part][name]:,}"
        for name, was in kept.items()
        if abs(found[part][name] - was) * 100 > was * PERCENT
    }
    assert not moved, f"if that is meant: scripts/bench game --write; {moved}"


def test_the_marks(found):
    """What issue 4 asks for."""
    assert found["dispute"]["rounds"] <= 12
    assert found["dispute"]["total"] <= 3_000_000
    assert found["alone"]["total"] <= 450_000
    assert max(found["bytes"].values()) < 24_576
