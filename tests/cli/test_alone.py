"""Commands without a network: what they say, and with which exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from town import Town

from assay.cli.main import run
from assay.errors import AssayError, MismatchError


def test_no_network_is_code_6_and_says_how_to_start_one(alone: Town):
    done = alone("tasks", "--json")
    assert (done.code, done.json["error"]) == (6, "not-found")
    assert "devnet up" in done.json["hint"]
    plain = alone("submit", "TASK.toml", "--yes")
    assert plain.code == 6
    assert "not-found" in plain.err


def test_a_network_that_describes_nothing_is_code_2(alone: Town):
    (alone.home / "devnet").mkdir()
    (alone.home / "devnet" / "network.json").write_text("{}")
    assert alone("tasks", "--json").json["error"] == "config"


@pytest.mark.parametrize(
    "command",
    [("demo", "--cheat", "bribery"), ("demo", "--threads", "0"), ("sumbit",), ("fetch", "ab")],
    ids=" ".join,
)
def test_a_call_that_makes_no_sense_is_code_2(alone: Town, command):
    assert alone(*command).code == 2


def test_devnet_on_an_empty_folder(alone: Town):
    folder = alone.home / "nothing"
    assert alone("devnet", "status", "--dir", folder, "--json").json == {"members": {}}
    assert alone("devnet", "down", "--dir", folder, "--json").json == {"ended": []}
    assert "assay devnet up" in alone("devnet", "status", "--dir", folder).err
    assert not folder.exists()


def test_replay_of_what_is_no_bundle(alone: Town):
    for bundle, code in ((alone.home / "absent", 6), (alone.home, 4)):
        done = alone("replay", bundle, "--json")
        assert done.code == code, done.json
    (alone.home / "junk").mkdir()
    (alone.home / "junk" / "manifest.json").write_text("{")
    assert alone("replay", alone.home / "junk", "--json").code == 4


def test_doctor_says_what_is_documented(alone: Town):
    report = alone("doctor", "--json").json
    assert set(report) == {"python", "machine", "memory_gib", "disk_gib", "home", "packages", "engine"}
    assert report["home"] == str(alone.home)
    assert set(report["engine"]) == {"compile_s", "steps_per_s", "giga_operations_per_s"}
    assert all(value > 0 for value in (*report["engine"].values(), report["memory_gib"], report["disk_gib"]))
    assert "MISSING" not in report["packages"].values()
    plain = alone("doctor")
    assert (plain.code, plain.err) == (0, "")
    assert "packages" in plain.out


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks into /proc")
def test_a_demo_that_is_interrupted_at_once_leaves_nothing_running(alone: Town):
    folder = alone.home / "demo"
    command = [sys.executable, "-m", "assay", "demo", "--dir", str(folder), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as demo:
        while not (folder / "chain" / "output.log").exists():
            time.sleep(0.005)  # until the first member is being started, and no more than that
        demo.send_signal(signal.SIGINT)
        started = time.monotonic()
        assert demo.wait(60) == 130
        assert time.monotonic() - started < 15
        assert demo.stdout.read() == ""
    # A member whose start was cut in two is nobody's child to end: it ends when it finds its parent gone.
    while any(str(folder).encode() in content(path) for path in Path("/proc").glob("[0-9]*/cmdline")):
        assert time.monotonic() - started < 30
        time.sleep(0.1)


def content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has just ended
        return b""


# -- the last line of defence, in process ------------------------------------------------------------------------


@pytest.fixture
def machine(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["assay", "x", "--json"])


def failing(error: BaseException):
    def command():
        raise error

    return command


def test_evidence_of_any_type_can_be_printed(machine, capsys, tmp_path):
    error = MismatchError("it [/differs] at [bold]", step=3, path=tmp_path, raw=b"\xff", kinds={1: {2}})
    assert run(failing(error)) == 3
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["evidence"]["step"] == 3
    assert found["evidence"]["path"] == str(tmp_path)
    assert "it [/differs] at [bold]" in err


@pytest.mark.parametrize(
    ("error", "code", "printed"),
    [
        (KeyboardInterrupt(), 130, None),
        (SystemExit(7), 7, None),
        (SystemExit(None), 0, None),
        (SystemExit("words"), 1, None),
        (AssayError("oh"), 1, "internal"),
        (RuntimeError("a bug"), 1, "internal"),
    ],
)
def test_whatever_happens_has_a_code_and_under_json_at_most_one_line(machine, capsys, error, code, printed):
    assert run(failing(error)) == code
    out, err = capsys.readouterr()
    assert (json.loads(out)["error"] if out else None) == printed
    assert err or code in (0, 7, 1)


def test_a_bug_is_shown_with_its_traceback_on_stderr(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["assay", "x"])
    assert run(failing(RuntimeError("a bug"))) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "RuntimeError: a bug" in err


def test_the_command_and_the_module_are_the_same(alone: Town):
    from importlib.metadata import version

    done = subprocess.run([sys.executable, "-m", "assay", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"assay {version('assay')}\n"
