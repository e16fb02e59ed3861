"""A whistleblower alone finds what solver and verifiers agreed upon, and no crash costs it anything."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from alley import Alley, an_alley, opened

from assay.chain import statement
from assay.roles.patrol import Patrol
from assay.roles.whistleblower import WhistleblowerRole
from assay.settle import earnings
from assay.words import TaskState

FINAL = TaskState.SETTLED, TaskState.REFUNDED


@pytest.fixture
def alley(tmp_path):
    with an_alley(tmp_path, cheat="weights") as made:
        made.all_collude()
        yield made


def check_won(alley: Alley, task: str, role) -> None:
    """Solver and the verifier who had sworn to the interval have lost; the whistleblower has a quarter of that, once."""
    alley.submitter.collect()
    receipt = alley.submitter.receipt(task)
    session, grant = alley.solver.session, alley.solver.session.token.grant()
    assert (receipt.outcome, receipt.reason) == ("refunded", "ruled wrong")
    assert receipt.ruling == "proven to the contract: the state differs from the replay in interval 2"
    assert [caught.by for caught in receipt.caught if caught.role == "solver"] == [role.session.address]
    collateral = receipt.slashed[session.address]
    (guilty,) = [v.session for v in alley.verifiers if v.session.address in receipt.slashed]
    lock = receipt.slashed[guilty.address]
    assert lock == session.market.verifier_lock()
    (position,) = [j for j in range(2) if receipt.verifiers[j] == guilty.address]
    assert 2 in session.market.record(task).drawn_intervals(position)
    assert alley.wealth(role.session) - grant == collateral // 4 + lock // 4
    assert alley.wealth(session) - grant == -collateral
    assert alley.wealth(guilty) - grant == -lock
    assert alley.locked(role.session) == 0
    check_books(alley, task, role)


def check_books(alley: Alley, task: str, role) -> None:
    """What `assay earnings` says of everybody is what they have."""
    made = {}
    for one in (alley.solver, *alley.verifiers, role, alley.submitter):
        session = one.session
        made[session.address] = earnings(statement(session.client, session.network.contracts, session.address))
        assert made[session.address].worth == alley.wealth(session)
    own = [(line.task, line.what) for line in made[role.session.address].lines]
    assert own == [("", "grant"), (task, "bond returned"), (task, "reward"), (task, "reward"), (task, "lock")]
    assert made[role.session.address].earned == made[role.session.address].net > 0


def test_it_finds_what_a_colluding_verifier_attested(alley):
    role = alley.whistleblower()
    assert not role._member, "there is nothing to find where there are no tasks"
    task = alley.submit()
    alley.to_the_end(task, role)
    check_won(alley, task, role)


class Killed(BaseException):
    """SIGKILL, as far as a role in this process can tell."""


def dies(role: WhistleblowerRole, draw: random.Random) -> None:
    """Sooner or later this process ends: before or after something is sent to the chain or written to the disk."""
    client, send = role.session.client, role.session.client.send

    def sending(call):
        if draw.random() < 0.15:
            raise Killed
        receipt = send(call)
        if draw.random() < 0.25:
            raise Killed
        return receipt

    client.send = sending
    write = Patrol.write

    def writing(plan, path):
        if role.session.settings.folder in path.parents and draw.random() < 0.1:
            raise Killed
        return write(plan, path)

    Patrol.write = writing


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_is_killed_at_random_moments_and_nothing_is_lost_or_paid_twice(alley, seed, monkeypatch):
    monkeypatch.setattr(Patrol, "write", Patrol.write)  # put back in the end
    draw, kills = random.Random(seed), 0
    task = alley.submit()
    role = alley.whistleblower()
    folder, write = role.session.settings.folder, Patrol.write
    dies(role, draw)
    skipped = False
    for _ in range(120):
        try:
            alley.turn(role)
        except Killed:
            kills += 1
            Patrol.write = write
            role = alley.add(opened(WhistleblowerRole, folder, share=100))
            role._url, role._member = "http://127.0.0.1:1", role.membership.review("http://127.0.0.1:1")
            dies(role, draw)
        alley.turn(alley.solver, *alley.verifiers)
        if not skipped and role.session.market.accusing(task, role.session.address):
            skipped = True
            alley.skip(601)
        if alley.state(task) in FINAL and not role.watchlist.tasks:
            break
    assert alley.state(task) in FINAL
    assert kills >= 2
    check_won(alley, task, role)
