"""A small JSON file is whole or absent, whatever kills its writer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from assay.observe import read_json, write_json


def test_round_trip_and_default(tmp_path):
    path = tmp_path / "made" / "on the way" / "x.json"
    assert read_json(path) is None
    assert read_json(path, []) == []
    write_json(path, {"b": [1, 2], "a": None})
    assert read_json(path, []) == {"a": None, "b": [1, 2]}


def test_only_the_owner_may_read_unless_told_otherwise(tmp_path):
    write_json(tmp_path / "secret", 1)
    write_json(tmp_path / "public", 1, mode=0o644)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "public").stat().st_mode & 0o777 == 0o644


def test_what_cannot_be_written_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, "old")
    with pytest.raises(TypeError):
        write_json(path, {"new": object()})
    assert read_json(path) == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["x.json"]


WRITER = """
import sys, itertools
from pathlib import Path
from assay.observe import write_json
for n in itertools.count():
    write_json(Path(sys.argv[1]), [n] * 5000)
    if n == 0:
        print("begun", flush=True)
"""


def test_a_killed_writer_leaves_a_whole_file(tmp_path):
    path = tmp_path / "x.json"
    for wait in (0.0, 0.011, 0.023, 0.037):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"begun\n"
        time.sleep(wait)
        writer.kill()
        writer.wait()
        writer.stdout.close()
        found = json.loads(path.read_text())
        assert len(found) == 5000
        assert len(set(found)) == 1
        # A file is replaced, never rewritten: what the kill left of a new one is beside it.
        assert all(name.startswith(".x.json.") for name in os.listdir(tmp_path) if name != "x.json")
