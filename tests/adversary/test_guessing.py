"""A verifier that guesses a trace from what is public: tasks for which that is cheap are not posted."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from small import columns, initial, program

from assay.errors import RefusedError
from assay.market import Plan, package
from assay.store import Store


def with_metrics(*names: str) -> bytes:
    """The digits training step that shows only these metrics."""
    model = onnx.load_from_string(program().source)
    kept = [out for out in model.graph.output if not out.name.startswith("metric/") or out.name in names]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("names", "interval", "safe"),
    [
        ((), 12, False),
        (("metric/loss",), 1, False),
        (("metric/loss",), 7, False),
        (("metric/loss",), 8, True),
        (("metric/loss", "metric/probe"), 1, True),
    ],
)
def test_a_trace_of_few_values_is_refused(tmp_path: Path, names, interval, safe):
    plan = Plan("guess", steps=12, batch_size=64, interval=interval)
    if safe:
        assert package(Store(tmp_path), plan, with_metrics(*names), initial(), columns())
    else:
        with pytest.raises(RefusedError, match="guess"):
            package(Store(tmp_path), plan, with_metrics(*names), initial(), columns())
