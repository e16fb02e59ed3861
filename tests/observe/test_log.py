"""Logs are JSON lines in a file, or on stderr; never on stdout."""

from __future__ import annotations

import json
import subprocess
import sys

LOGGING = """
import sys
from pathlib import Path
from assay.observe import configure_log, get_log
configure_log(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
log = get_log(role="solver-1")
log.debug("quiet")
log.info("accepted", task="t")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LOGGING, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


def test_a_role_logs_lines_of_json_and_appends(tmp_path):
    path = tmp_path / "role" / "log.jsonl"
    for _ in range(2):
        done = run(str(path))
        assert done.stdout == done.stderr == ""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["accepted", "failed"] * 2
    assert lines[0]["task"] == "t"
    assert all(line["role"] == "solver-1" and line["timestamp"].endswith("Z") for line in lines)
    assert "ZeroDivisionError" in lines[1]["exception"]


def test_without_a_file_only_warnings_go_to_stderr():
    done = run()
    assert done.stdout == ""
    assert "failed" in done.stderr
    assert "accepted" not in done.stderr
