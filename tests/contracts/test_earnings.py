"""Whatever anybody does: the lines of `assay earnings` add up to what the account has."""

from __future__ import annotations

import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import boa
from eth_utils.address import to_checksum_address

sys.path.insert(0, str(Path(__file__).parent))

from contract_world import COMMITTED
from test_invariants import ROLES, Town

from assay.chain import Statement
from assay.chain.client import RawLog
from assay.chain.event import Event, decode_event
from assay.settle import earnings


class Counted(Town):
    """The town's random life, with everybody's earnings made from what was logged."""

    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        self.logged: list[Event] = []
        self._execute = boa.env.execute_code
        boa.env.execute_code = self.execute
        super().__init__()
        parts = {"token": self.world.token, "stakes": self.world.stakes, "market": self.world.market}
        self.names = {str(part.address): name for name, part in parts.items()}
        # Those that were logged before the addresses were known: the grants.
        self.logged = [event for raw in self.early if (event := decode_event(self.names, raw)) is not None]

    names: ClassVar[dict[str, str]] = {}
    early: ClassVar[list[RawLog]] = []

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Make the call, and keep what it logged."""
        done = self._execute(*args, **kwargs)
        if not done.is_error:
            for place, (_, address, topics, data) in enumerate(done.get_raw_log_entries()):
                where = to_checksum_address(address)
                words = tuple(topic.to_bytes(32, "big") for topic in topics)
                raw = RawLog(where, words, data, len(self.logged), "", place, "")
                event = decode_event(self.names, raw)
                if self.names and event is not None:
                    self.logged.append(event)
                elif not self.names:
                    self.early = [*self.early, raw]
        return done

    def lines_add_up(self) -> None:
        """For everybody."""
        world = self.world
        for one in self.people:
            me = str(one)
            mine = tuple(self._about(me))
            made = earnings(Statement(me, mine, {}, frozenset(self.names) - {str(world.token.address)}))
            stakes = sum(world.stakes.stake_of(one, role) for role in ROLES)
            assert made.worth == world.token.balanceOf(one) + stakes + world.market.owed(one), made
            assert made.net == made.worth - sum(made.totals.get(what, 0) for what in ("grant", "received", "sent"))
            self.seen.update(line.what for line in made.lines)

    def the_books(self) -> None:
        """What a ruling looks up."""
        self.books = {life.id: self.world.market.tasks(life.id) for life in self.lives}

    def _about(self, me: str) -> list[Event]:
        tasks = {e.task for e in self.logged if e.contract == "market" and me in _named(e)}
        return [e for e in self.logged if (e.contract == "market" and e.task in tasks) or me in e.args.values()]

    def teardown(self) -> None:
        """As the town does, and stop listening."""
        try:
            super().teardown()
        finally:
            boa.env.execute_code = self._execute


def _named(event: Event) -> list[Any]:
    return [*event.args.values(), *event.args.get("verifiers", ())]


def a_life(seed: int) -> None:
    """Four tasks at once; mostly somebody does a duty, else anybody does anything."""
    draw = random.Random(seed)
    town = Counted()
    try:
        town.somebody_is_there()
        for windows in ((90, 90, 0, 90, 90), (90, 90, 20, 90, 90), (90, 90, 0, 30, 30)):
            town.post(0, draw.randrange(10**6), draw.randrange(10**5), (7, 2, 2, 1), windows, 400)
        for _ in range(60):
            task, who, one = draw.randrange(4), draw.randrange(6), draw.randrange(3)
            match draw.choice(
                ("duty", "duty", "duty", "quarrel", "attest", "time", "release", "money", "push", "concede")
            ):
                case "duty":
                    town.everybody_does_their_duty(task, draw.randrange(1, 4))
                case "quarrel":
                    life = town.life(task)
                    for _ in range(2):
                        if life.state < COMMITTED:
                            town.one_honest_move(task)
                    town.a_quarrel(task, [0, 2, 3, 4, 5], draw.choice(("finding", "made up")), one, [])
                    town.the_books()
                    if town.games:
                        town.ruling(one, draw.random() < 0.7)
                case "attest":
                    town.attest(task, one, draw.choice(("made up", "finding")))
                case "time":
                    town.time_passes(2, draw.choice((1, 20, 100)))
                case "release":
                    town.release(task, who)
                case "money":
                    town.money_moves(who, (who + 1) % 6, draw.randrange(10**9))
                case "push":
                    town.push(task, who)
                case "concede":
                    town.concede(task)
            if draw.random() < 0.2:
                town.lines_add_up()
        town.lines_add_up()
    finally:
        town.teardown()


def test_lines_add_up_whatever_happens() -> None:
    Counted.seen.clear()
    for seed in range(5):
        a_life(seed)
    print("\n", dict(Counted.seen))
    wanted = {"escrow", "refund", "price", "fee", "reward", "compensation", "slash", "lock"}
    assert wanted | {"no fee", "no price", "no reward"} <= set(Counted.seen)
