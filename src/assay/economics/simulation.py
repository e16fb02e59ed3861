"""Whole populations over thousands of tasks: what each strategy returns, and how many whistleblowers stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

import msgspec
import numpy as np

from .bonds import RATIO, griefing, level_costs
from .jackpot import equilibrium
from .ledger import ESCROW, OUTSIDE, POOL
from .setting import LOCAL, MAIN, MILLION, Setting
from .strategies import BEYOND, STRATEGIES, Strategy
from .terms import Terms, derive
from .world import PATROL, Draws, World

__all__ = ["POPULATIONS", "Estimate", "Outcome", "Patrol", "Population", "Report", "estimate", "simulate"]

HONEST = Strategy("honest", (), "keeps to the rules")

CONFIDENCE = 0.99
Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


class Population(msgspec.Struct, frozen=True):
    """Who is there. `whistleblowers` None: as many as the jackpots feed."""

    name: str
    sentence: str
    setting: Setting
    whistleblowers: int | None = None


FIRST = msgspec.structs.replace(LOCAL, verifiers=1, audit_intervals=10)

POPULATIONS = {
    p.name: p
    for p in (
        Population("first", "one solver, one verifier, nobody else", FIRST, 0),
        Population("local", "the local network's defaults", LOCAL),
        Population("main", "a task of 1,000 tokens on a main net", MAIN),
    )
}
"""In `first` the one verifier replays everything, and is the solver's with the same chance as any drawn one elsewhere."""


class Estimate(msgspec.Struct, frozen=True):
    """A mean per task in smallest units, between `low` and `high` with 99 % confidence."""

    mean: float
    low: float
    high: float


class Outcome(msgspec.Struct, frozen=True):
    """What a strategy returned per task, and how much more (or less) than honesty would have on the same draws."""

    name: str
    sentence: str
    returned: Estimate
    advantage: Estimate
    escaped: int
    slashed: int
    conceded: int
    loses: bool
    """Whether the whole confidence interval of the advantage is below zero."""


class Patrol(msgspec.Struct, frozen=True):
    """What each of `number` whistleblowers earned per task, less its costs."""

    number: int
    income: Estimate


class Report(msgspec.Struct, frozen=True):
    """All that a simulation says."""

    population: str
    seed: int
    tasks: int
    terms: Terms
    honest: dict[str, Estimate]
    outcomes: list[Outcome]
    beyond: list[Outcome]
    whistleblowers: int
    patrols: list[Patrol]
    griefing: dict[str, float]
    griefing_least: float
    conserved: bool
    dishonesty_loses: bool
    honesty_pays: bool


def estimate(values: Sequence[int] | np.ndarray) -> Estimate:
    """The mean of at least two values and its confidence interval, by the normal approximation."""
    array = np.asarray(values, dtype=np.float64)
    mean, half = float(array.mean()), Z * float(array.std(ddof=1)) / len(array) ** 0.5
    return Estimate(round(mean, 3), round(mean - half, 3), round(mean + half, 3))


