"""The example that tells the whole story runs as its first lines say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SOLVER, CHALLENGER = "solver", "challenger"
WALK = [
    (SOLVER, "divide"),
    (CHALLENGER, "choose"),
    (SOLVER, "expand"),
    (CHALLENGER, "choose"),
    (SOLVER, "expand"),
    (CHALLENGER, "choose"),
    (SOLVER, "show"),
    (CHALLENGER, "point"),
    (CHALLENGER, "prove"),
]
"""From the interval to a step, to a value in two moves, to a KiB of it, to an element."""

EXAMPLE = Path(__file__).parents[2] / "examples" / "whole_story.py"


@pytest.mark.parametrize(
    ("arguments", "end"),
    [
        ([], "settled: paid 0.008515, refunded 0.000000, slashed 0.000000 (the result held)"),
        (["--cheat"], "refunded: paid 0.000000, refunded 0.008515, slashed 0.260345 ({ruling} in interval 1)"),
    ],
    ids=["honest", "cheat"],
)
def test_the_example_runs(arguments, end):
    command = [sys.executable, "-W", "error::ResourceWarning", str(EXAMPLE), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line[0] for line in lines if line[1:2] == "."] == ["1", "2", "3", "4", "5"]
    assert lines[-1] == "5. " + end.format(ruling="proven to the contract: the state differs from the replay")
    if arguments:
        walk = [line.split() for line in lines[lines.index("4. dispute") + 1 : -3]]
        assert [(who, move) for who, move, *_ in walk] == WALK
        solver, referee = (float(line.split()[-2]) for line in lines[-3:-1])
        assert solver == np.nextafter(np.float32(referee), np.float32(np.inf)), "a unit in the last place"
