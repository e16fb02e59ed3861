"""From nothing to a commitment: post, cancel, accept, commit."""

from __future__ import annotations

import boa
import pytest
from contract_reference import Result
from contract_world import (
    ASSIGNED,
    COMMITTED,
    NONE,
    OPEN,
    REFUNDED,
    SOLVER,
    SOLVER_MINIMUM,
    VERIFIER,
    VERIFIER_LOCK,
    VERIFIER_MINIMUM,
    WHISTLEBLOWER_LOCK,
    Key,
    Sworn,
    Terms,
    Work,
    World,
    deploy,
    event,
    events,
)
from eth.exceptions import Revert

NOBODY = "0x" + "0" * 40


def test_the_market_knows_its_currency_and_registry(world: World) -> None:
    assert world.market.token() == world.token.address
    assert world.market.stakes() == world.stakes.address
    assert world.market.game() == world.game.address
    assert (world.market.verifier_lock(), world.market.whistleblower_lock()) == (VERIFIER_LOCK, WHISTLEBLOWER_LOCK)
    for token, stakes, game, reason in [
        (world.stranger, world.stakes.address, world.stranger, "market: token"),
        (world.token.address, world.stranger, world.stranger, "market: stakes"),
        (world.token.address, world.stakes.address, NOBODY, "market: game"),
    ]:
        with pytest.raises(Revert, match=reason):
            deploy("market", ("address", token), ("address", stakes), ("address", game))


def test_task_id_binds_submitter_salt_and_terms(world: World) -> None:
    key = world.task(7).key
    ids = {
        world.market.task_id(one)
        for one in (
            key,
            Key(world.stranger, key.salt, key.terms),
            Key(key.submitter, b"\x08" * 32, key.terms),
            Key(key.submitter, key.salt, key.terms._replace(price=1)),
        )
    }
    assert len(ids) == 4
    assert key.id in ids


def test_post_pulls_the_escrow(world: World) -> None:
    task = world.task()
    money = world.token.balanceOf(world.submitter)
    assert task.state == NONE
    assert world.market.escrow_of(task.terms) == task.terms.escrow == 1_140_000
    assert world.market.post(task.salt, task.terms, task.work, sender=world.submitter) == task.id
    assert event(world.market, "Posted") == {
        "id": task.id,
        "submitter": world.submitter,
        "salt": task.salt,
        "terms": tuple(task.terms),
        "work": tuple(task.work),
        "escrow": 1_140_000,
        "deadline": world.now + 100,
    }
    info = task.info
    assert (info.id, info.state, info.deadline, info.solver) == (task.id, OPEN, world.now + 100, NOBODY)
    assert world.token.balanceOf(world.submitter) == money - 1_140_000
    assert world.token.balanceOf(world.market.address) == 1_140_000


def test_post_spends_what_is_owed_first(world: World) -> None:
    world.market.deposit(1_140_005, sender=world.submitter)
    assert event(world.market, "Deposited") == {"account": world.submitter, "amount": 1_140_005}
    money = world.token.balanceOf(world.submitter)
    world.task(1).posted()
    assert (world.market.owed(world.submitter), world.token.balanceOf(world.submitter)) == (5, money)
    world.task(2).posted()
    assert (world.market.owed(world.submitter), world.token.balanceOf(world.submitter)) == (0, money - 1_140_000 + 5)
    assert world.token.balanceOf(world.market.address) == 2 * 1_140_000


def test_a_deposit_comes_back(world: World) -> None:
    world.market.deposit(7, sender=world.stranger)
    assert world.market.withdraw(sender=world.stranger) == 7
    with boa.reverts("token: balance"):
        world.market.deposit(10**12, sender=world.stranger)


def test_terms_must_be_those_of_the_work(world: World) -> None:
    task = world.task()
    task.work = Work(seed=8)
    with boa.reverts("market: work"):
        task.posted()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rows": 0}, "market: rows"),
        ({"batch_size": 0}, "market: rows"),
        *(({"ways": ways}, "market: ways") for ways in (0, 1, 3, 128)),
        ({"clock": 0}, "market: clock"),
        ({"clock": 30 * 86400 + 1}, "market: clock"),
        ({"extension": 0}, "market: clock"),
        ({"extension": 2**256 - 1}, "market: clock"),
        ({"bond": 2**88}, "market: amount"),
    ],
)
def test_work_that_cannot_be_disputed(world: World, changes: dict[str, int], reason: str) -> None:
    work = Work(**changes)
    task = world.task(work=work.hash)
    task.work = work
    with boa.reverts(reason):
        task.posted()


