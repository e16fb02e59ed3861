"""Any process of the demo dies by SIGKILL at any moment; started again, everything ends with the same receipt."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay.roles.occupancy import occupant

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "roots.json").read_text())
MEMBERS = ("chain", "depot", "solver-1", "solver-2", "verifier-1", "verifier-2")
PATIENCE = 280


class Demo:
    """A demo in its folder, started in the background and started again when it was killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.command = [sys.executable, "-m", "assay", "demo", "--json", "--dir", str(folder)]
        self.start()

    def start(self) -> None:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        self.process = subprocess.Popen(self.command, text=True, **pipes)

    def phase(self) -> int:
        """How far the story is: number of lines in the logs of its members."""
        return sum(len(log.read_bytes().splitlines()) for log in self.folder.glob("*/log.jsonl"))

    def wait_for_phase(self, wanted: int) -> None:
        while self.phase() < wanted and self.process.poll() is None:
            time.sleep(0.02)

    def kill(self, victim: str) -> bool:
        """SIGKILL; returns whether there was somebody to kill."""
        if victim == "demo":
            self.process.kill()
            self.process.communicate()
            self.start()
            return True
        pid = occupant(self.folder / victim)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        return pid is not None

    def result(self) -> dict:
        out, err = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, err[-3000:]
        return json.loads(out.splitlines()[-1])


def check(result: dict) -> None:
    """The receipt of an undisturbed demo, as far as it does not name random keys."""
    assert result["outcome"] == "settled"
    assert result["state_root"] == GOLDEN["digits"]["state"]
    assert result["caught"] is None
    assert result["refunded"] == 0
    assert result["paid"] == result["escrow"] == result["quote"]["escrow"]
    assert sorted(result["payments"].values()) == sorted(
        [result["quote"]["price"]] + [result["quote"]["fee"]] * result["quote"]["verifiers"]
    )
    assert result["accuracy"] >= 0.95


@pytest.mark.parametrize("seed", range(10))
def test_a_process_dies_at_a_random_moment(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    victims = ["demo", *MEMBERS]
    demo = Demo(tmp_path / "network")
    # The moment is drawn in events, not in seconds, so that a slow machine is hit as widely as a fast one: an
    # undisturbed demo logs some 20 lines from the first stake to the last withdrawal.
    demo.wait_for_phase(draw.randint(0, 18))
    time.sleep(draw.random() * 2)
    # Which process: every one of them is met by some seed.
    demo.kill(victims[seed % len(victims)])
    check(demo.result())


def test_all_members_die_twice(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "network")
    for phase in (9, 12):
        demo.wait_for_phase(phase)
        for victim in MEMBERS:
            demo.kill(victim)
    check(demo.result())
