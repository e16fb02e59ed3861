"""What a dispute and a task without one cost, beside the snapshot in gas.json; `scripts/bench game --write` renews it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

PERCENT = {"dispute": 1, "bytes": 0, "alone": 10, "per_task_of_ten": 5}
PERCENT |= {"alone_one_interval": 10, "per_task_of_ten_one_interval": 5}
"""How far a figure may move. Draws walk cycles of other lengths with each block hash, most of all in one task's reveal."""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The bench, in a process of its own: it plays on two chains, and this one has tests on a third."""
    kept = tmp_path_factory.mktemp("gas") / "gas.json"
    command = [sys.executable, HERE.parents[1] / "bench" / "game.py", "--json", "--write", kept]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=300)
    return json.loads(kept.read_text())


@pytest.mark.parametrize("part", list(PERCENT))
def test_nothing_costs_other_than_it_did(found, part):
    kept = json.loads((HERE / "gas.json").read_text())[part]
    assert list(kept) == list(found[part])
    moved = {
        name: f"{was:,} -> {found[part][name]:,}"
        for name, was in kept.items()
        if abs(found[part][name] - was) * 100 > was * PERCENT[part]
    }
    assert not moved, f"if that is meant: scripts/bench game --write; {moved}"


def test_the_marks(found):
    """What issue 4 asks for."""
    assert found["dispute"]["rounds"] <= 12
    assert found["dispute"]["total"] <= 3_000_000
    assert found["alone"]["total"] <= 450_000
    assert found["per_task_of_ten_one_interval"]["total"] <= 250_000
    assert max(found["bytes"].values()) < 24_576
