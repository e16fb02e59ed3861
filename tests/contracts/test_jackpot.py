"""Forced errors: a sealed result, a lot, an error that looks like any other, and a pot for those who find it."""

from __future__ import annotations

from typing import Any, NamedTuple

import boa
import pytest
from contract_reference import Result, tree
from contract_world import (
    AUDITED,
    BURNED,
    COMMITTED,
    REFUNDED,
    SETTLED,
    SOLVER,
    SOLVER_STAKE,
    VERIFIER,
    VERIFIER_COLLATERAL,
    VERIFIER_MINIMUM,
    WHISTLEBLOWER,
    WHISTLEBLOWER_LOCK,
    WHISTLEBLOWER_MINIMUM,
    Sworn,
    World,
    event,
    events,
)
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.chain import forced_interval
from assay.chain.records import Terms as ChainTerms
from assay.economics import share_of

MILLION = 10**6
TAX = 900
SECRET = b"\x51" * 32
NOTHING = [bytes(32)] * 5 + [[]] + [bytes(32)] * 3 + [[]]
WRONG = b"\xbd" * 32


class Truth(NamedTuple):
    """What was sealed."""

    root: bytes
    final_root: bytes
    trajectory: bytes = b"\x31" * 32
    trajectory_size: int = 4000
    secret: bytes = SECRET


class Forced:
    """A task whose solver may have to err, played by the rules."""

    def __init__(self, world: World, secret: bytes = SECRET, tax: int = TAX, salt: int = 1, **changes: int) -> None:
        self.world, self.jackpot = world, world.jackpot
        windows = {"patrol_for": 100, "fee": 60}
        self.life = world.task(salt, **(windows | {"forced": MILLION} | changes)).posted()
        if tax:
            self.jackpot.reserve(self.life.key, tax, sender=world.submitter)
        honest = self.life.result
        self.truth = Truth(honest.root, honest.final_root, secret=secret)
        self.seal = keccak(encode(["bytes32", "(bytes32,bytes32,bytes32,uint256,bytes32)"], [self.life.id, self.truth]))

    def sealed(self) -> Forced:
        """The solver commits to the seal, a block passes, somebody draws."""
        market, life = self.world.market, self.life.accepted()
        market.commit(life.key, self.seal, bytes(32), bytes(32), 0, sender=self.world.solver)
        told = event(market, "Committed")
        life.sworn = Sworn(self.seal, bytes(32), bytes(32), 0, told["committed_at"], told["anchor"], told["seats"])
        life.drawn()
        self.seed = life.sworn.seed
        terms = ChainTerms(*(word.hex() if isinstance(word, bytes) else word for word in life.terms))
        self.interval = forced_interval(terms, self.seed.hex(), self.truth.secret.hex())
        return self

    def decoy(self, interval: int) -> Result:
        """The honest trajectory with another state after `interval`."""
        honest = self.life.result
        states = list(honest.states)
        states[interval + 1] = WRONG
        return Result(honest.steps, honest.interval, honest.program_root, honest.digests, states, honest.batches)

    def published(self, shown: Result | None = None) -> Forced:
        """The solver publishes what the lot wants, or something else."""
        if shown is None:
            shown = self.life.result if self.interval is None else self.decoy(self.interval)
        self.shown = shown
        honest = shown is self.life.result
        blob = (self.truth.trajectory, self.truth.trajectory_size) if honest else (b"\x32" * 32, 4001)
        named = (shown.root, shown.final_root, *blob)
        self.jackpot.publish(self.life.key, self.life.sworn, *named, sender=self.world.solver)
        self.moved("publish")
        return self

    def moved(self, how: str) -> None:
        """The task's result is what the market says now."""
        told = event(self.world.market, "Replaced", self.jackpot)["result"]
        self.life.sworn = Sworn(*told)
        assert self.world.market.results(self.life.id) == self.life.sworn.hash, how

    def change(self, interval: int) -> list[Any]:
        """What shows that the published trajectory is the true one but for one state."""
        honest, shown, k = self.life.result, self.shown, interval + 1
        path = [level[(k >> up) ^ 1] for up, level in enumerate(shown.levels[:-1])]
        trace = [honest.leaf_trace(j) for j in range(honest.intervals + 1)]
        change = [honest.states[k - 1], honest.batches[k], trace[k], honest.states[k], shown.states[k], path]
        if k == honest.intervals:
            return [*change, bytes(32), bytes(32), bytes(32), []]
        middle = tree([honest.leaf(j) if j == k else shown.leaf(j) for j in range(honest.intervals + 1)])
        path = [level[((k + 1) >> up) ^ 1] for up, level in enumerate(middle[:-1])]
        return [*change, honest.states[k + 1], honest.batches[k + 1], trace[k + 1], path]

    def unsealed(self, change: list[Any] | None = None, truth: Truth | None = None) -> Forced:
        """The solver opens its seal after the patrol."""
        life = self.life
        after = life.sworn.committed_at + life.terms.patrol_for + 1
        self.world.mine(seconds=max(1, after - self.world.now))
        if change is None:
            change = NOTHING if self.interval is None else self.change(self.interval)
        self.jackpot.unseal(life.key, life.sworn, truth or self.truth, change, sender=self.world.solver)
        self.moved("unseal")
        return self

    def finding(self, interval: int, found: bytes | None = None, blind: bytes = b"\x07" * 32) -> tuple[int, int, bytes]:
        """What an honest accuser seals: the salt hides the root that it has found."""
        found = self.life.result.states[interval + 1] if found is None else found
        return (1, interval, keccak(encode(["bytes32", "bytes32"], [found, blind])))

    def claimed(self, who: Any, found: bytes | None = None, blind: bytes = b"\x07" * 32) -> Forced:
        """Somebody opens what `who` had sealed."""
        found = self.life.result.states[self.interval + 1] if found is None else found
        self.jackpot.claim(self.life.key, self.life.sworn, who, found, blind, sender=self.world.stranger)
        return self

    def attested(self) -> Forced:
        """Each verifier replays: those that drew the error seal what they found, the others match."""
        for j in range(self.life.terms.verifiers):
            if self.interval in self.life.picks(j):
                self.life.attested_finding(j, self.finding(self.interval))
            else:
                self.life.attested(j)
        return self

    @property
    def finders(self) -> list[Any]:
        """The drawn verifiers that found it."""
        return [who for j, who in enumerate(self.life.drawn_verifiers) if self.interval in self.life.picks(j)]


