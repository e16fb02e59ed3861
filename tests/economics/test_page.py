"""docs/economics.md against the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from assay.economics import MAIN, MILLION, derive, detection
from assay.economics.page import render, sections
from assay.economics.simulation import POPULATIONS
from assay.errors import UsageError

PATH = Path(__file__).parents[2] / "docs" / "economics.md"
PAGE = PATH.read_text(encoding="utf-8")
MADE = sections()


@pytest.mark.parametrize("name", MADE)
def test_a_table_is_what_the_code_gives(name):
    begin, end = f"<!-- generated: {name} -->\n", f"<!-- end of {name} -->\n"
    assert PAGE.split(begin)[1].split(end)[0] == MADE[name], "renew it: scripts/docs"


def test_the_command_renews_the_page(tmp_path):
    page = tmp_path / "page.md"
    stale = re.sub(r"(<!-- generated: .* -->\n)(?:\|.*\n)*", r"\1", PAGE)
    assert stale != PAGE
    page.write_text(stale, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "assay.economics", "--write", page], check=True, timeout=60)
    assert page.read_text(encoding="utf-8") == PAGE


def test_a_page_without_its_marks_is_refused():
    with pytest.raises(UsageError, match="'terms'"):
        render("", {"terms": ""})


def test_numbers_in_the_text():
    terms, text = derive(MAIN), " ".join(PAGE.split())
    percent = float(100 * MAIN.fault * detection(MAIN, 1) * terms.collateral / (MILLION * MAIN.price))
    assert f"{percent:.2f} percent of the main net's price" in text
    assert terms.verifier_collateral / terms.fee == pytest.approx(2.4 * MAIN.verifiers / 0.05, rel=0.05)
    assert "about 2.4·V/φ fees" in text
    assert "one solver and one verifier" in text
    assert POPULATIONS["first"].setting.verifiers == 1
