"""One process per folder, by a lock that the kernel releases."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.errors import UnavailableError
from assay.roles.occupancy import end, occupant, occupied

HOLD = """
import sys, time, signal
from pathlib import Path
from assay.roles.occupancy import occupied
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with occupied(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def holder(folder, *words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLD, str(folder), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_the_lock_excludes_a_second_process_and_names_the_first(tmp_path):
    assert occupant(tmp_path) is None
    with holder(tmp_path) as process:
        assert occupant(tmp_path) == process.pid
        with pytest.raises(UnavailableError, match=str(process.pid)) as caught, occupied(tmp_path):
            pass
        assert caught.value.evidence["pid"] == process.pid
        assert caught.value.exit_code == 5


def test_a_kill_frees_the_folder(tmp_path):
    with holder(tmp_path) as process:
        process.kill()
        process.wait()
        assert occupant(tmp_path) is None
        with occupied(tmp_path):
            assert occupant(tmp_path) == os.getpid()
    assert occupant(tmp_path) is None


def test_an_error_frees_the_folder(tmp_path):
    with pytest.raises(ZeroDivisionError), occupied(tmp_path / "made"):
        1 / 0  # noqa: B018
    assert occupant(tmp_path / "made") is None
    assert occupant(tmp_path / "never heard of") is None


def test_a_second_hold_in_one_process_is_refused_too(tmp_path):
    with occupied(tmp_path), pytest.raises(UnavailableError), occupied(tmp_path):
        pass


def test_end_ends(tmp_path):
    assert end(tmp_path) is False
    with holder(tmp_path) as process:
        assert end(tmp_path) is True
        assert process.wait(5) == -signal.SIGTERM
        assert occupant(tmp_path) is None


def test_end_ends_who_does_not_listen(tmp_path):
    with holder(tmp_path, "stubborn") as process:
        assert end(tmp_path, patience=0.2) is True
        assert process.wait(5) == -signal.SIGKILL


def test_whoever_only_looks_is_not_in_the_way(tmp_path):
    """`devnet status` in one window must not keep a solver from starting in another."""
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            occupant(tmp_path)

    onlookers = [threading.Thread(target=look) for _ in range(3)]
    for each in onlookers:
        each.start()
    try:
        for _ in range(100):
            with occupied(tmp_path):
                pass
    finally:
        stop.set()
        for each in onlookers:
            each.join()


PARENT = """
import subprocess, sys, os
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())], stdout=subprocess.PIPE, text=True)
print(child.pid, flush=True)
if "wait" in sys.argv:
    child.stdout.readline()
    print("followed", flush=True)
    child.wait()
"""

CHILD = """
import sys, time
time.sleep({before})
from assay.roles.occupancy import follow_parent
follow_parent(int(sys.argv[1]), interval=0.05)
print("following", flush=True)
time.sleep(60)
"""


def alive(pid: int) -> bool:
    """Whether the process runs (one that has ended and waits for its parent to notice does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def gone(pid: int) -> bool:
    until = time.monotonic() + 15
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not alive(pid)


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="looks into /proc")
def test_a_child_ends_when_its_parent_is_killed():
    command = [sys.executable, "-c", PARENT, CHILD.format(before=0), "wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        assert parent.stdout.readline() == "followed\n"
        time.sleep(0.2)
        assert alive(child)
        parent.kill()
        assert gone(child)


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="looks into /proc")
def test_a_child_ends_when_its_parent_was_killed_before_it_could_look():
    command = [sys.executable, "-c", PARENT, CHILD.format(before=0.5)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
    assert gone(child)