def divided(task: Forced) -> dict[str, Any]:
    """The pot is divided; the books of the jackpot are right before and after."""
    books_are_right(task)
    task.jackpot.divide(task.life.id, sender=task.world.stranger)
    told = event(task.jackpot, "Divided")
    books_are_right(task)
    return told


def books_are_right(*tasks: Forced) -> None:
    """The contract holds what it owes, and nothing else."""
    world, jackpot = tasks[0].world, tasks[0].jackpot
    places = [BURNED, world.submitter, world.solver, *world.verifiers, *getattr(world, "accusers", [])]
    owed = sum(jackpot.owed(place) for place in places)
    kept = 0
    for task in tasks:
        published = any(jackpot.seals(task.life.id))
        kept += jackpot.pots(task.life.id) + (0 if published else jackpot.reserves(task.life.id))
    assert world.token.balanceOf(jackpot.address) == jackpot.pool() + kept + owed


@pytest.fixture
def crowd(world: World) -> list[Any]:
    world.accusers = [world.whistleblower() for _ in range(6)]  # type: ignore[attr-defined]
    return world.accusers  # type: ignore[attr-defined,no-any-return]


def test_a_forced_error_hurts_nobody_and_pays_who_found_it(world: World, crowd: list[Any]) -> None:
    task = Forced(world).sealed().published()
    life, (one, two, *_) = task.life, crowd
    assert world.jackpot.pool() == TAX
    finder = task.finders[0]
    task.attested()
    for who in (one, two):
        life.accused(who, task.finding(task.interval))
    task.unsealed()
    assert (life.sworn.root, life.sworn.final_root) == (task.truth.root, task.truth.final_root)
    assert world.jackpot.pots(life.id) == TAX  # forced in every task: the pot is the tax
    for who in (finder, one, two):
        task.claimed(who)
    life.revealed(*(j for j in range(2) if life.drawn_verifiers[j] != finder))
    assert life.state == SETTLED
    assert (world.market.owed(world.solver), world.market.owed(world.submitter)) == (1_000_000, 0)
    assert [world.market.owed(who) for who in life.drawn_verifiers] == [60, 60]
    told = divided(task)
    share = TAX >> 3
    assert told == {"id": life.id, "accusers": 3, "share": share, "burned": TAX - 4 * share}
    assert [world.jackpot.owed(who) for who in (finder, one, two, world.solver)] == [share] * 4
    for who in (one, two):
        world.market.release(life.key, who, 0, 0, bytes(32))
    assert world.stakes.stake_of(world.solver, SOLVER) == SOLVER_STAKE
    assert all(world.stakes.stake_of(who, VERIFIER) == VERIFIER_MINIMUM for who in world.verifiers)
    assert all(world.stakes.stake_of(who, WHISTLEBLOWER) == WHISTLEBLOWER_MINIMUM for who in crowd)
    everything_is_free(world, crowd)
    for who in (finder, one, two, world.solver, BURNED):
        world.jackpot.withdraw(who)
    assert world.token.balanceOf(world.jackpot.address) == 0


