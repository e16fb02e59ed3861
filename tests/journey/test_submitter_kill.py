"""A submitter dies right after it has posted: the task goes on without it, and its escrow is paid exactly once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from small import write_task

from assay.chain import Client
from assay.market import Windows, quote, read_task
from assay.roles.network import Network
from assay.roles.session import Session
from assay.roles.settings import read_settings
from assay.roles.submitter import Submitter
from assay.words import TaskState

PATIENCE = 240


class Books:
    """What the chain says, read by somebody without a key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        network = Network.load(folder / "network.json")
        self.client = Client(network.rpc)
        self.token, _, self.market = network.contracts.connect(self.client)

    def tasks(self) -> list[str]:
        return self.market.posted()

    @property
    def submitter(self) -> str:
        return "0x" + json.loads((self.folder / "submitter" / "key.json").read_text())["address"]

    def spent(self) -> int:
        return self.token.grant() - self.token.balance_of(self.submitter)

    def in_escrow(self) -> int:
        return self.token.balance_of(self.market.address)

    def until(self, reached, what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not reached():
            assert time.monotonic() < end, what
            time.sleep(0.02)


@pytest.fixture
def books(network):
    found = Books(network)
    yield found
    found.client.close()


def assay(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "assay", *map(str, arguments), "--json"]


def run(*arguments: object) -> dict:
    done = subprocess.run(assay(*arguments), capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_killed_right_after_posting(network, books, tmp_path):
    task = write_task(tmp_path / "small")
    described = ("--network", network / "network.json")
    submit = ("submit", task, "--yes", *described)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
    submitter = subprocess.Popen(assay(*submit), **quiet)
    books.until(lambda: len(books.tasks()) == 1, "nothing was posted")
    submitter.kill()
    submitter.wait()
    (first,) = books.tasks()
    escrow = books.spent()
    assert escrow > 0

    # Nobody watches; solver and verifiers bring it to its end and take what they are owed.
    books.until(lambda: books.market.task(first).state is TaskState.SETTLED, "the task did not settle")
    seen = run("watch", first, *described)
    assert (seen["outcome"], seen["escrow"], seen["paid"]) == ("settled", escrow, escrow)
    assert run("watch", first, *described) == seen
    books.until(lambda: books.in_escrow() == 0, "the roles did not withdraw")
    assert books.spent() == escrow, "paid once, whoever watches and however often"

    # A second submission is a second task by design, from the same account, with the same result.
    again = run(*submit, "-o", tmp_path / "result")
    assert books.tasks() == [first, again["task"]]
    assert (again["submitter"], again["state_root"]) == (seen["submitter"], seen["state_root"])
    books.until(lambda: books.in_escrow() == 0, "the roles did not withdraw")
    assert books.spent() == 2 * escrow
    assert os.path.exists(again["model"])


SUBMIT = """
import sys
from pathlib import Path
from assay.market import Windows, quote, read_task
from assay.roles.session import Session
from assay.roles.settings import read_settings
from assay.roles.submitter import Submitter
folder, task = map(Path, sys.argv[1:3])
hands = Submitter(Session.open("submitter", read_settings(folder=folder / "submitter")))
package = read_task(task, hands.session.store)
print("ready", flush=True)
print(hands.submit(package, quote(package.program, package.spec), Windows(patrol_for=0), "mine"), flush=True)
"""


def test_one_label_is_one_task_wherever_the_submitter_dies(network, books, tmp_path):
    """`assay demo` submits like this: with a name for its submission, so that it can be begun again."""
    task = write_task(tmp_path / "small")
    command = [sys.executable, "-c", SUBMIT, str(network), str(task)]
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    for wait in (0.0, 0.03, 0.06, 0.1):
        with subprocess.Popen(command, **quiet) as dying:
            assert dying.stdout.readline() == "ready\n"
            time.sleep(wait)
            dying.kill()
        assert len(books.tasks()) <= 1

    hands = Submitter(Session.open("submitter", read_settings(folder=network / "submitter")))
    package = read_task(task, hands.session.store)
    price = quote(package.program, package.spec)
    found = {hands.submit(package, price, Windows(patrol_for=0), "mine") for _ in range(2)}
    assert found == set(books.tasks())
    assert len(found) == 1
    assert books.spent() == price.escrow
    for snapshot in hands.follow(found.pop()):
        last = snapshot.task
    assert last.state is TaskState.SETTLED
    books.until(lambda: books.in_escrow() == 0, "the roles did not withdraw")
    assert books.spent() == price.escrow
    hands.session.client.close()
    hands.session.fetcher.close()