def test_a_post_that_is_sent_twice_is_paid_once(world: World) -> None:
    task = world.task().posted()
    money = world.token.balanceOf(world.submitter)
    with boa.reverts("market: already posted"):
        task.posted()
    world.market.cancel(task.key, sender=world.submitter)
    with boa.reverts("market: already posted"):
        task.posted()
    assert world.token.balanceOf(world.submitter) == money


def test_another_submitter_may_use_the_same_salt(world: World) -> None:
    task = world.task().posted()
    other = world.market.post(task.salt, task.terms, task.work, sender=world.stranger)
    assert other != task.id
    assert world.market.state(other) == OPEN


def test_post_needs_the_money(world: World) -> None:
    with boa.reverts("token: balance"):
        world.task(price=10**12).posted()
    world.token.approve(world.market.address, 1_139_999, sender=world.submitter)
    with boa.reverts("token: allowance"):
        world.task().posted()
    assert world.task().state == NONE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": 2**128}, "market: amount"),
        ({"fee": 2**128}, "market: amount"),
        ({"collateral": 2**88}, "market: amount"),
        ({"patrol_for": 301}, "market: patrol"),
        ({"steps": 0}, "market: steps"),
        ({"steps": 2**53 + 1}, "market: steps"),
        ({"interval": 0}, "market: interval"),
        ({"interval": 2**53 + 1}, "market: interval"),
        ({"steps": 2**20, "interval": 1}, "market: too many intervals"),
        ({"verifiers": 0}, "market: verifiers"),
        ({"verifiers": 17}, "market: verifiers"),
        ({"audit_intervals": 0}, "market: audit intervals"),
        ({"audit_intervals": 10}, "market: audit intervals"),
        ({"audit_intervals": 33, "interval": 1, "steps": 100}, "market: audit intervals"),
        *(({window: 0}, "market: window") for window in ("open_for", "work_for", "attest_for", "reveal_for")),
        ({"open_for": 30 * 86400 + 1}, "market: window"),
        ({"reveal_for": 2**256 - 1}, "market: window"),
    ],
)
def test_terms_that_cannot_be_carried_out(world: World, changes: dict[str, int], reason: str) -> None:
    terms = Terms(**changes)
    with boa.reverts(reason):
        world.market.post(b"\x01" * 32, terms, Work(), sender=world.submitter)


@pytest.mark.parametrize(
    "changes",
    [
        {"price": 0, "fee": 0},
        {"steps": 1, "interval": 1, "audit_intervals": 1},
        {"steps": 1, "interval": 2**53, "audit_intervals": 1},
        {"steps": 2**20 - 1, "interval": 1, "verifiers": 16, "audit_intervals": 32},
        {"steps": 2**53, "interval": 2**40},
        {"open_for": 30 * 86400, "work_for": 1},
    ],
)
def test_terms_at_their_limits(world: World, changes: dict[str, int]) -> None:
    assert world.task(**changes).posted().state == OPEN


@pytest.mark.parametrize(("intervals", "depth"), [(1, 1), (2, 2), (3, 2), (4, 3), (7, 3), (8, 4), (2**20 - 1, 20)])
def test_proof_depth_is_that_of_the_padded_tree(world: World, intervals: int, depth: int) -> None:
    assert world.market.proof_depth(Terms(steps=3 * intervals - 1, interval=3, audit_intervals=1)) == depth
    if intervals < 10:
        assert len(Result.random(3 * intervals - 1, 3, b"").levels) == depth + 1


def test_cancel_gives_everything_back(world: World) -> None:
    task = world.task().posted()
    world.market.cancel(task.key, sender=world.submitter)
    assert event(world.market, "Refunded") == {
        "id": task.id,
        "submitter": world.submitter,
        "amount": 1_140_000,
        "reason": "cancelled",
    }
    assert task.state == REFUNDED
    assert world.market.owed(world.submitter) == 1_140_000


def test_only_the_submitter_cancels_and_only_an_open_task(world: World) -> None:
    task = world.task().posted()
    with boa.reverts("market: not the submitter"):
        world.market.cancel(task.key, sender=world.stranger)
    task.accepted()
    with boa.reverts("market: state"):
        world.market.cancel(task.key, sender=world.submitter)


def test_accept_assigns(world: World) -> None:
    task = world.task().posted()
    world.mine(seconds=50)
    task.accepted()
    assert event(world.market, "Accepted") == {"id": task.id, "solver": world.solver, "deadline": world.now + 200}
    assert world.locked(world.solver, SOLVER) == 400
    assert (task.info.state, task.info.solver, task.info.deadline) == (ASSIGNED, world.solver, world.now + 200)
    with boa.reverts("market: state"):
        task.accepted()


