"""The simulated market: money is conserved, every dishonest strategy loses, and what was derived is what happens."""

from __future__ import annotations

import msgspec
import pytest

from assay.economics import LOCAL, MILLION, RATIO, derive, griefing, level_costs
from assay.economics.ledger import BURNED, ESCROW, POOL, Ledger
from assay.economics.simulation import FIRST, POPULATIONS, Report, estimate, simulate
from assay.economics.strategies import BEYOND, STRATEGIES, Strategy
from assay.economics.world import Draws, World

TASKS = 3000


@pytest.fixture(scope="module", params=list(POPULATIONS))
def report(request) -> Report:
    return simulate(POPULATIONS[request.param], TASKS, seed=1)


def test_every_dishonest_strategy_loses_and_no_honest_one_does(report):
    assert [o.name for o in report.outcomes if not o.loses] == []
    assert report.dishonesty_loses
    assert report.honesty_pays
    assert {name for name, e in report.honest.items() if e.high < 0} == set()
    assert report.conserved


def test_every_strategy_is_played(report):
    names = {s.name for s in STRATEGIES} - ({"Sybil on the jackpot"} if report.population == "first" else set())
    assert {o.name for o in report.outcomes} == names
    assert [o.name for o in report.beyond] == [s.name for s in BEYOND]


def test_the_attacker_pays_six_and_a_half_times(report):
    assert min(report.griefing.values()) == report.griefing_least >= float(RATIO)


def test_whistleblowers_join_while_it_pays(report):
    if report.population == "first":
        assert (report.whistleblowers, report.patrols) == (0, [])
        return
    *stay, one_more, two_more = report.patrols
    assert len(stay) == report.whistleblowers >= 1
    assert all(p.income.mean > 0 for p in stay)
    assert two_more.income.high < 0
    assert one_more.income.mean < stay[-1].income.mean


def test_what_the_assumption_excludes_does_gain_where_nobody_else_looks():
    report = simulate(POPULATIONS["first"], 200, seed=3)
    (bought,) = report.beyond
    assert bought.escaped == 200
    assert bought.advantage.low > 0
    assert not bought.loses


def test_at_a_tenth_of_the_stake_cheating_pays():
    """The test of the tests: at too small terms the simulation says so."""
    terms = derive(POPULATIONS["main"].setting)
    setting = POPULATIONS["main"].setting
    draws = Draws.of(setting, 1000, 0, 1)
    low = msgspec.structs.replace(terms, collateral=terms.collateral // 10)
    cast = next(s for s in STRATEGIES if s.name == "tampered weight")

    def gained(with_terms) -> float:
        runs = [World(setting, with_terms, draws, cast, honest=h).run() for h in (True, False)]
        return sum(b["solver"] - a["solver"] for a, b in zip(*runs, strict=True)) / 1000

    assert gained(terms) < 0 < gained(low)


@pytest.mark.parametrize("strategy", [*STRATEGIES, *BEYOND], ids=lambda s: s.name)
@pytest.mark.parametrize("setting", [LOCAL, FIRST], ids=["local", "first"])
def test_money_is_conserved_and_nothing_stays_in_escrow(setting, strategy):
    setting = msgspec.structs.replace(setting, fault=MILLION // 20, forced=MILLION // 4)
    draws = Draws.of(setting, 150, 2, 9)
    for honest in (True, False):
        world = World(setting, derive(setting), draws, strategy, honest=honest)
        for changes in world.run():
            assert sum(changes.values()) == 0
            assert changes.get(ESCROW, 0) == 0
        assert sum(world.ledger.balances.values()) == 0
        assert world.ledger.balances[POOL] >= 0
        assert all(type(v) is int for v in world.ledger.balances.values())


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_a_griefer_pays_what_was_derived(level):
    """What leaves the griefer's account against what the solver lays out, with the quarter it gets back left out."""
    terms = derive(LOCAL)
    draws = Draws.of(LOCAL, 20, 0, 1)
    cast = next(s for s in STRATEGIES if s.level == level)
    changes = [World(LOCAL, terms, draws, cast, honest=h).run() for h in (True, False)]
    lost = level * terms.bond
    for calm, griefed in zip(*changes, strict=True):
        solver = griefed["solver"] - calm["solver"]
        spent = lost // 4 - solver
        assert spent == sum(c.money for c in level_costs(LOCAL, terms.collateral)[:level])
        assert -griefed["own"] == lost + LOCAL.money(LOCAL.gas.seal)
        assert -griefed["own"] / spent >= griefing(LOCAL, terms.bond, terms.collateral)[level - 1] >= RATIO
        assert griefed[BURNED] - calm.get(BURNED, 0) == lost - lost // 4


@pytest.mark.parametrize("name", ["free result", "verifier that guesses"])
def test_who_seals_junk_loses_half_of_its_lock_and_the_solver_is_paid(name):
    cast = next(s for s in STRATEGIES if s.name == name)
    setting = msgspec.structs.replace(LOCAL, honest=1, fault=0, forced=MILLION)  # the cronies hold every seat
    terms = derive(setting)
    quiet = msgspec.structs.replace(setting, forced=0)
    world = World(quiet, terms, Draws.of(quiet, 10, 0, 1), cast, honest=False)
    seats = 2 if cast.cronies else 1
    for changes in world.run():
        assert changes[BURNED] == seats * (terms.verifier_collateral // 2)
        assert changes["solver"] == setting.price - setting.price * setting.replay // MILLION
        account = "cronies" if cast.cronies else "seat"
        assert changes[account] == -changes[BURNED] - seats * setting.money(setting.gas.seal)


def test_the_same_seed_gives_the_same_report_and_another_one_another():
    one, two, other = (simulate(POPULATIONS["local"], 100, seed) for seed in (5, 5, 6))
    assert one == two
    assert one.honest != other.honest


def test_pool_and_escrow_cannot_give_what_they_do_not_have():
    ledger = Ledger()
    ledger.pay("a", POOL, 5)
    for payer, amount in ((POOL, 6), (ESCROW, 1), ("a", -1)):
        with pytest.raises(ValueError, match="cannot pay"):
            ledger.pay(payer, "b", amount)
    assert ledger.sum_of(("a", POOL)) == 0


def test_an_estimate_is_the_mean_and_its_interval():
    found = estimate([1, 2, 3, 4, 5] * 20)
    assert found.mean == 3
    assert found.low == pytest.approx(3 - 2.5758 * 1.42134 / 10, abs=2e-3)
    assert found.high == pytest.approx(6 - found.low)


def test_an_honest_strategy_is_its_own_twin():
    draws = Draws.of(LOCAL, 50, 1, 4)
    cast = Strategy("honest", ("solver",), "")
    terms = derive(LOCAL)
    assert World(LOCAL, terms, draws, cast, honest=True).run() == World(LOCAL, terms, draws, cast, honest=False).run()
