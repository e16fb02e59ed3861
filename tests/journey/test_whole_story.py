"""The example that tells the whole story runs as its first lines say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

WALK = ("steps 24 to 48", "step 47: ", "values of the step: 0 to ", "which makes next/", "KiB of it", "element 0 of ")
"""The dispute goes down through these."""

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
        shown = "\n".join(lines)
        for words in WALK:
            assert words in shown
        solver, referee = (float(line.split()[-2]) for line in lines[-3:-1])
        assert solver == np.nextafter(np.float32(referee), np.float32(np.inf)), "a unit in the last place"