def everything_is_free(world: World, crowd: list[Any]) -> None:
    assert world.locked(world.solver, SOLVER) == 0
    assert not any(world.locked(who, VERIFIER) for who in world.verifiers)
    assert not any(world.locked(who, WHISTLEBLOWER) for who in crowd)


@pytest.mark.parametrize("interval", range(4))
@pytest.mark.parametrize("intervals", [1, 2, 4])
def test_an_error_in_any_interval_can_be_shown(world: World, interval: int, intervals: int) -> None:
    """The last one changes the final root, the others the next leaf as well."""
    if interval >= intervals:
        pytest.skip("there is no such interval")
    for number in range(200):
        with boa.env.anchor():
            secret = number.to_bytes(32, "big")
            shape = {"steps": 5 * intervals, "audit_intervals": intervals, "verifiers": 1}
            task = Forced(world, secret, **shape).sealed()
            if task.interval == interval:
                task.published().attested().unsealed().claimed(task.life.drawn_verifiers[0])
                task.life.settled()
                assert event(world.market, "Settled")["final_root"] == task.truth.final_root
                return
    raise AssertionError("no lot fell there")


def test_without_an_error_the_published_result_is_the_true_one(world: World) -> None:
    task = unforced(world)
    life = task.published().life.attested()
    with boa.reverts("market: reveal window"):
        life.revealed().settled()
    task.unsealed()
    assert event(world.jackpot, "Unsealed") == {"id": life.id, "interval": 0, "pot": 0}
    assert life.settled().state == SETTLED
    with boa.reverts("jackpot: no pot"):
        world.jackpot.divide(life.id)
    assert world.jackpot.pool() == TAX
    books_are_right(task)


