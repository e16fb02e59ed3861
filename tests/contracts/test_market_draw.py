"""The lot: who is drawn, which intervals, and that nobody can steer it."""

from __future__ import annotations

import random
from typing import Any

import boa
import pytest
from contract_reference import audit_seed_of, drawn_intervals, permute, seed_of, walk
from contract_world import (
    COMMITTED,
    SOLVER,
    SOLVER_MINIMUM,
    VERIFIER,
    VERIFIER_MINIMUM,
    Life,
    Sworn,
    World,
    event,
    events,
    load,
)


@pytest.fixture(scope="module")
def lottery() -> Any:
    return load("lottery")


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 16, 17, 60])
def test_permute_is_the_specified_permutation(lottery: Any, n: int) -> None:
    key = random.Random(n).randbytes(32)
    image = [lottery.permute(x, n, key) for x in range(n)]
    assert image == [permute(x, n, key) for x in range(n)]
    assert sorted(image) == list(range(n))


@pytest.mark.parametrize("n", [257, 1024, 65_537, 2**20 - 1, 2**31 + 11, 2**32])
def test_permute_of_large_sets(lottery: Any, n: int) -> None:
    draw = random.Random(n)
    for _ in range(6):
        x, key = draw.randrange(n), draw.randbytes(32)
        assert lottery.permute(x, n, key) == permute(x, n, key)


@pytest.mark.parametrize("key", [bytes(32), b"\xff" * 32])
def test_permute_with_extreme_keys(lottery: Any, key: bytes) -> None:
    assert [lottery.permute(x, 9, key) for x in range(9)] == [permute(x, 9, key) for x in range(9)]


def expected(task: Life, anchor: int, barred: set[object] = frozenset()) -> list[object]:
    """Who must be drawn, by the specification, as the list of verifiers is now."""
    seed = seed_of(World.block_hash(anchor), task.id, task.result.root)
    stakes, seats = task.world.stakes, task.sworn.seats
    seated = [stakes.at(VERIFIER, seat) for seat in walk(seats, seed)]
    return [who for who in seated if who not in barred][: task.terms.verifiers]


def test_draw_follows_the_block_hash(world: World) -> None:
    task = world.task().posted().accepted().committed()
    anchor = world.height
    deadline = task.info.deadline
    world.mine(3)
    wanted = expected(task, anchor)
    drawn = Sworn(*world.market.draw(task.key, task.sworn, sender=world.stranger))
    seed = seed_of(World.block_hash(anchor), task.id, task.result.root)
    assert event(world.market, "Drawn") == {"id": task.id, "verifiers": wanted, "seed": seed}
    assert drawn == task.sworn._replace(seed=seed, verifiers=wanted)
    assert len(wanted) == 2
    assert world.market.results(task.id) == drawn.hash
    assert (task.state, task.info.deadline) == (COMMITTED, deadline)


def test_each_verifier_has_its_own_intervals(world: World, lottery: Any) -> None:
    task = world.task(verifiers=3).posted().accepted().committed().drawn()
    picks = [lottery.drawn_intervals(task.terms, task.sworn.seed, j) for j in range(3)]
    assert picks == [drawn_intervals(j, 3, 9, audit_seed_of(task.sworn.seed)) for j in range(3)]
    assert sorted(k for mine in picks for k in mine) == list(range(9))


def test_intervals_wrap_when_there_are_too_few(world: World, lottery: Any) -> None:
    task = world.task(steps=10, verifiers=3, audit_intervals=2).posted().accepted().committed().drawn()
    assert [sorted(lottery.drawn_intervals(task.terms, task.sworn.seed, j)) for j in range(3)] == [[0, 1]] * 3


def test_the_first_attestation_draws(world: World) -> None:
    task = world.task(verifiers=1).posted().accepted().committed().previewed()
    assert world.market.results(task.id) == task.sworn_before_draw.hash
    task.attested(0)
    assert [name for name, _ in events(world.market)] == ["Drawn", "Attested", "Audited"]
    assert world.market.results(task.id) == task.sworn.hash


def test_a_later_attestation_names_the_drawn_result(world: World) -> None:
    task = world.task().posted().accepted().committed().previewed().attested(0)
    stale = task.sworn_before_draw
    with boa.reverts("market: result"):
        world.market.attest(task.key, stale, task.match_of(1), sender=task.drawn_verifiers[1])
    task.attested(1)


def test_an_attestation_after_256_blocks_has_to_wait_for_a_draw(world: World) -> None:
    task = world.task().posted().accepted().committed()
    world.mine(257)
    with boa.reverts("market: too late"):
        world.market.attest(task.key, task.sworn, b"\x01" * 32, sender=world.verifiers[0])


def test_a_result_that_is_not_the_task_s_is_refused(world: World) -> None:
    task = world.task().posted().accepted().committed()
    world.mine()
    for change in ({"root": b"\x01" * 32}, {"anchor": 1}, {"seats": 1}, {"committed_at": 0}, {"final_root": bytes(32)}):
        with boa.reverts("market: result"):
            world.market.draw(task.key, task.sworn._replace(**change), sender=world.stranger)
    faked = task.sworn._replace(seed=b"\x01" * 32, verifiers=[world.stranger])
    with boa.reverts("market: result"):
        world.market.attest(task.key, faked, b"\x01" * 32, sender=world.stranger)


