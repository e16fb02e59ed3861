"""One simulated market: tasks played one after the other under the protocol's rules, with all chance drawn ahead.

The same draws serve every strategy and its honest twin, so that what differs between two runs is the strategy alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .bonds import challenger_cost, level_costs
from .collateral import split
from .jackpot import share_of
from .ledger import BURNED, CHAIN, ENERGY, ESCROW, OUTSIDE, POOL, Ledger
from .setting import MILLION, Setting
from .strategies import Strategy
from .terms import Terms

__all__ = ["PATROL", "Draws", "World"]

PATROL = 250_000
"""Share of a task's drawn intervals that a whistleblower replays, in parts per million."""

SUBMITTER, SOLVER, SEAT, SEATS, CRONIES, OWN = "submitter", "solver", "seat", "seats", "cronies", "own"


@dataclass(frozen=True)
class Draws:
    """All randomness of a run, task by task. Numbers below a million are compared with parts per million."""

    picks: list[list[int]]
    """The intervals drawn, slot by slot: the first `audit_intervals` are those of seat 0, and so on."""
    seats: list[list[int]]
    """For each seat, a number below a million."""
    forced: list[int]
    slot: list[int]
    """Where the forced error is, among the slots."""
    fault: list[int]
    faulty: list[int]
    """Which interval a fault spoils."""
    tie: list[int]
    """Who of several comes first."""
    patrol: list[list[list[int]]]
    """The slots that each whistleblower replays."""

    @classmethod
    def of(cls, setting: Setting, tasks: int, whistleblowers: int, seed: int) -> Draws:
        """The draws of `tasks` tasks from `seed`."""
        rng = np.random.default_rng(seed)
        n, slots = setting.intervals, setting.slots
        order = rng.permuted(np.tile(np.arange(n), (tasks, 1)), axis=1)
        patrol = rng.integers(0, MILLION, (tasks, whistleblowers, slots)) < PATROL
        return cls(
            order[:, np.arange(slots) % n].tolist(),
            rng.integers(0, MILLION, (tasks, setting.verifiers)).tolist(),
            rng.integers(0, MILLION, tasks).tolist(),
            rng.integers(0, slots, tasks).tolist(),
            rng.integers(0, MILLION, tasks).tolist(),
            rng.integers(0, n, tasks).tolist(),
            rng.integers(0, MILLION, tasks).tolist(),
            [[[x for x, hit in enumerate(row) if hit] for row in rows] for rows in patrol.tolist()],
        )


@dataclass
class Found:
    """What was found in a task: by whom an interval that is wrong in truth, by whom the forced error."""

    real: list[str] = field(default_factory=list)
    forced: list[str] = field(default_factory=list)
    matched: list[str] = field(default_factory=list)
    exposed: list[str] = field(default_factory=list)
    """Seats that signed for an interval that is wrong in truth."""
    lured: list[str] = field(default_factory=list)
    """Seats that signed for the forced error."""


