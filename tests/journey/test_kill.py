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

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from aftermath import paid_out

from assay.roles.occupancy import occupant

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "roots.json").read_text())
MEMBERS = ("chain", "depot", "solver-1", "solver-2", "verifier-1", "verifier-2")
PATIENCE = 280


class Demo:
    """A demo in its folder, started in the background and started again when it was killed."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.command = [sys.executable, "-m", "assay", "demo", "--json", "--dir", str(folder), *arguments]
        self.start()

    def start(self) -> None:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        self.process = subprocess.Popen(self.command, text=True, **pipes)

    def lines(self) -> list[bytes]:
        """What its members have logged so far: how far the story is."""
        return [line for log in self.folder.glob("*/log.jsonl") for line in log.read_bytes().splitlines()]

    def moves(self) -> int:
        """How many moves of a dispute were made, its opening included."""
        return sum(b'"event": "moved"' in line or b'"event": "disputed"' in line for line in self.lines())

    def wait_for_phase(self, wanted: int) -> None:
        while len(self.lines()) < wanted and self.process.poll() is None:
            time.sleep(0.02)

    def wait_for_move(self, wanted: int) -> None:
        while self.moves() < wanted and self.process.poll() is None:
            time.sleep(0.02)
        assert self.process.poll() is None, "it ended before it was killed"

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


def check(demo: Demo) -> None:
    """The receipt and the books of an undisturbed demo, as far as they do not name random keys."""
    result = demo.result()
    assert result["outcome"] == "settled"
    assert result["state_root"] == GOLDEN["digits"]["state"]
    assert result["caught"] is None
    assert result["refunded"] == 0
    assert result["paid"] == result["escrow"] == result["quote"]["escrow"]
    assert sorted(result["payments"].values()) == sorted(
        [result["quote"]["price"]] + [result["quote"]["fee"]] * result["quote"]["verifiers"]
    )
    assert result["accuracy"] >= 0.95
    solver, *verifiers = sorted(result["payments"], key=lambda who: result["payments"][who], reverse=True)
    paid_out(demo.folder).check_payment(result["quote"], solver, verifiers)


def check_caught(demo: Demo) -> None:
    """The solver is slashed, once, and who showed it and the submitter have their shares, once."""
    result = demo.result()
    caught, quote = result["caught"], result["quote"]
    assert (result["outcome"], result["paid"]) == ("refunded", 0)
    assert (caught["role"], caught["step"]) == ("solver", 144)
    assert result["slashed"] == {caught["who"]: quote["collateral"]}
    share = quote["collateral"] // 4
    assert sorted(result["payments"].values()) == [share, quote["escrow"] + share]
    assert result["payments"][caught["by"]] == share
    paid_out(demo.folder).check_slash(caught["who"], caught["by"], quote["collateral"])


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
    check(demo)


def test_all_members_die_twice(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "network")
    for phase in (9, 12):
        demo.wait_for_phase(phase)
        for victim in MEMBERS:
            demo.kill(victim)
    check(demo)


DISPUTING = ("chain", "depot", "solver-1", "solver-2", "verifier-1", "verifier-2", "demo")
MOVES = 10
"""An undisturbed dispute about a tampered weight: it is opened, and nine moves later the contract has executed an operation."""


@pytest.mark.parametrize("seed", range(7))
def test_a_process_dies_in_the_middle_of_a_dispute(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    demo = Demo(tmp_path / "network", "--cheat", "weights")
    demo.wait_for_move(draw.randint(1, MOVES - 1))
    time.sleep(draw.random() / 2)
    demo.kill(DISPUTING[seed])
    check_caught(demo)


def test_all_members_die_twice_in_a_dispute(tmp_path: Path) -> None:
    demo = Demo(tmp_path / "network", "--cheat", "weights")
    for move in (2, 7):
        demo.wait_for_move(move)
        for victim in MEMBERS:
            demo.kill(victim)
    check_caught(demo)
