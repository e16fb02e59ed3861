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
    VERIFIER_MINIMUM,
    Terms,
    World,
    deploy,
    event,
    events,
)
from eth.exceptions import Revert
from eth_abi.abi import encode
from eth_utils.crypto import keccak

NOBODY = "0x" + "0" * 40


def test_the_market_knows_its_currency_and_registry(world: World) -> None:
    assert world.market.token() == world.token.address
    assert world.market.stakes() == world.stakes.address
    for token, stakes, reason in [
        (world.stranger, world.stakes.address, "market: token"),
        (world.token.address, world.stranger, "market: stakes"),
    ]:
        with pytest.raises(Revert, match=reason):
            deploy("market", ("address", token), ("address", stakes))


def test_task_id(world: World) -> None:
    wanted = keccak(encode(["address", "bytes32"], [world.stranger, b"\x07" * 32]))
    assert world.market.task_id(world.stranger, b"\x07" * 32) == wanted


def test_post_pulls_the_escrow(world: World) -> None:
    task = world.task()
    money = world.token.balanceOf(world.submitter)
    assert task.state == NONE
    assert world.market.escrow_of(task.terms) == task.terms.escrow == 1_140_000
    assert world.market.post(task.salt, task.terms, sender=world.submitter) == task.id
    assert event(world.market, "Posted") == {
        "id": task.id,
        "submitter": world.submitter,
        "spec": task.terms.spec,
        "program_root": task.terms.program_root,
        "price": 1_000_000,
        "fee": 70_000,
        "verifiers": 2,
        "escrow": 1_140_000,
        "deadline": world.now + 100,
    }
    info = task.info
    assert (info.state, info.deadline, info.submitter, info.solver) == (OPEN, world.now + 100, world.submitter, NOBODY)
    assert tuple(info.terms) == tuple(task.terms)
    assert world.token.balanceOf(world.submitter) == money - 1_140_000
    assert world.token.balanceOf(world.market.address) == 1_140_000


def test_tasks_are_listed_in_order(world: World) -> None:
    ids = [world.task(salt).posted().id for salt in (5, 3, 9)]
    assert world.market.task_count() == 3
    assert [world.market.task_at(i) for i in range(3)] == ids


def test_a_post_that_is_sent_twice_is_paid_once(world: World) -> None:
    task = world.task().posted()
    money = world.token.balanceOf(world.submitter)
    with boa.reverts("market: already posted"):
        task.posted()
    world.market.cancel(task.id, sender=world.submitter)
    with boa.reverts("market: already posted"):
        task.posted()
    assert world.token.balanceOf(world.submitter) == money


def test_another_submitter_may_use_the_same_salt(world: World) -> None:
    task = world.task().posted()
    other = world.market.post(task.salt, task.terms, sender=world.stranger)
    assert other != task.id
    assert world.market.tasks(other).submitter == world.stranger


def test_post_needs_the_money(world: World) -> None:
    with boa.reverts("token: balance"):
        world.task(price=10**12).posted()
    world.token.approve(world.market.address, 1_139_999, sender=world.submitter)
    with boa.reverts("token: allowance"):
        world.task().posted()
    assert world.market.task_count() == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": 2**128}, "market: amount"),
        ({"fee": 2**128}, "market: amount"),
        ({"steps": 0}, "market: steps"),
        ({"steps": 2**53 + 1}, "market: steps"),
        ({"interval": 0}, "market: interval"),
        ({"interval": 2**53 + 1}, "market: interval"),
        ({"steps": 2**20, "interval": 1}, "market: too many intervals"),
        ({"verifiers": 0}, "market: verifiers"),
        ({"verifiers": 17}, "market: verifiers"),
        ({"audit_intervals": 0}, "market: audit intervals"),
        ({"audit_intervals": 10}, "market: audit intervals"),
        ({"audit_intervals": 65, "interval": 1, "steps": 100}, "market: audit intervals"),
        *(({window: 0}, "market: window") for window in ("open_for", "work_for", "attest_for", "reveal_for")),
        ({"open_for": 30 * 86400 + 1}, "market: window"),
        ({"reveal_for": 2**256 - 1}, "market: window"),
    ],
)
def test_terms_that_cannot_be_carried_out(world: World, changes: dict[str, int], reason: str) -> None:
    terms = Terms(**changes)
    with boa.reverts(reason):
        world.market.post(b"\x01" * 32, terms, sender=world.submitter)