class _Stage:
    """A population with its draws. Honest twins are played once for all strategies that cast the same people."""

    def __init__(self, setting: Setting, terms: Terms, draws: Draws) -> None:
        self.setting, self.terms, self.draws = setting, terms, draws
        self.conserved = True
        self._twins: dict[tuple[bool, bool], list[dict[str, int]]] = {}

    def play(self, strategy: Strategy, *, honest: bool = False) -> tuple[World, list[dict[str, int]]]:
        """The world after all tasks, and what each account got in each."""
        world = World(self.setting, self.terms, self.draws, strategy, honest=honest)
        changes = world.run()
        self.conserved &= sum(world.ledger.balances.values()) == 0 and world.ledger.balances[ESCROW] == 0
        return world, changes

    def twin(self, strategy: Strategy) -> list[int]:
        """What the members of the strategy get when they are honest; nothing where they would not be there at all."""
        if strategy.pump:
            return [0] * len(self.draws.forced)
        key = strategy.cronies, "submitter" in strategy.members
        if key not in self._twins:
            self._twins[key] = self.play(strategy, honest=True)[1]
        return _sums(self._twins[key], strategy.members)

    def outcome(self, strategy: Strategy) -> Outcome:
        """The strategy beside its twin."""
        world, changes = self.play(strategy)
        returned = _sums(changes, strategy.members)
        gained = estimate([a - b for a, b in zip(returned, self.twin(strategy), strict=True)])
        counts = (world.escaped, world.slashed, world.conceded)
        return Outcome(strategy.name, strategy.sentence, estimate(returned), gained, *counts, gained.high < 0)

    def honest(self) -> dict[str, Estimate]:
        """What each honest role gets. The last one is a solver whose machine spoils one task in a hundred."""
        changes = self.play(HONEST, honest=True)[1]
        roles = {"solver": "solver", "verifier": "seat", "submitter": "submitter"}
        found = {name: estimate(_sums(changes, (account,))) for name, account in roles.items()}
        flaky = _Stage(msgspec.structs.replace(self.setting, fault=MILLION // 100), self.terms, self.draws)
        found["solver with faults"] = estimate(_sums(flaky.play(HONEST, honest=True)[1], ("solver",)))
        return found


def _sums(changes: list[dict[str, int]], members: tuple[str, ...]) -> list[int]:
    return [sum(change.get(name, 0) for name in members) for change in changes]


def simulate(population: Population, tasks: int, seed: int) -> Report:
    """Play every strategy and its honest twin over `tasks` >= 2 tasks; the same arguments give the same report."""
    setting, terms = population.setting, derive(population.setting)
    number = population.whistleblowers
    number = equilibrium(setting, terms.tax, PATROL, most=16) if number is None else number
    stage = _Stage(setting, terms, Draws.of(setting, tasks, number, seed))
    honest = stage.honest()
    paid = patrols(setting, terms, number, min(tasks, 1000), seed) if population.whistleblowers is None else []
    if number:  # the mean over both lots, which is the sharper one
        honest["whistleblower"] = paid[number - 1].income
    outcomes = [stage.outcome(s) for s in STRATEGIES if number or "w0" not in s.members]
    beyond = [stage.outcome(s) for s in BEYOND]
    levels = level_costs(setting, terms.collateral)
    ratios = griefing(setting, terms.bond, terms.collateral)
    return Report(
        population=population.name,
        seed=seed,
        tasks=tasks,
        terms=terms,
        honest=honest,
        outcomes=outcomes,
        beyond=beyond,
        whistleblowers=number,
        patrols=paid,
        griefing={cost.level: float(ratio) for cost, ratio in zip(levels, ratios, strict=True)},
        griefing_least=float(min(ratios)),
        conserved=stage.conserved,
        dishonesty_loses=all(o.loses for o in outcomes) and min(ratios) >= RATIO,
        honesty_pays=all(e.high >= 0 for e in honest.values()),
    )


def patrols(setting: Setting, terms: Terms, number: int, tasks: int, seed: int) -> list[Patrol]:
    """The income of each whistleblower when there are 1, 2, .., up to two more than `number`.

    Each task is played with and without a forced error, and the two are weighted by their chances: far fewer tasks give
    the same certainty.
    """
    draws = Draws.of(setting, tasks, number + 2, seed + 1)
    draws = replace(draws, fault=[MILLION] * tasks)
    found = []
    for count in range(1, number + 3):
        names = tuple(f"w{i}" for i in range(count))
        income = np.zeros(tasks)
        for lot, chance in ((0, setting.forced), (MILLION, MILLION - setting.forced)):
            part = replace(draws, patrol=[rows[:count] for rows in draws.patrol], forced=[lot] * tasks)
            world = World(setting, terms, part, Strategy("honest", names, ""), honest=True)
            world.ledger.pay(OUTSIDE, POOL, terms.pot * tasks)
            income += np.array(_sums(world.run(), names), dtype=np.float64) * chance / MILLION
        found.append(Patrol(count, estimate(income / count)))
    return found
