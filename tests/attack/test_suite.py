"""Every attack of the suite has its file in tests/adversary, and the command runs them all within its time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from assay.attack import ATTACKS
from assay.attack.books import Books, net
from assay.attack.outcome import Outcome

ADVERSARY = Path(__file__).parents[1] / "adversary"
SECONDS = 600


def test_each_attack_has_a_file_named_after_it():
    missing = [name for name in ATTACKS if not (ADVERSARY / f"test_{name}.py").is_file()]
    assert missing == []


def test_what_counts_as_repelled():
    fine = Outcome("x", True, "the referee", -1, 0, 9, 10**6, True, True, 1.0)
    assert fine.repelled
    for change in ({"conserved": False}, {"attacker_net": 0}, {"honest_min_net": -1}):
        assert not Outcome(**{name: getattr(fine, name) for name in Outcome.__struct_fields__} | change).repelled
    escaped = Outcome("x", False, "the result held", -1, 0, 0, 10**6, True, False, 1.0)
    assert not escaped.repelled


def test_books_balance_only_if_every_coin_is_found():
    before = Books({"a": 60, "b": 40}, burned=0, supply=100, grant=50, granted=frozenset({"a"}))
    after = Books({"a": 40, "b": 100}, burned=10, supply=150, grant=50, granted=frozenset({"a", "b"}))
    assert before.balanced
    assert after.balanced
    assert net(before, after, ("a", "b")) == {"a": -20, "b": 10}
    assert not Books({"a": 59, "b": 40}, 0, 100, 50, frozenset()).balanced


@pytest.mark.slow
@pytest.mark.timeout(2 * SECONDS)
def test_the_command_repels_them_all_in_ten_minutes(tmp_path):
    command = [sys.executable, "-m", "assay", "attack", "--json", "--dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    *outcomes, summary = map(json.loads, done.stdout.splitlines())
    assert [outcome["name"] for outcome in outcomes] == list(ATTACKS), done.stderr[-2000:]
    assert summary["failed"] == []
    assert done.returncode == 0
    assert summary["seconds"] <= SECONDS