@pytest.mark.parametrize(
    "changes",
    [
        {"price": 0, "fee": 0},
        {"steps": 1, "interval": 1, "audit_intervals": 1},
        {"steps": 1, "interval": 2**53, "audit_intervals": 1},
        {"steps": 2**20 - 1, "interval": 1, "verifiers": 16, "audit_intervals": 64},
        {"steps": 2**53, "interval": 2**40},
        {"open_for": 30 * 86400, "work_for": 1},
    ],
)
def test_terms_at_their_limits(world: World, changes: dict[str, int]) -> None:
    assert world.task(**changes).posted().state == OPEN


@pytest.mark.parametrize(("intervals", "depth"), [(1, 1), (2, 2), (3, 2), (4, 3), (7, 3), (8, 4), (2**20 - 1, 20)])
def test_proof_depth_is_that_of_the_padded_tree(world: World, intervals: int, depth: int) -> None:
    task = world.task(steps=3 * intervals - 1, interval=3, audit_intervals=1).posted()
    assert world.market.proof_depth(task.id) == depth
    if intervals < 10:
        assert len(Result.random(3 * intervals - 1, 3, b"").levels) == depth + 1


def test_proof_depth_of_nothing(world: World) -> None:
    with boa.reverts("market: state"):
        world.market.proof_depth(b"\x01" * 32)


def test_cancel_gives_everything_back(world: World) -> None:
    task = world.task().posted()
    world.market.cancel(task.id, sender=world.submitter)
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
        world.market.cancel(task.id, sender=world.stranger)
    task.accepted()
    with boa.reverts("market: state"):
        world.market.cancel(task.id, sender=world.submitter)


def test_accept_assigns(world: World) -> None:
    task = world.task().posted()
    world.mine(seconds=50)
    task.accepted()
    assert event(world.market, "Accepted") == {"id": task.id, "solver": world.solver, "deadline": world.now + 200}
    assert (task.info.state, task.info.solver, task.info.deadline) == (ASSIGNED, world.solver, world.now + 200)
    with boa.reverts("market: state"):
        task.accepted()


def test_accept_needs_a_staked_solver(world: World) -> None:
    task = world.task().posted()
    for who in (world.stranger, world.verifiers[0]):
        with boa.reverts("market: not a solver"):
            world.market.accept(task.id, sender=who)
    world.stakes.leave(SOLVER, sender=world.solver)
    with boa.reverts("market: not a solver"):
        task.accepted()


def test_nobody_solves_its_own_task(world: World) -> None:
    world.stakes.register(SOLVER, SOLVER_MINIMUM, "", sender=world.submitter)
    task = world.task().posted()
    with boa.reverts("market: own task"):
        world.market.accept(task.id, sender=world.submitter)


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
        "deadline": world.now + 300,
    }
    info = task.info
    assert (info.state, info.deadline, info.anchor, info.seats) == (COMMITTED, world.now + 300, world.height, 4)
    assert (info.root, info.final_root) == (task.result.root, task.result.final_root)
    assert (info.trajectory, info.trajectory_size) == (b"\x33" * 32, 4711)
    with boa.reverts("market: state"):
        task.committed()


def test_only_the_solver_commits_and_only_to_something(world: World) -> None:
    task = world.task().posted()
    with boa.reverts("market: state"):
        task.committed()
    task.accepted()
    with boa.reverts("market: not the solver"):
        world.market.commit(task.id, b"\x01" * 32, b"\x01" * 32, b"\x01" * 32, 1, sender=world.stranger)
    with boa.reverts("market: root"):
        task.committed(root=bytes(32))


def test_commit_in_the_last_second_but_not_later(world: World) -> None:
    first, second = world.task(1).posted().accepted(), world.task(2).posted().accepted()
    first.last_moment().committed()
    second.late()
    with boa.reverts("market: expired"):
        second.committed()


def test_an_unknown_task_can_do_nothing(world: World) -> None:
    task, market, who = world.task(), world.market, world.stranger
    lists = [[], [], [], [], []]
    for call in (
        lambda: market.cancel(task.id, sender=who),
        lambda: market.accept(task.id, sender=who),
        lambda: market.commit(task.id, task.id, task.id, task.id, 1, sender=who),
        lambda: market.draw(task.id, sender=who),
        lambda: market.attest(task.id, task.id, sender=who),
        lambda: market.close(task.id, sender=who),
        lambda: market.reveal(task.id, 0, *lists, sender=who),
        lambda: market.claim_mismatch(task.id, 0, 0, task.id, 1, task.id, sender=who),
        lambda: market.settle(task.id, sender=who),
        lambda: market.expire(task.id, sender=who),
    ):
        with boa.reverts("market: state"):
            call()
    assert events(market) == []
