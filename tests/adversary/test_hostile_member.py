"""Somebody who takes a role only to write what others read: no contract checks what a string holds."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from roles_in_process import QUICK, Quarter, a_quarter
from small import small

from assay.chain import Role
from assay.chain.abi import revert_reason
from assay.chain.client import Call
from assay.market import quote
from assay.words import TaskState

MARK = b"http://ENDPOINT"


@pytest.fixture
def quarter(tmp_path: Path) -> Iterator[Quarter]:
    with a_quarter(tmp_path) as found:
        yield found


def test_an_endpoint_of_wild_bytes_stops_nobody(quarter: Quarter):
    """Every role reads every registration: one that can't be decoded would end them all, again at each start."""
    session = quarter.submitter.session
    stakes = session.stakes
    needed = stakes.minimum(Role.SOLVER)
    session.token.approve(stakes.address, needed)
    data = stakes.abi.encode("register", Role.SOLVER, needed, MARK.decode())
    wild = b"\xff\xfe\x00\x1b[2J\x80\xc0/."[: len(MARK)].ljust(len(MARK), b"\xff")
    # What follows a string's last byte should be zero, and nobody checks that either.
    session.client.send(Call(stakes.address, data.replace(MARK, wild)[:-1] + b"\x01"))
    assert stakes.endpoint_of(session.address, Role.SOLVER) == wild.decode(errors="replace")

    task = small(session.store)
    posted = quarter.submitter.submit(task, quote(task.program, task.spec), QUICK, secrets.token_hex(8))
    assert quarter.until(posted, TaskState.SETTLED, TaskState.REFUNDED) is TaskState.SETTLED


def test_a_reason_of_wild_bytes_is_shown_as_it_is():
    word = (32).to_bytes(32, "big") + (4).to_bytes(32, "big") + b"\xff\xfe\xfd\xfc".ljust(32, b"\0")
    assert revert_reason(bytes.fromhex("08c379a0") + word) == "\ufffd" * 4
