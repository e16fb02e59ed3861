"""The example that tells the whole story runs as its first lines say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "whole_story.py"


@pytest.mark.parametrize(
    ("arguments", "end"),
    [
        ([], "settled: paid 0.008515, refunded 0.000000 (the result held)"),
        (["--cheat"], "refunded: paid 0.000000, refunded 0.008515 (mismatch)"),
    ],
    ids=["honest", "cheat"],
)
def test_the_example_runs(arguments, end):
    command = [sys.executable, "-W", "error::ResourceWarning", str(EXAMPLE), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    assert [line[0] for line in lines if line[1:2] == "."] == ["1", "2", "3", "4", "5"]
    assert lines[-1] == f"5. {end}"
