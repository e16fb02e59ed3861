"""`assay simulate`: one JSON object, the same for the same seed; a table for people."""

from __future__ import annotations

import json
import sys

import pytest

from assay.cli.main import app, run


@pytest.fixture
def simulate(monkeypatch, capsys):
    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["assay", "simulate", *arguments])
        code = run(lambda: app(args=sys.argv[1:], standalone_mode=True))
        return code, *capsys.readouterr()

    return call


def test_the_object(simulate):
    code, out, err = simulate("--json", "--tasks", "400", "--seed", "7", "--population", "first")
    assert (code, err) == (0, "")
    (line,) = out.splitlines()
    report = json.loads(line)
    assert (report["population"], report["tasks"], report["seed"]) == ("first", 400, 7)
    assert report["conserved"] is True
    assert report["griefing_least"] >= 6.5
    assert {"solver", "verifier", "submitter", "solver with faults"} == set(report["honest"])
    for outcome in report["outcomes"]:
        assert outcome["advantage"]["low"] <= outcome["advantage"]["mean"] <= outcome["advantage"]["high"]
        assert outcome["loses"] == (outcome["advantage"]["high"] < 0)
    assert simulate("--json", "--tasks", "400", "--seed", "7", "--population", "first")[1] == out


def test_the_table(simulate):
    code, out, _ = simulate("--tasks", "200")
    assert code == 0
    for words in (
        "tampered weight",
        "honest whistleblower",
        "as many join",
        "griefing",
        "FOLD",
        "money is conserved: yes",
    ):
        assert words in out


@pytest.mark.parametrize("wrong", [("--population", "none"), ("--tasks", "1"), ("--seed", "-1")])
def test_what_makes_no_sense_is_refused(simulate, wrong):
    code, out, err = simulate(*wrong)
    assert (code, out) == (2, "")
    assert "usage" in err
