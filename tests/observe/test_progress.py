"""Live views show rounded figures, newest first."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.observe import Progress, ProgressBoard


def test_the_newest_line_comes_first_and_replaces_the_old_one():
    board = ProgressBoard("solver-1")
    board.post("a", "training", 1, 10, 2.5)
    board.post("b", "replaying", 0, 5)
    board.post("a", "training", 2, 10, 2.25)
    assert [(line.task, line.done, line.loss) for line in board.lines()] == [("a", 2, 2.25), ("b", 0, None)]
    assert board.line("a").role == "solver-1"
    assert board.line("c") is None


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_loss_is_rounded_so_that_its_bits_stay_secret(loss):
    board = ProgressBoard("s")
    board.post("a", "training", 1, 2, loss)
    assert board.line("a").loss == float(f"{loss:.3g}") == pytest.approx(loss, rel=1e-2)


def test_the_speed_counts_from_where_the_phase_began(monkeypatch):
    clock = iter([100.0, 102.0, 110.0])
    monkeypatch.setattr("assay.observe.progress.time.time", lambda: next(clock))
    board = ProgressBoard("s")
    board.post("a", "training", 120, 240)
    board.post("a", "training", 140, 240)
    assert board.line("a").speed == 10.0
    board.post("a", "replaying", 0, 5)
    assert board.line("a").speed == 0.0


def test_a_line_survives_json():
    board = ProgressBoard("s")
    board.post("a", "training", 1, 2, float("nan"))
    board.post("b", "training", 1, 2, 0.5)
    data = msgspec.json.encode(board.lines())
    assert [line.task for line in msgspec.json.decode(data, type=list[Progress])] == ["b", "a"]
