"""The example that tells the whole story runs as its first lines say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "whole_story.py"


@pytest.mark.parametrize(
    ("arguments", "end"),
    [
        ([], r"settled: paid 0\.008515, refunded 0\.000000 \(the result held\)"),
        (["--cheat"], r"refunded: paid 0\.000000, refunded 0\.008515, slashed \d+\.\d{6} \(ruled wrong\)"),
    ],
    ids=["honest", "cheat"],
)
def test_the_example_runs(arguments, end):
    command = [sys.executable, "-W", "error::ResourceWarning", str(EXAMPLE), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    assert [line[0] for line in lines if line[1:2] == "."] == ["1", "2", "3", "4", "5"]
    assert re.fullmatch(f"5\\. {end}", lines[-1])
    walked = [line.split()[1] for line in lines if line.split()[0] in ("solver", "challenger")]
    assert walked[-2:] == (["point", "prove"] if arguments else [])
    assert ("the solver lied" in done.stdout) == bool(arguments)
    assert done.stderr == ""