class World:
    """A market under `terms` in which the strategy `cast` is played; or its honest twin, in which the same accounts have the
    same seats and keep to the rules."""

    def __init__(self, setting: Setting, terms: Terms, draws: Draws, cast: Strategy, *, honest: bool) -> None:
        self.setting, self.terms, self.draws = setting, terms, draws
        self.cast = cast
        self.strategy = Strategy("honest", cast.members, "") if honest else cast
        self.ledger = Ledger()
        self.escaped = self.slashed = self.conceded = self.forced = self.jackpots = 0
        self.paid = split(terms.collateral)
        self.costs = level_costs(setting, terms.collateral)
        self.work = setting.price * setting.replay // MILLION
        self.share = setting.interval_cost
        self.seal = setting.money(setting.gas.seal)
        self.dispute = challenger_cost(setting)
        self.answer = sum(cost.money for cost in self.costs)

    def run(self) -> list[dict[str, int]]:
        """Play every task; returns what each account got or lost in it, in the smallest unit."""
        found: list[dict[str, int]] = []
        before: dict[str, int] = {}
        for task in range(len(self.draws.forced)):
            self.play(task)
            now = dict(self.ledger.balances)
            found.append({name: amount - before.get(name, 0) for name, amount in now.items()})
            before = now
        return found

    def play(self, task: int) -> None:
        """One task from post to settlement."""
        pay, terms, strategy = self.ledger.pay, self.terms, self.strategy
        fees = terms.fee * self.setting.verifiers
        total = self.setting.price + fees + terms.tax
        pay(SUBMITTER, ESCROW, total)
        own_task = SUBMITTER in self.cast.members and not strategy.pump
        if own_task:  # whoever posts to itself knows the right result anyway: what it is worth to it is no difference
            pay(OUTSIDE, SUBMITTER, total)
        wrong = self._wrong(task)
        pay(SOLVER, ENERGY, self.work - len(wrong) * self.work * strategy.saved // (MILLION * self.setting.intervals))
        # The tax is gone once the lot has fallen: else a task could be let fail unless the lot is good.
        pay(ESCROW, POOL, terms.tax)
        forced = self.draws.forced[task] < self.setting.forced
        self.forced += forced
        if strategy.pump and not forced and all(s >= self.setting.honest for s in self.draws.seats[task]):
            pay(ESCROW, SUBMITTER, self.setting.price + fees)  # its own seats do not attest: a refund without a culprit
            return
        found = self._search(task, wrong, forced and not strategy.skips)
        self._grief()
        if wrong and (found.real or (strategy.challenges and not strategy.gain)):
            self._caught(task, found)
            return
        skipped = forced and strategy.skips
        if forced and not skipped:
            self._forced(found)
        # The secret shows who should have erred and did not: its price is burned.
        self._settle(found, BURNED if skipped else SOLVER)
        self.escaped += bool(wrong)
        if not (wrong or own_task or strategy.pump):
            pay(OUTSIDE, SUBMITTER, total)
        if wrong and strategy.gain:
            pay(OUTSIDE, SOLVER, self.setting.gain)

    def _wrong(self, task: int) -> frozenset[int]:
        """The intervals that are wrong in truth. Which ones does not matter: the draw is a random permutation."""
        if self.strategy.wrong:
            return frozenset(range(self.setting.intervals if self.strategy.wrong < 0 else self.strategy.wrong))
        faulty = self.draws.fault[task] < self.setting.fault
        return frozenset({self.draws.faulty[task]}) if faulty else frozenset()

    def _search(self, task: int, wrong: frozenset[int], forced: bool) -> Found:
        """Verifiers and whistleblowers replay; each pays for what it does."""
        setting, found = self.setting, Found()
        picks = self.draws.picks[task]
        error = picks[self.draws.slot[task]] if forced else -1
        for seat in range(setting.verifiers):
            mine = picks[seat * setting.audit_intervals : (seat + 1) * setting.audit_intervals]
            self._attest(self._owner(task, seat), mine, wrong, error, found)
        for number, slots in enumerate(self.draws.patrol[task]):
            mine = [picks[x] for x in slots]
            name = f"w{number}"
            self.ledger.pay(name, ENERGY, self.share * len(mine))
            self._report(name, mine, wrong, error, found)
        return found

    def _owner(self, task: int, seat: int) -> str:
        if self.cast.cronies and self.draws.seats[task][seat] >= self.setting.honest:
            return CRONIES
        return SEAT if seat == 0 else SEATS

    def _attest(self, name: str, mine: list[int], wrong: frozenset[int], error: int, found: Found) -> None:
        """One seat: replay and say what it found, or sign for nothing."""
        self.ledger.pay(name, CHAIN, self.seal)
        lazy = self.strategy.lazy
        if (lazy, name) in (("guess", SEAT), ("junk", CRONIES)):
            # Neither a match nor a finding that was upheld: as an accuser that never opens, it made everybody wait.
            self.ledger.pay(name, BURNED, self.terms.verifier_collateral // 2)
            return
        bought = (self.strategy.cronies and name == CRONIES) or lazy == "all"
        told = lazy == "leak" and name == SEAT
        if not (bought or told):
            self.ledger.pay(name, ENERGY, self.share * len(mine))
            if self._report(name, mine, wrong, error, found):
                return
        elif bought and error in mine:
            # The solver tells its own which errors are forced: they claim as if they had replayed.
            found.forced.append(name)
            return
        found.matched.append(name)
        if wrong.intersection(mine):
            found.exposed.append(name)
        if error in mine:
            found.lured.append(name)

    def _report(self, name: str, mine: list[int], wrong: frozenset[int], error: int, found: Found) -> bool:
        """Seal what differs; returns whether something did."""
        hit = False
        if wrong.intersection(mine):
            found.real.append(name)
            hit = True
        if error in mine:
            found.forced.append(name)
            hit = True
        if hit and name.startswith("w"):
            self.ledger.pay(name, CHAIN, self.seal)
        return hit

    def _grief(self) -> None:
        """A false challenge, left after a level: bonds lost, three quarters burned, one quarter to the solver."""
        level, pay = self.strategy.level, self.ledger.pay
        if level:
            lost = level * self.terms.bond
            pay(OWN, BURNED, lost - lost // 4)
            pay(OWN, SOLVER, lost // 4)
            pay(OWN, CHAIN, self.seal)
            for cost in self.costs[:level]:
                pay(SOLVER, CHAIN, cost.money - cost.compute - cost.interest)
                pay(SOLVER, OUTSIDE, cost.interest)
                pay(SOLVER, ENERGY, cost.compute)

    def _caught(self, task: int, found: Found) -> None:
        """A wrong interval was found: a concession where that is allowed, else a dispute and the collateral."""
        pay, setting, terms = self.ledger.pay, self.setting, self.terms
        fees = terms.fee * setting.verifiers
        pay(ESCROW, SUBMITTER, setting.price + fees)
        fault = not self.strategy.wrong
        if (fault or self.strategy.concedes) and terms.concession:
            self.conceded += 1
            pay(SOLVER, SUBMITTER, terms.tax)
            for seat in range(setting.verifiers):
                pay(SOLVER, self._owner(task, seat), terms.fee)
            return
        self.slashed += 1
        challenger = OWN if self.strategy.challenges else found.real[self.draws.tie[task] % len(found.real)]
        if fault or self.strategy.silent:  # not defended: the challenger wins by the clock
            pay(challenger, CHAIN, setting.money(setting.gas.seal + setting.gas.expire))
        else:
            pay(challenger, CHAIN, self.dispute)
            pay(SOLVER, CHAIN, self.answer)
        pay(SOLVER, challenger, self.paid.reward)
        pay(SOLVER, SUBMITTER, self.paid.compensation)
        # Verifiers that signed for nothing wrong did their work: their fees come out of the half that is burned.
        right = [name for name in (*found.real, *found.matched) if not name.startswith("w")]
        for name in found.exposed:
            right.remove(name)
        for name in right:
            pay(SOLVER, name, terms.fee)
        pay(SOLVER, BURNED, self.paid.burned - terms.fee * len(right))
        self._expose(found.exposed, challenger)

    def _expose(self, seats: list[str], finder: str | None) -> None:
        """Seats that signed for what is wrong lose what they locked: half to who found it, the rest burned."""
        amount = self.terms.verifier_collateral
        for name in seats:
            self.ledger.pay(name, finder or BURNED, amount // 2)
            self.ledger.pay(name, BURNED, amount - amount // 2)

    def _forced(self, found: Found) -> None:
        """The solver opens the true result; whoever had named the error, and the solver, share the pot."""
        pay = self.ledger.pay
        accusers = list(found.forced)
        own = self.strategy.accusers
        if own and (SOLVER in self.strategy.members or set(accusers) & set(self.strategy.members)):
            accusers += [OWN] * own
            pay(OWN, CHAIN, own * self.seal)
        pot = min(self.terms.pot, self.ledger.balances[POOL])
        share = share_of(pot, len(accusers))
        for name in (*accusers, SOLVER):
            pay(POOL, name, share)
        # What is left is burned: were it kept, whoever claims twice would find it in a later pot.
        pay(POOL, BURNED, pot - share * (len(accusers) + 1))
        self.jackpots += bool(accusers)
        self._expose(found.lured, accusers[0] if accusers else None)

    def _settle(self, found: Found, solver: str) -> None:
        """Price, fees of those who matched or found the forced error, and the rest back to the submitter."""
        pay, terms = self.ledger.pay, self.terms
        pay(ESCROW, solver, self.setting.price)
        earned = [
            name for name in (*found.matched, *found.forced) if not name.startswith("w") and name not in found.lured
        ]
        for name in earned:
            pay(ESCROW, name, terms.fee)
        pay(ESCROW, SUBMITTER, terms.fee * (self.setting.verifiers - len(earned)))
