"""docs/threat_model.md against tests/adversary: no attack without its test, no test without its line, the gap in sight."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "threat_model.md").read_text(encoding="utf-8")
FILES = {p.stem.removeprefix("test_") for p in (ROOT / "tests" / "adversary").glob("test_*.py")}
WANTED = set(
    """
    weights interpolation steps other_data order labels rate other_seed precision idle stale forged_trace withheld silence
    last_second false_challenge echo solver_and_verifier verifier_and_whistleblower sybil replayed_signature hostile_blob
    hostile_token reorganisation
    """.split()  # noqa: SIM905
)
"""Every attack that the suite was asked for, by the name it has here."""


def rows(title: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


COVERED, OPEN = rows("Covered by a test"), rows("Not covered by a test yet")


def test_every_covered_attack_has_a_test_and_every_test_is_listed():
    assert {row[0] for row in COVERED} == FILES


def test_what_is_not_covered_has_no_test_yet():
    assert {row[0] for row in OPEN} & FILES == set(), "move its line to the covered ones"


def test_names_are_unique_and_lines_are_complete():
    names = [row[0] for row in (*COVERED, *OPEN)]
    assert len(set(names)) == len(names)
    for row in (*COVERED, *OPEN):
        assert len(row) == 4
        assert all(row)
        assert re.fullmatch(r"[a-z_]+", row[0])


@pytest.mark.parametrize("name", sorted(WANTED))
def test_an_attack_that_was_asked_for_is_listed(name):
    assert name in {row[0] for row in (*COVERED, *OPEN)}


def test_the_sections_that_lines_point_to_exist():
    economics = (ROOT / "docs" / "economics.md").read_text(encoding="utf-8")
    for number in {n for found in re.findall(r"economics, (\d+(?: and \d+)*)\)", PAGE) for n in found.split(" and ")}:
        assert f"\n## {number}. " in economics
