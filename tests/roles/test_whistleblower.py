"""When a whistleblower joins and leaves, what it looks at, and what it does not accuse."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from alley import an_alley

from assay.chain import Role
from assay.roles.membership import RECENT, seen_of
from assay.roles.patrol import Budget, Patrol, draw_lot
from assay.words import TaskState

DEAD = ("http://127.0.0.1:9",)


@pytest.fixture
def alley(tmp_path):
    with an_alley(tmp_path) as made:
        yield made


def test_it_joins_where_few_patrol_and_leaves_where_many_do(alley):
    alley.submit()
    one = alley.whistleblower("one", others=0)
    assert one._member
    two = alley.whistleblower("two", others=0)
    assert not two._member, "one is enough for it"
    assert alley.whistleblower("three", others=16, doubt=0)._member is False, "it believes everybody"
    four = alley.whistleblower("four", others=16, doubt=100)
    assert four._member
    # Now they are two, and `four`, which stands behind, would only bear to be alone.
    four.session.settings.others = 0
    one._review()
    four._review()
    assert (one._member, four._member) == (True, False)
    stakes, me = four.session.stakes, four.session.address
    assert stakes.member(me, Role.WHISTLEBLOWER).unlocks > 0
    four.session.settings.others = 16
    four._review()
    assert not four._member, "it can't come back before its stake is unlocked"
    alley.skip(stakes.unbonding() + 1)
    four._review()
    assert alley.wealth(four.session) == four.session.token.balance_of(me), "its stake is back"
    four._review()
    assert four._member


def test_it_leaves_when_honest_tasks_have_shown_that_there_is_nothing_to_find(alley):
    role = alley.whistleblower(doubt=30)
    task = alley.submit()
    role._review()
    assert role._member
    found = role.membership.seen()
    assert (found.committed, found.wrong, found.intervals, found.verifiers) == (0, 0, 4, 2)
    alley.to_the_end(task, role)
    assert role.membership.seen().committed == 1
    # Many more like it, of a price at which replays cost something.
    many = msgspec.structs.replace(found, committed=RECENT, price=100_000)
    role.membership.seen = lambda: many
    role._review()
    assert not role._member
    assert alley.locked(role.session) == 0


def test_a_task_without_data_stops_nobody_and_is_withheld_after_half_of_the_patrol(alley):
    role = alley.whistleblower(doubt=100)
    lost, good = alley.submit("lost"), None
    role._review()
    alley.until(lost, TaskState.COMMITTED, TaskState.AUDITED, roles=[alley.solver])
    trajectory = alley.solver.session.market.record(lost).result.commitment.trajectory
    alley.lose(trajectory)
    alley.turn(role, times=3)
    assert role.sealed(role.session.market.task(lost)) is None, "it may still come"
    good = alley.submit("good", seed=2)
    alley.solver._own = []
    alley.solver._engaged = lambda: False
    alley.until(good, TaskState.COMMITTED, TaskState.AUDITED, roles=[alley.solver])
    alley.turn(role, times=8)
    assert Patrol.read(role._plan(role.session.market.task(good))).done >= 1, "the other task had its turn"
    alley.skip(301)
    alley.turn(role, times=4)
    assert role.sealed(role.session.market.task(lost)).withheld
    assert role.session.market.accusing(lost, role.session.address)


def test_nobody_is_accused_because_the_depots_are_silent(alley):
    role = alley.whistleblower(doubt=100)
    task = alley.submit()
    role._review()
    alley.until(task, TaskState.AUDITED)
    role.session.fetcher._sources = DEAD
    alley.turn(role, times=2)
    alley.skip(400)
    alley.turn(role, times=2)
    assert role.sealed(role.session.market.task(task)) is None
    alley.skip(400)
    with capture_logs() as lines:
        alley.turn(role, times=2)
    (late,) = [line for line in lines if line["event"] == "too late"]
    assert late["reason"].startswith("0 of 4 intervals were replayed in time: ")
    assert alley.locked(role.session) == 0


def test_who_comes_too_late_says_why(alley):
    task = alley.submit()
    alley.until(task, TaskState.AUDITED)
    alley.skip(700)
    role = alley.whistleblower(doubt=100)
    with capture_logs() as lines:
        alley.turn(role, times=2)
    assert ["first seen" in line["reason"] for line in lines if line["event"] == "too late"] == [True]


def test_nobody_replays_more_than_the_budget(alley):
    role = alley.whistleblower(doubt=100, replays=2)
    task = alley.submit()
    role._review()
    alley.until(task, TaskState.AUDITED)
    alley.turn(role, times=6)
    plan = Patrol.read(role._plan(role.session.market.task(task)))
    assert (plan.done, len(plan.drawn), plan.hurdle) == (2, 2, "all 2 replays of this hour were used")


def test_the_lot_is_secret_and_fair():
    plans = [draw_lot(25, range(4), 10) for _ in range(2000)]
    picked = [plan for plan in plans if plan.picked]
    assert 400 < len(picked) < 600
    assert {k for plan in picked for k in plan.drawn} == set(range(4))
    assert {k for plan in picked for k in plan.others} == set(range(4, 10))
    assert len({plan.drawn for plan in picked}) == 24
    assert picked[0].after(picked[0].drawn[0]).done == 1


def test_an_hour_s_budget_outlives_a_restart(tmp_path):
    now = [7200.0]
    for used in range(3):
        budget = Budget(tmp_path / "budget.json", 3, lambda: now[0])
        assert budget.left == 3 - used
        budget.spend()
    assert Budget(tmp_path / "budget.json", 3, lambda: now[0]).left == 0
    now[0] += 3600
    assert Budget(tmp_path / "budget.json", 3, lambda: now[0]).left == 3
    assert not budget.spare, "nothing is due at the beginning of an hour"
    now[0] += 1
    assert budget.spare


def test_without_tasks_there_is_nothing_to_see():
    assert seen_of([]) is None
