"""Anybody does anything at any time: money is neither made nor lost nor trapped.

The machine keeps no model of the rules. It tries moves with arguments that are mostly sensible, lets the contract say no,
and then checks the books. At the end it waits, pushes every task with `expire` and sends everybody home: whatever
happened before, both contracts must be empty then.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import boa
import pytest
from boa import BoaError
from contract_world import (
    BURNED,
    DISPUTED,
    OPEN,
    REFUNDED,
    SETTLED,
    SOLVER,
    SOLVER_MINIMUM,
    SOLVER_STAKE,
    UNBONDING,
    VERIFIER,
    VERIFIER_LOCK,
    VERIFIER_MINIMUM,
    WHISTLEBLOWER,
    WHISTLEBLOWER_LOCK,
    WHISTLEBLOWER_MINIMUM,
    Life,
    World,
)
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

LIE = (1, 0, b"\x5a" * 32)
ROLES = (SOLVER, VERIFIER, WHISTLEBLOWER)
PEOPLE = 6
who = st.integers(0, PEOPLE - 1)
task = st.integers(0, 3)
position = st.integers(0, 2)
role = st.sampled_from(ROLES)
usually = st.sampled_from([True] * 7 + [False])
"""Mostly the one whose turn it is, sometimes anybody."""
STATES = ("none", "open", "assigned", "committed", "audited", "settled", "refunded", "disputed")


class Town(RuleBasedStateMachine):
    """Six people, up to four tasks, two contracts, and a game that rules as it likes. `ends` counts what happened."""

    ends: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.rollback = boa.env.anchor()
        self.rollback.__enter__()
        self.world = World(members=False)
        self.people = [self.world.person() for _ in range(PEOPLE)]
        self.supply = self.world.token.totalSupply()
        self.lives: list[Life] = []
        self.books: dict[bytes, Any] = {}
        self.last_states: dict[bytes, int] = {}
        self.games: set[tuple[bytes, Any]] = set()
        self.accusers: set[tuple[bytes, Any]] = set()
        self.registry_touched = True

    @initialize()
    def somebody_is_there(self) -> None:
        """Otherwise most runs would never see a commitment."""
        self.world.stakes.register(SOLVER, SOLVER_STAKE, "", sender=self.people[1])
        for one in self.people[2:]:
            self.world.stakes.register(VERIFIER, VERIFIER_MINIMUM, "", sender=one)
        self.world.stakes.register(WHISTLEBLOWER, WHISTLEBLOWER_MINIMUM, "", sender=self.people[0])
        self.post(0, 10**6, 10**5, (7, 2, 2, 1), (90, 90, 20, 90, 90), 400)

    def attempt(self, call: Any, *args: Any, sender: Any) -> bool:
        """Send it, and take no for an answer."""
        try:
            call(*args, sender=sender)
        except BoaError:
            return False
        return True

    def life(self, number: int) -> Life | None:
        """One of the tasks."""
        return self.lives[number % len(self.lives)] if self.lives else None

    def member(self, life: Life, number: int) -> tuple[int, Any] | None:
        """Position and address of a drawn verifier."""
        drawn = life.sworn.verifiers
        return (number % len(drawn), drawn[number % len(drawn)]) if drawn else None

    @rule(blocks=st.sampled_from([1, 1, 1, 2, 257]), seconds=st.sampled_from([1, 1, 1, 5, 20, 100]))
    def time_passes(self, blocks: int, seconds: int) -> None:
        self.world.mine(blocks, seconds)

    @rule(
        who=who,
        role=role,
        move=st.sampled_from(["register", "register", "leave", "withdraw"]),
        amount=st.sampled_from([0, 1, VERIFIER_MINIMUM, SOLVER_MINIMUM]),
    )
    def come_or_go(self, who: int, role: int, move: str, amount: int) -> None:
        self.registry_touched = True
        details = (amount, "http://x") if move == "register" else ()
        self.attempt(getattr(self.world.stakes, move), role, *details, sender=self.people[who])

    @precondition(lambda self: len(self.lives) < 4)
    @rule(
        who=st.sampled_from([0, 0, 0, 1, 5]),
        price=st.integers(0, 10**6),
        fee=st.integers(0, 10**5),
        shape=st.sampled_from([(4, 1, 1, 2), (7, 2, 2, 1), (1, 1, 2, 1), (9, 3, 3, 3)]),
        windows=st.tuples(
            *[st.sampled_from([30, 60, 90])] * 2, st.sampled_from([0, 20]), *[st.sampled_from([30, 90])] * 2
        ),
        collateral=st.sampled_from([0, 1, 400, 3000]),
    )
    def post(
        self, who: int, price: int, fee: int, shape: tuple[int, ...], windows: tuple[int, ...], collateral: int
    ) -> None:
        steps, interval, verifiers, audit = shape
        names = ("open_for", "work_for", "patrol_for", "attest_for", "reveal_for")
        life = self.world.task(
            len(self.lives) + 1,
            self.people[who],
            collateral=collateral,
            price=price,
            fee=fee,
            steps=steps,
            interval=interval,
            verifiers=verifiers,
            audit_intervals=audit,
            **dict(zip(names, windows, strict=True)),
        )
        if self.attempt(self.world.market.post, life.salt, life.terms, life.work, sender=self.people[who]):
            self.lives.append(life)

    @rule(task=task, who=who)
    def cancel(self, task: int, who: int) -> None:
        if (life := self.life(task)) and who > 3:
            sender = life.key.submitter if who == 4 else self.people[who]
            self.attempt(self.world.market.cancel, life.key, sender=sender)

    @rule(task=task, honest=usually, who=who)
    def accept(self, task: int, honest: bool, who: int) -> None:
        if life := self.life(task):
            self.attempt(self.world.market.accept, life.key, sender=self.people[1 if honest else who])

    @rule(task=task, honest=usually)
    def commit(self, task: int, honest: bool) -> None:
        if life := self.life(task):
            result = (None, None) if honest else (b"\x01" * 32, b"\x02" * 32)
            self.attempt(lambda sender: life.committed(*result), sender=None)

    @rule(task=task)
    def draw(self, task: int) -> None:
        if life := self.life(task):
            self.attempt(lambda sender: life.drawn(), sender=None)

    @rule(task=task, position=position, kind=st.sampled_from(["match"] * 5 + ["made up", "finding"]))
    def attest(self, task: int, position: int, kind: str) -> None:
        if (life := self.life(task)) and (drawn := self.member(life, position)):
            place, _ = drawn
            moves = {
                "match": lambda: life.attested(place),
                "made up": lambda: life.attested_lazily(place),
                "finding": lambda: life.attested_finding(place, LIE),
            }
            self.attempt(lambda sender: moves[kind](), sender=None)

    @rule(task=task, who=who)
    def accuse(self, task: int, who: int) -> None:
        if life := self.life(task):
            one = self.people[who]
            if self.attempt(lambda sender: life.accused(one, LIE), sender=None):
                self.accusers.add((life.id, one))

    @rule(task=task, position=position, honest=usually)
    def reveal(self, task: int, position: int, honest: bool) -> None:
        if (life := self.life(task)) and (drawn := self.member(life, position)):
            lists = life.result.opening(life.picks(drawn[0]))
            if not honest:
                lists[1] = lists[1][::-1]
            self.attempt(lambda sender: life.revealed(drawn[0], lists=lists), sender=None)

    @rule(task=task, who=who)
    def dispute(self, task: int, who: int) -> None:
        if life := self.life(task):
            one = self.people[who]
            if self.attempt(lambda sender: life.disputed(one, LIE), sender=None):
                self.games.add((life.id, one))
                self.ends["disputes"] += 1

    @precondition(lambda self: self.games)
    @rule(which=st.integers(0, 5), upheld=st.booleans())
    def ruling(self, which: int, upheld: bool) -> None:
        task, one = sorted(self.games)[which % len(self.games)]
        life = next(life for life in self.lives if life.id == task)
        before = life.state
        life.ruled(one, upheld)  # a game can always end
        self.ends["upheld" if upheld else "dismissed"] += before == DISPUTED
        self.games.remove((task, one))

    @rule(task=task)
    def concede(self, task: int) -> None:
        if life := self.life(task):
            self.attempt(lambda sender: life.conceded(0), sender=None)

    @rule(task=task, who=who)
    def release(self, task: int, who: int) -> None:
        if life := self.life(task):
            self.attempt(self.world.market.release, life.key, self.people[who], *LIE, sender=self.people[5])

    @rule(task=task, who=who)
    def push(self, task: int, who: int) -> None:
        if life := self.life(task):
            self.attempt(lambda sender: life.expired(sender), sender=self.people[who])

    @rule(
        task=task,
        accusers=st.lists(who, max_size=3, unique=True),
        kind=st.sampled_from(["match", "match", "finding"]),
        reveals=st.integers(0, 3),
        rulings=st.lists(st.booleans(), max_size=3),
    )
    def a_quarrel(self, task: int, accusers: list[int], kind: str, reveals: int, rulings: list[bool]) -> None:
        """On to the commitment, then findings of verifiers and others, reveals of some, disputes of all, and some rulings."""
        life = self.life(task)
        if life is None:
            return
        for _ in range(2):
            if life.state in (1, 2):
                self.honest_move(task, life)
        if life.state != 3:
            return
        self.draw(task)
        for one in accusers:
            self.accuse(task, one)
        for place in range(life.terms.verifiers):
            self.attest(task, place, kind if place == 0 else "match")
        for place in range(reveals):
            self.reveal(task, place, True)
        self.world.mine(seconds=life.terms.patrol_for + 1)
        for one in range(PEOPLE):
            self.dispute(task, one)
        for upheld in rulings:
            if self.games:
                self.ruling(0, upheld)

    @rule(task=task, moves=st.integers(1, 6))
    def everybody_does_their_duty(self, task: int, moves: int) -> None:
        """Some honest moves on; without this hardly any task would get to its end."""
        if life := self.life(task):
            for _ in range(moves):
                self.honest_move(task, life)

    def honest_move(self, task: int, life: Life) -> None:
        """What should happen next."""
        match life.state:
            case 1:
                self.accept(task, True, 0)
            case 2:
                self.commit(task, True)
            case 3 if not life.sworn.verifiers:
                self.draw(task)
            case 3:
                for place in range(life.terms.verifiers):
                    self.attest(task, place, "match")
            case 4:
                for place in range(life.terms.verifiers):
                    self.reveal(task, place, True)
                self.push(task, 0)

    @rule(task=task)
    def one_honest_move(self, task: int) -> None:
        """The same, so that it is tried more often."""
        self.everybody_does_their_duty(task, 1)

    @rule(who=who, other=who, amount=st.integers(0, 10**9))
    def money_moves(self, who: int, other: int, amount: int) -> None:
        self.attempt(self.world.market.withdraw, sender=self.people[who])
        self.attempt(self.world.token.transfer, self.people[other], amount, sender=self.people[who])

    @invariant()
    def the_books_are_right(self) -> None:
        """Read every task once, then check. The registry changes only by calls to itself; reading it is slow."""
        self.books = {life.id: self.world.market.tasks(life.id) for life in self.lives}
        self.the_market_holds_what_it_owes()
        self.states_only_go_forward()
        self.the_registry_holds_the_stakes()
        self.what_is_locked_is_what_tasks_depend_on()
        if self.registry_touched:
            self.the_lists_are_those_who_are_active()
        self.registry_touched = False
        self.money_is_neither_made_nor_lost()

    def the_market_holds_what_it_owes(self) -> None:
        market = self.world.market
        escrows = [life.terms.escrow for life in self.lives if self.books[life.id].state not in (SETTLED, REFUNDED)]
        owed = [market.owed(one) for one in self.people]
        kept = [self.kept_of(life) for life in self.lives if market.condemned_at(life.id)]
        assert self.world.token.balanceOf(market.address) == sum(escrows) + sum(owed) + sum(kept)

    def kept_of(self, life: Life) -> int:
        """The fees of verifiers of a condemned task that still have to show what they had sealed."""
        closed = sum(int.from_bytes(life.sealed_by(one), "big") >= 2**128 for one in life.sworn.verifiers)
        collateral = life.terms.collateral
        return closed * min(life.terms.fee, (collateral - 2 * (collateral // 4)) // life.terms.verifiers)

    def states_only_go_forward(self) -> None:
        for life in self.lives:
            before, now = self.last_states.get(life.id, OPEN), self.books[life.id].state
            back = before == DISPUTED and now in (4, SETTLED, REFUNDED)  # 4: the game is over, the deadline is not
            assert now == before or back or (before < SETTLED and now > before)
            self.last_states[life.id] = now

    def the_registry_holds_the_stakes(self) -> None:
        stakes = self.world.stakes
        self.registry = {(one, role): stakes.members(one, role) for one in self.people for role in ROLES}
        assert self.world.token.balanceOf(stakes.address) == sum(member.stake for member in self.registry.values())
        assert all(member.locked <= member.stake for member in self.registry.values())

    def what_is_locked_is_what_tasks_depend_on(self) -> None:
        """Counted from the tasks alone, it is what the registry says."""
        expected: Counter[tuple[Any, int]] = Counter()
        market = self.world.market
        for life in self.lives:
            book, final = self.books[life.id], self.books[life.id].state in (SETTLED, REFUNDED)
            if book.state >= 2 and not final:
                expected[book.solver, SOLVER] += life.terms.collateral
            condemned = final and market.condemned_at(life.id) != 0
            for one in life.sworn.verifiers:
                mark = int.from_bytes(market.sealed(life.id, one), "big")
                if mark and (not final or (condemned and mark >= 2**128)):
                    expected[one, VERIFIER] += life.terms.verifier_collateral
            for one in (one for task, one in self.accusers if task == life.id):
                role = market.accusing(life.id, one)
                if role:
                    expected[one, role] += WHISTLEBLOWER_LOCK if role == WHISTLEBLOWER else VERIFIER_LOCK
        for place, member in self.registry.items():
            assert member.locked == expected[place], place

    def the_lists_are_those_who_are_active(self) -> None:
        stakes = self.world.stakes
        for role in ROLES:
            listed = [stakes.at(role, i) for i in range(stakes.count(role))]
            assert sorted(listed) == sorted(one for one in self.people if stakes.is_active(one, role))

    def money_is_neither_made_nor_lost(self) -> None:
        world = self.world
        places = [*self.people, world.submitter, world.solver, world.stranger]
        places += [world.market.address, world.stakes.address, BURNED]
        assert world.token.totalSupply() == self.supply == sum(world.token.balanceOf(place) for place in places)

    def teardown(self) -> None:
        """Wait, push, go home."""
        try:
            self.everything_ends()
        finally:
            self.rollback.__exit__(None, None, None)

    def everything_ends(self) -> None:
        market, stakes = self.world.market, self.world.stakes
        self.ends.update(STATES[life.state] for life in self.lives)
        for task, one in sorted(self.games):  # the game's own clocks end every game
            next(life for life in self.lives if life.id == task).ruled(one, False)
        for _ in range(3):
            self.world.mine(seconds=10_000)
            for life in self.lives:
                if life.state not in (SETTLED, REFUNDED):
                    life.expired()
        assert all(life.state in (SETTLED, REFUNDED) for life in self.lives)
        self.ends.update(f"in the end {STATES[life.state]}" for life in self.lives)
        self.world.mine(seconds=31 * 86400)
        for life in self.lives:
            for one in self.people:
                self.attempt(market.release, life.key, one, 9, 9, bytes(32), sender=self.world.stranger)
        for one in self.people:
            if market.owed(one):
                market.withdraw(sender=one)
            for role in ROLES:
                if stakes.is_active(one, role):
                    stakes.leave(role, sender=one)
        self.world.mine(seconds=UNBONDING)
        for one in self.people:
            for role in ROLES:
                if stakes.stake_of(one, role):
                    stakes.withdraw(role, sender=one)
        assert self.world.token.balanceOf(market.address) == 0
        assert self.world.token.balanceOf(stakes.address) == 0
        self.money_is_neither_made_nor_lost()


def run(examples: int, steps: int) -> None:
    """Play the town's life, and print how its tasks ended (with -s)."""
    Town.ends.clear()
    rules = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(Town, settings=rules)
    print("\n", dict(Town.ends))


@pytest.mark.parametrize("rulings", [[], [True], [False, True], [False, False, False]], ids=str)
@pytest.mark.parametrize("reveals", [0, 1, 2])
def test_money_is_safe_in_a_quarrel(rulings: list[bool], reveals: int) -> None:
    """The machine's own moves by hand, so that slashed, freed and burned stakes are among what is checked every time."""
    Town.ends.clear()
    town = Town()
    town.somebody_is_there()
    try:
        town.a_quarrel(0, [0, 2, 3, 4, 5], "finding", reveals, rulings)
        town.the_books_are_right()
        assert Town.ends["disputes"] >= 3
        assert Town.ends["upheld"] == (True in rulings)
    finally:
        town.teardown()
    assert Town.ends["in the end refunded"] + Town.ends["in the end settled"] == 1


def test_money_is_safe_whatever_happens() -> None:
    run(examples=12, steps=40)


@pytest.mark.slow
def test_money_is_safe_whatever_happens_for_longer() -> None:
    run(examples=60, steps=100)
