"""A role has one key, made once, whatever interrupts or races the making."""

from __future__ import annotations

import subprocess
import sys

import pytest

from assay.chain import create, unlock
from assay.errors import ConfigError
from assay.roles.account import open_key, passphrase

OPEN = """
import sys
from pathlib import Path
import eth_account  # takes longer than the race that is run here
from assay.roles.account import open_key
print("ready", flush=True)
sys.stdin.readline()
print(open_key(Path(sys.argv[1])).address, flush=True)
"""


def modes(home) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in home.iterdir()}


def test_a_key_is_made_on_first_use_and_stays(tmp_path):
    home = tmp_path / "solver-1"
    made = open_key(home)
    assert open_key(home).address == made.address
    assert modes(home) == {"passphrase": 0o600, "key.json": 0o600}
    assert unlock(home / "key.json", passphrase(home)).address == made.address


def test_two_folders_have_two_keys(tmp_path):
    assert open_key(tmp_path / "a").address != open_key(tmp_path / "b").address
    assert passphrase(tmp_path / "a") != passphrase(tmp_path / "b")


def test_a_death_between_passphrase_and_key(tmp_path):
    before = passphrase(tmp_path)
    made = open_key(tmp_path)
    assert passphrase(tmp_path) == before
    assert open_key(tmp_path).address == made.address


def test_a_death_while_the_passphrase_was_written(tmp_path):
    (tmp_path / ".passphrase.123").write_text("ha")
    made = open_key(tmp_path)
    assert len(passphrase(tmp_path)) > 20
    assert open_key(tmp_path).address == made.address


def test_a_key_whose_passphrase_is_lost_says_so_and_nothing_is_made_up(tmp_path):
    open_key(tmp_path)
    (tmp_path / "passphrase").unlink()
    with pytest.raises(ConfigError, match="passphrase"):
        open_key(tmp_path)
    assert not (tmp_path / "passphrase").exists()


def test_an_own_passphrase_is_not_written_down(tmp_path):
    made = open_key(tmp_path, "my own")
    assert modes(tmp_path) == {"key.json": 0o600}
    assert open_key(tmp_path, "my own").address == made.address


def test_a_key_file_that_is_none(tmp_path):
    passphrase(tmp_path)
    (tmp_path / "key.json").write_text("{}")
    with pytest.raises(ConfigError, match="keystore"):
        open_key(tmp_path)


@pytest.mark.parametrize("half", [False, True], ids=["nothing is there", "a passphrase is there"])
def test_first_uses_at_the_same_time_end_with_one_key(tmp_path, half):
    """`assay submit` in two windows: a key that somebody could not open again would be money lost."""
    if half:
        passphrase(tmp_path)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    racers = [subprocess.Popen([sys.executable, "-c", OPEN, str(tmp_path)], **pipes) for _ in range(3)]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("\n")
        racer.stdin.flush()
    found = {racer.communicate(timeout=60)[0] for racer in racers}
    assert found == {open_key(tmp_path).address + "\n"}
    assert [racer.returncode for racer in racers] == [0] * 3
    assert sorted(modes(tmp_path)) == ["key.json", "passphrase"]


def test_a_key_that_is_there_is_never_overwritten(tmp_path):
    create(tmp_path / "key.json", "older", fast=True)
    before = (tmp_path / "key.json").read_bytes()
    with pytest.raises(ConfigError, match="wrong passphrase"):
        open_key(tmp_path, "newer")
    assert (tmp_path / "key.json").read_bytes() == before