def test_accept_needs_a_staked_solver(world: World) -> None:
    task = world.task().posted()
    for who in (world.stranger, world.verifiers[0]):
        with boa.reverts("stakes: not active"):
            world.market.accept(task.key, sender=who)
    world.stakes.leave(SOLVER, sender=world.solver)
    with boa.reverts("stakes: not active"):
        task.accepted()


def test_accept_needs_the_collateral_to_be_free(world: World) -> None:
    small = world.member(SOLVER, SOLVER_MINIMUM)
    world.task(1).posted().accepted(small)
    second = world.task(2).posted()
    with boa.reverts("stakes: free stake"):
        second.accepted(small)
    world.stakes.register(SOLVER, 300, "", sender=small)
    second.accepted(small)
    assert world.locked(small, SOLVER) == 800
    with boa.reverts("stakes: free stake"):
        world.task(3, collateral=1).posted().accepted(small)
    world.task(4, collateral=0).posted().accepted(small)


def test_nobody_solves_its_own_task(world: World) -> None:
    world.stakes.register(SOLVER, SOLVER_MINIMUM, "", sender=world.submitter)
    task = world.task().posted()
    with boa.reverts("market: own task"):
        world.market.accept(task.key, sender=world.submitter)


def test_accept_in_the_last_second_but_not_later(world: World) -> None:
    first, second = world.task(1).posted(), world.task(2).posted()
    first.last_moment().accepted()
    second.late()
    with boa.reverts("market: expired"):
        second.accepted()


def test_nobody_works_while_there_are_too_few_verifiers(world: World) -> None:
    task = world.task(verifiers=4).posted()
    world.stakes.register(VERIFIER, VERIFIER_MINIMUM, "", sender=world.submitter)
    task.accepted()
    world.stakes.register(VERIFIER, VERIFIER_MINIMUM, "", sender=world.solver)
    world.stakes.leave(VERIFIER, sender=world.verifiers[0])
    with boa.reverts("market: too few verifiers"):
        task.committed()
    other = world.task(2, verifiers=4).posted()
    with boa.reverts("market: too few verifiers"):
        other.accepted()
    world.verifier()
    other.accepted()
    assert task.committed().state == COMMITTED


def test_commit_swears(world: World) -> None:
    task = world.task().posted().accepted()
    world.mine(7, seconds=60)
    task.committed()
    assert event(world.market, "Committed") == {
        "id": task.id,
        "solver": world.solver,
        "root": task.result.root,
        "final_root": task.result.final_root,
        "trajectory": b"\x33" * 32,
        "trajectory_size": 4711,
        "committed_at": world.now,
        "anchor": world.height,
        "seats": 4,
        "deadline": world.now + 300,
    }
    assert (task.state, task.info.deadline) == (COMMITTED, world.now + 300)
    assert world.market.results(task.id) == task.sworn.hash
    with boa.reverts("market: state"):
        task.committed()


def test_only_the_solver_commits_and_only_to_something(world: World) -> None:
    task = world.task().posted()
    with boa.reverts("market: state"):
        task.committed()
    task.accepted()
    with boa.reverts("market: not the solver"):
        world.market.commit(task.key, b"\x01" * 32, b"\x01" * 32, b"\x01" * 32, 1, sender=world.stranger)
    with boa.reverts("market: root"):
        task.committed(root=bytes(32))


def test_commit_in_the_last_second_but_not_later(world: World) -> None:
    first, second = (world.task(n).posted().accepted() for n in (1, 2))
    first.last_moment().committed()
    second.late()
    with boa.reverts("market: expired"):
        second.committed()


def test_an_unknown_task_can_do_nothing(world: World) -> None:
    task, market, who = world.task(), world.market, world.stranger
    lists = [[], [], [], [], []]
    key, sworn, game = task.key, Sworn(), world.game
    for call in (
        lambda: market.cancel(key, sender=who),
        lambda: market.accept(key, sender=who),
        lambda: market.commit(key, task.id, task.id, task.id, 1, sender=who),
        lambda: market.draw(key, sworn, sender=who),
        lambda: market.attest(key, sworn, task.id, sender=who),
        lambda: market.accuse(key, sworn, task.id, sender=who),
        lambda: market.reveal(key, sworn, 0, *lists, sender=who),
        lambda: market.concede(key, sworn, 0, sender=who),
        lambda: game.dispute(key, sworn, who, 1, 0, task.id, sender=who),
        lambda: game.rule(key, sworn, who, True, sender=who),
        lambda: market.settle(key, sworn, sender=who),
        lambda: market.expire(key, sworn, sender=who),
        lambda: market.release(task.id, who, 0, 0, task.id, sender=who),
    ):
        with boa.reverts("market: state"):
            call()
    assert events(market) == []