def unforced(world: World) -> Forced:
    """A task of which the lot says that there is no error."""
    half = {"forced": MILLION // 2}
    secret = next(s for s in secrets() if lot_of(world, s, TAX, **half) is None)
    return Forced(world, secret, **half).sealed()


def test_before_the_seal_is_open_nobody_can_tell(world: World, crowd: list[Any]) -> None:
    """Forced or not, the market says the same, and no finding is a dispute yet: error and fraud look alike."""
    told = []
    for secret, forced in ((SECRET, MILLION), (SECRET, 1)):
        with boa.env.anchor():
            task = Forced(world, secret, forced=forced).sealed()
            assert (task.interval is None) == (forced == 1)
            shown = task.decoy(task.life.picks(0)[0])
            task.published(shown)
            who = crowd[0]
            task.life.accused(who, task.finding(task.life.picks(0)[0])).attested(0, 1)
            world.mine(seconds=200)
            with boa.reverts("market: sealed"):
                task.life.disputed(who, task.finding(task.life.picks(0)[0]))
            told.append((task.life.state, task.life.info.accusations, world.market.unsealed(task.life.id)))
    assert told[0] == told[1] == (AUDITED, 1, 0)


def test_what_is_not_forced_cannot_be_called_so(world: World) -> None:
    """A planted error is not what was sealed; and the seal has no room for another."""
    task = unforced(world)
    planted = task.decoy(task.life.picks(0)[0])
    task.published(planted).life.attested(1)
    for truth in (task.truth, task.truth._replace(root=planted.root, final_root=planted.final_root)):
        with pytest.raises(boa.BoaError, match=r"jackpot: (not the truth|seal)"):
            task.unsealed(truth=truth)


def test_who_should_have_erred_and_did_not_is_silent(world: World) -> None:
    task = Forced(world).sealed()
    task.published(task.life.result).life.attested()
    with boa.reverts("jackpot: no error"):
        task.unsealed(change=task.change(task.interval))
    task.life.revealed().late().settled()
    assert event(world.market, "Refunded")["reason"] == "not revealed"
    assert world.stakes.stake_of(world.solver, SOLVER) == SOLVER_STAKE - 400


def test_an_error_elsewhere_than_the_lot_says_is_no_forced_error(world: World) -> None:
    task = Forced(world).sealed()
    elsewhere = (task.interval + 1) % 9
    task.published(task.decoy(elsewhere)).life.attested()
    for interval in (task.interval, elsewhere):
        with pytest.raises(boa.BoaError, match=r"jackpot: (no error|published leaf)"):
            task.unsealed(change=task.change(interval))


def test_two_errors_are_no_forced_error(world: World) -> None:
    task = Forced(world).sealed()
    both = task.decoy(task.interval)
    other = (task.interval + 4) % 9
    both.states[other + 1] = b"\xee" * 32
    task.published(both).life.attested()
    with pytest.raises(boa.BoaError, match="jackpot: true root"):
        task.unsealed()


@pytest.mark.parametrize("place", range(10))
def test_what_shows_the_change_is_checked(world: World, place: int) -> None:
    task = Forced(world, next(s for s in secrets() if lot_of(world, s) < 8)).sealed().published()
    change = task.change(task.interval)
    spoilt = change[place]
    change[place] = [*spoilt[:-1], b"\x99" * 32] if isinstance(spoilt, list) else b"\x99" * 32
    task.life.attested()
    with boa.reverts():
        task.unsealed(change=change)


def secrets() -> list[bytes]:
    return [number.to_bytes(32, "big") for number in range(50)]


def lot_of(world: World, secret: bytes, tax: int = TAX, **changes: int) -> int | None:
    """The interval that a secret's lot falls on, in the next task that is posted."""
    with boa.env.anchor():
        return Forced(world, secret, tax, **changes).sealed().interval


def test_a_verifier_that_swore_to_the_error_loses_its_lock(world: World) -> None:
    task = Forced(world).sealed().published()
    life = task.life.attested()  # somebody has told them the digests
    task.unsealed()
    life.revealed().settled()
    (liar,) = task.finders
    honest = next(who for who in life.drawn_verifiers if who != liar)
    assert life.state == SETTLED
    assert world.stakes.stake_of(liar, VERIFIER) == VERIFIER_MINIMUM - VERIFIER_COLLATERAL
    assert world.stakes.stake_of(honest, VERIFIER) == VERIFIER_MINIMUM
    assert [world.market.owed(who) for who in (liar, honest, world.submitter)] == [0, 60, 60]
    assert divided(task)["share"] == TAX  # nobody accused: the solver has its own tax back
    assert world.jackpot.owed(world.solver) == TAX


def test_blind_accusations_are_worth_nothing(world: World, crowd: list[Any]) -> None:
    """Only who has replayed the interval knows the state after it; the published one is not it."""
    task = Forced(world).sealed().published()
    who = crowd[0]
    task.life.accused(who, task.finding(task.interval, found=WRONG))
    task.attested().unsealed()
    with boa.reverts("jackpot: another root"):
        task.claimed(who, found=WRONG)
    with boa.reverts("market: finding"):
        task.claimed(who)
    for verifier in task.finders:
        task.claimed(verifier)
    task.life.revealed(*(j for j in range(2) if task.life.drawn_verifiers[j] not in task.finders))
    task.life.late().settled()
    world.market.release(task.life.key, who, 0, 0, bytes(32))
    assert world.stakes.stake_of(who, WHISTLEBLOWER) == WHISTLEBLOWER_MINIMUM - WHISTLEBLOWER_LOCK // 2


def test_a_claim_counts_once_and_only_what_was_sealed_before(world: World, crowd: list[Any]) -> None:
    task = Forced(world).sealed().published()
    task.life.accused(crowd[0], task.finding(task.interval))
    task.attested().unsealed()
    with boa.reverts("market: patrol is over"):
        task.life.accused(crowd[1], task.finding(task.interval))
    task.claimed(crowd[0])
    for who in (crowd[0], crowd[1], world.solver):
        with boa.reverts("market: finding"):
            task.claimed(who)
    task.life.late()
    with boa.reverts("market: expired"):
        task.claimed(task.finders[0])


def test_who_found_the_interval_after_it_was_right_too(world: World, crowd: list[Any]) -> None:
    task = Forced(world, next(s for s in secrets() if lot_of(world, s) < 8)).sealed().published()
    who, salt = crowd[0], b"\x5a" * 32
    task.life.accused(who, (1, task.interval + 1, salt))
    task.attested().unsealed()
    world.jackpot.excuse(task.life.key, task.life.sworn, who, salt)
    for finder in task.finders:
        task.claimed(finder)
    task.life.revealed(*(j for j in range(2) if task.life.drawn_verifiers[j] not in task.finders))
    assert task.life.state == SETTLED
    world.market.release(task.life.key, who, 0, 0, bytes(32))
    assert world.stakes.stake_of(who, WHISTLEBLOWER) == WHISTLEBLOWER_MINIMUM
    assert divided(task)["accusers"] == len(task.finders)
    assert world.jackpot.owed(who) == 0


def test_a_true_error_beside_the_forced_one_is_disputed_as_ever(world: World, crowd: list[Any]) -> None:
    task = Forced(world).sealed().published()
    who, elsewhere = crowd[0], (task.interval + 3) % 9
    task.life.accused(who, (1, elsewhere, bytes(32)))
    task.attested().unsealed()
    for finder in task.finders:
        task.claimed(finder)
    task.life.disputed(who, (1, elsewhere, bytes(32))).ruled(who, True)
    assert task.life.state == REFUNDED
    assert world.stakes.stake_of(world.solver, SOLVER) == SOLVER_STAKE - 400
    told = divided(task)
    assert world.jackpot.owed(world.solver) == 0, "who is condemned has no share"
    assert told["burned"] == TAX - told["share"] * len(task.finders)


@pytest.mark.parametrize("drawn", [True, False])
def test_a_solver_that_does_not_publish(world: World, drawn: bool) -> None:
    """It sees what was drawn before it has to speak: silence costs what a proven lie costs."""
    task = Forced(world)
    if drawn:
        task.sealed()
        with boa.reverts("market: not published"):
            task.life.attested(0)
        with boa.reverts("market: not published"):
            task.life.accused(world.whistleblower(), (1, 0, bytes(32)))
    else:
        market = world.market
        market.commit(task.life.accepted().key, task.seal, bytes(32), bytes(32), 0, sender=world.solver)
        told = event(market, "Committed")
        task.life.sworn = Sworn(task.seal, bytes(32), bytes(32), 0, told["committed_at"], told["anchor"], told["seats"])
    task.life.late().settled()
    assert event(world.market, "Refunded")["reason"] == ("not published" if drawn else "not drawn")
    assert world.stakes.stake_of(world.solver, SOLVER) == SOLVER_STAKE - (400 if drawn else 0)
    assert world.locked(world.solver, SOLVER) == 0
    world.jackpot.reclaim(task.life.key)
    assert world.jackpot.withdraw(world.submitter) == TAX
    assert world.token.balanceOf(world.jackpot.address) == 0


def test_a_result_is_sealed_if_and_only_if_the_terms_say_so(world: World) -> None:
    forced, plain = Forced(world), world.task(2).posted()
    for life, size in ((forced.life, 1), (plain, 0)):
        life.accepted()
        with boa.reverts("market: sealed"):
            world.market.commit(life.key, b"\x01" * 32, bytes(32), bytes(32), size, sender=world.solver)


def test_publications_are_the_solvers_and_happen_once(world: World) -> None:
    task = Forced(world).sealed()
    life, named = task.life, (task.truth.root, task.truth.final_root, bytes(32))
    with boa.reverts("jackpot: not the solver"):
        world.jackpot.publish(life.key, life.sworn, *named, 1, sender=world.stranger)
    with boa.reverts("jackpot: size"):
        world.jackpot.publish(life.key, life.sworn, *named, 0, sender=world.solver)
    with boa.reverts("jackpot: result"):
        world.jackpot.publish(life.key, life.sworn._replace(seats=9), *named, 1, sender=world.solver)
    task.published()
    with boa.reverts("jackpot: published"):
        world.jackpot.publish(life.key, life.sworn, *named, 1, sender=world.solver)
    with boa.reverts("jackpot: published"):
        world.jackpot.reserve(life.key, 1, sender=world.submitter)
    assert (life.info.deadline, life.sworn.committed_at) == (world.now + 300, world.now)


def test_the_seal_stays_closed_while_somebody_may_accuse(world: World) -> None:
    task = Forced(world).sealed().published().attested()
    with boa.reverts("jackpot: patrol"):
        world.jackpot.unseal(task.life.key, task.life.sworn, task.truth, task.change(task.interval))
    task.unsealed()
    task.shown = task.life.result
    with boa.reverts("jackpot: unsealed"):
        world.jackpot.unseal(task.life.key, task.life.sworn, task.truth, NOTHING)


def test_only_the_jackpot_replaces_and_vindicates(world: World) -> None:
    task = Forced(world).sealed()
    for call in (
        lambda: world.market.replace(task.life.key, task.life.sworn, 0, sender=world.solver),
        lambda: world.market.vindicate(task.life.key, world.solver, bytes(32), 0, sender=world.submitter),
    ):
        with boa.reverts("market: not the jackpot"):
            call()


def test_a_second_draw_does_not_move_the_lot(world: World) -> None:
    """Nobody attested: others are drawn. The seal, and what it was decided by, stay."""
    task = Forced(world).sealed().published()
    life = task.life.late().settled().reanchored().drawn()
    assert (life.state, life.sworn.root) == (COMMITTED, task.shown.root)
    assert world.jackpot.seeds(life.id) == task.seed != life.sworn.seed
    task.attested().unsealed()
    for who in task.finders:
        task.claimed(who)
    life.revealed(*(j for j in range(2) if life.drawn_verifiers[j] not in task.finders))
    assert life.state == SETTLED


def test_the_pot_is_never_more_than_the_pool_or_the_tax_pays_for(world: World) -> None:
    secret = next(s for s in secrets() if lot_of(world, s, forced=MILLION // 2) is not None)
    poor = Forced(world, secret, 10, forced=MILLION // 2).sealed().published().attested().unsealed()
    assert world.jackpot.pots(poor.life.id) == 10, "not 20: a new network pays what it has taken in, and owes nothing"
    assert world.jackpot.pool() == 0
    generous = Forced(world, salt=99, tax=1000).sealed().published()
    rich = Forced(world, salt=100, tax=7).sealed().published().attested().unsealed()
    assert world.jackpot.pots(rich.life.id) == 7
    assert world.jackpot.pool() == 1000
    assert generous.interval is not None
    books_are_right(poor, generous, rich)


@pytest.mark.parametrize("names", range(6))
def test_more_names_never_have_more(world: World, crowd: list[Any], names: int) -> None:
    """What an identity that takes so many names gets, beside the verifier that found it, is never more than one name's."""
    task = Forced(world).sealed().published()
    for who in crowd[:names]:
        task.life.accused(who, task.finding(task.interval))
    task.attested().unsealed()
    for who in (*task.finders, *crowd[:names]):
        task.claimed(who)
    task.life.revealed(*(j for j in range(2) if task.life.drawn_verifiers[j] not in task.finders))
    found = len(task.finders)
    told = divided(task)
    assert told["share"] == share_of(TAX, found + names)
    together = sum(world.jackpot.owed(who) for who in crowd[:names])
    assert together == names * told["share"] <= share_of(TAX, found + 1)
    tipping = together + world.jackpot.owed(world.solver)
    assert tipping <= share_of(TAX, found), "nor does a solver gain that tips off names of its own"


@given(pot=st.integers(0, 2**120), others=st.integers(0, 20), names=st.integers(1, 12))
@settings(max_examples=300, deadline=None)
def test_splitting_never_pays_whatever_the_pot(pot: int, others: int, names: int) -> None:
    assert names * share_of(pot, others + names) <= share_of(pot, others + 1)
    assert (others + names + 1) * share_of(pot, others + names) <= pot


def test_nothing_of_this_is_logged_or_stored_for_other_tasks(world: World) -> None:
    task = world.task().posted().accepted().committed().drawn().attested().revealed()
    assert task.state == SETTLED
    assert events(world.jackpot, world.market) == []
    assert world.market.unsealed(task.id) == 0
    with boa.reverts("jackpot: not forced"):
        world.jackpot.reserve(task.key, 1, sender=world.submitter)