def test_draw_needs_a_later_block(world: World) -> None:
    task = world.task().posted().accepted()
    with boa.reverts("market: state"):
        task.drawn()
    task.committed()
    with boa.reverts("market: too early"):
        task.drawn_now()
    task.drawn()
    with boa.reverts("market: drawn"):
        task.drawn()


def test_draw_before_the_deadline_only(world: World) -> None:
    first, second = (world.task(salt).posted().accepted().committed() for salt in (1, 2))
    first.last_moment()
    first.drawn_now()
    second.late()
    with boa.reverts("market: expired"):
        second.drawn_now()


def test_the_256th_block_still_has_the_hash(world: World) -> None:
    task = world.task().posted().accepted().committed()
    anchor = world.height
    world.mine(256)
    wanted = expected(task, anchor)
    task.drawn_now()
    assert task.drawn_verifiers == wanted


def test_a_forgotten_draw_takes_a_new_block(world: World) -> None:
    task = world.task().posted().accepted().committed()
    world.mine(257)
    late = world.verifier()
    task.drawn_now()
    anchor = world.height
    assert event(world.market, "Reanchored") == {"id": task.id, "anchor": anchor, "seats": 5}
    assert task.drawn_verifiers == []
    assert (task.sworn.anchor, task.sworn.seats) == (anchor, 5)
    with boa.reverts("market: too early"):
        task.drawn_now()
    world.mine(256)
    wanted = expected(task, anchor)
    task.drawn_now()
    assert task.drawn_verifiers == wanted
    assert late in [world.stakes.at(VERIFIER, i) for i in range(5)]


def test_a_chain_without_block_hashes_does_not_draw_a_known_lot(world: World) -> None:
    task = world.task().posted().accepted().committed()
    world.mine()
    boa.env.evm.patch.prev_hashes = [bytes(32)] * 256
    task.drawn_now()
    assert [name for name, _ in events(world.market)] == ["Reanchored"]


@pytest.mark.parametrize("salt", range(6))
def test_solver_and_submitter_are_passed_over(world: World, salt: int) -> None:
    for who in (world.solver, world.submitter):
        world.stakes.register(VERIFIER, VERIFIER_MINIMUM, "", sender=who)
    world.stakes.register(SOLVER, SOLVER_MINIMUM, "", sender=world.verifiers[0])
    task = world.task(salt, verifiers=4).posted().accepted().committed()
    anchor = world.height
    wanted = expected(task, anchor, barred={world.solver, world.submitter})
    assert task.drawn().drawn_verifiers == wanted
    assert set(wanted) == set(world.verifiers)


def test_joining_after_the_commitment_changes_nothing(world: World) -> None:
    task = world.task().posted().accepted().committed()
    anchor = world.height
    wanted = expected(task, anchor)
    world.mine()
    for _ in range(6):
        world.verifier()
    assert task.drawn().drawn_verifiers == wanted


def test_a_newcomer_in_an_old_seat_is_passed_over(world: World) -> None:
    task = world.task(verifiers=3).posted().accepted().committed()
    world.mine()
    late = world.verifier()
    world.stakes.leave(VERIFIER, sender=world.verifiers[0])
    assert world.stakes.at(VERIFIER, 0) == late
    assert set(task.drawn().drawn_verifiers) == set(world.verifiers[1:])


def test_those_who_left_are_not_drawn(world: World) -> None:
    task = world.task().posted().accepted().committed()
    gone = world.verifiers[:2]
    for who in gone:
        world.stakes.leave(VERIFIER, sender=who)
    assert set(task.drawn().drawn_verifiers) == set(world.verifiers[2:])


def test_too_few_are_left(world: World) -> None:
    task = world.task().posted().accepted().committed()
    for who in world.verifiers[1:]:
        world.stakes.leave(VERIFIER, sender=who)
    world.mine()
    with boa.reverts("market: too few verifiers"):
        task.drawn_now()
    task.late().expired()
    assert event(world.market, "Refunded")["reason"] == "not drawn"


@pytest.mark.parametrize(("place", "found"), [(127, True), (128, False)])
def test_a_draw_looks_at_128_seats_at_most(world: World, place: int, found: bool) -> None:
    task = world.task(verifiers=1, audit_intervals=1).posted().accepted()
    crowd = [world.verifier() for _ in range(150)]
    roots = (i.to_bytes(32, "big") for i in range(1, 10_000))
    here = World.block_hash(world.height)
    task.committed(root=next(r for r in roots if list(walk(154, seed_of(here, task.id, r))).index(0) == place))
    world.mine()
    for who in world.verifiers + crowd[:-1]:
        world.stakes.leave(VERIFIER, sender=who)
    assert world.stakes.at(VERIFIER, 0) == crowd[-1]
    if found:
        task.drawn_now()
        assert task.drawn_verifiers == [crowd[-1]]
    else:
        with boa.reverts("market: too few verifiers"):
            task.drawn_now()


def test_the_lot_is_fair(world: World) -> None:
    """Each of four verifiers is drawn about as often as the others: 40 draws of 2 are 20 each, 3.2 the deviation."""
    drawn = {who: 0 for who in world.verifiers}
    for salt in range(40):
        for who in world.task(salt, price=1, fee=1).posted().accepted().committed().drawn().drawn_verifiers:
            drawn[who] += 1
    assert sum(drawn.values()) == 80
    assert all(8 <= times <= 32 for times in drawn.values())
