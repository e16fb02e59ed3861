"""A journal forgets nothing that was appended, whatever the crash."""

from __future__ import annotations

import os
import subprocess
import sys

from assay.solve import Entry, Journal
from assay.words import Blob, Checkpoint


def entry(n: int) -> Entry:
    root = f"{n:064x}"
    return Entry(Checkpoint(n, root, Blob(root, n), root, root), f"{n + 1:064x}" if n else "", (0.5 / (n + 1), 2.0))


ENTRIES = [entry(n) for n in range(4)]


def written(path) -> Journal:
    journal = Journal(path)
    for one in ENTRIES:
        journal.append(one)
    return journal


def test_what_is_appended_is_there_again(tmp_path):
    path = tmp_path / "made on the way" / "journal.jsonl"
    assert Journal(path).entries == []
    assert written(path).entries == Journal(path).entries == ENTRIES
    assert Journal(path).digests == [bytes.fromhex(one.digest) for one in ENTRIES[1:]]


def test_the_digests_are_secret(tmp_path):
    before = os.umask(0)
    try:
        written(tmp_path / "journal.jsonl")
    finally:
        os.umask(before)
    assert (tmp_path / "journal.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_crash_at_any_byte_leaves_the_whole_lines(tmp_path):
    path = tmp_path / "journal.jsonl"
    written(path)
    data = path.read_bytes()
    ends = [n + 1 for n, byte in enumerate(data) if byte == ord("\n")]
    assert len(ends) == len(ENTRIES)
    for cut in range(len(data) + 1):
        path.write_bytes(data[:cut])
        whole = sum(end <= cut for end in ends)
        journal = Journal(path)
        assert journal.entries == ENTRIES[:whole]
        # The torn line is gone from the disk too, so that the next one does not hang on to it.
        for one in ENTRIES[whole:]:
            journal.append(one)
        assert path.read_bytes() == data


APPENDING = """
import sys
from pathlib import Path
from assay.solve import Entry, Journal
from assay.words import Blob, Checkpoint
journal = Journal(Path(sys.argv[1]))
for n in range(len(journal.entries), 10**9):
    root = f"{n:064x}"
    journal.append(Entry(Checkpoint(n, root, Blob(root, n), root, root), root))
    print(n, flush=True)
"""


def test_what_was_appended_before_a_kill_is_there(tmp_path):
    path = tmp_path / "journal.jsonl"
    acknowledged = -1
    for lines in (1, 17, 40):
        process = subprocess.Popen([sys.executable, "-c", APPENDING, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(lines):
            acknowledged = int(process.stdout.readline())
        process.kill()
        process.wait()
        process.stdout.close()
        found = Journal(path).entries
        assert [one.checkpoint.step for one in found] == list(range(len(found)))
        assert len(found) > acknowledged


def test_a_line_that_is_whole_but_wrong_is_cut_off_with_all_that_follows(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_text('{"checkpoint": 3}\n{}\n')
    assert Journal(path).entries == []
    assert path.read_bytes() == b""
