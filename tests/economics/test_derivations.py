"""No listed attack gains anything at the derived terms, whatever the setting; and every integer is rounded the safe way."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product

import msgspec
import pytest
from economic_settings import settings
from hypothesis import given
from hypothesis import settings as run
from hypothesis import strategies as st

from assay.economics import (
    COALITIONS,
    LOCAL,
    MAIN,
    MILLION,
    NETWORKS,
    RATIO,
    advantage,
    brackets,
    challenger_cost,
    deductible,
    derive,
    detection,
    equilibrium,
    escape,
    griefing,
    least_collateral,
    least_fee,
    least_tax,
    least_verifier_collateral,
    level_costs,
    pot_of,
    share_of,
    split,
    whistleblower_income,
)

few = run(max_examples=60, deadline=None)


def by_enumeration(setting, wrong: int) -> Fraction:
    """The chance of escape, over every set of honest seats and every place of the wrong intervals in the permutation."""
    n, a, honest = setting.intervals, setting.audit_intervals, Fraction(setting.honest, MILLION)
    total = Fraction(0)
    for seats in product((False, True), repeat=setting.verifiers):
        seen = {(j * a + t) % n for j, there in enumerate(seats) if there for t in range(a)}
        places = list(combinations(range(n), wrong))
        missed = Fraction(sum(not seen & set(p) for p in places), len(places))
        total += honest ** sum(seats) * (1 - honest) ** (len(seats) - sum(seats)) * missed
    return total


@pytest.mark.parametrize("n", [1, 4, 6])
@pytest.mark.parametrize("seats", [1, 2, 3])
@pytest.mark.parametrize("honest", [300_000, 800_000])
def test_the_chance_of_escape_is_never_understated(n, seats, honest):
    for a in range(1, n + 1):
        setting = msgspec.structs.replace(LOCAL, intervals=n, verifiers=seats, audit_intervals=a, honest=honest)
        for wrong in range(1, n + 1):
            exact, bound = by_enumeration(setting, wrong), escape(setting, wrong)
            assert bound >= exact
            if seats * a <= n or wrong == 1:
                assert bound == exact
    with pytest.raises(ValueError, match="wrong intervals"):
        escape(LOCAL, LOCAL.intervals + 1)


@pytest.mark.parametrize("n", [1, 63, 64, 65, 127, 128, 1000])
def test_brackets_hold_every_number_once(n):
    assert [m for low, high in brackets(n) for m in range(low, high + 1)] == list(range(1, n + 1))


@few
@given(settings(), st.data())
def test_no_coalition_gains_by_any_number_of_wrong_intervals(setting, data):
    collateral = least_collateral(setting)
    wrong = data.draw(st.integers(1, setting.intervals))
    for coalition in COALITIONS:
        for m in {1, wrong, setting.intervals}:
            assert advantage(setting, coalition, collateral, m) < 0


@few
@given(settings())
def test_collateral_pays_for_a_challenger_and_makes_the_submitter_whole(setting):
    terms = derive(setting)
    parts = split(terms.collateral)
    fees = terms.fee * setting.verifiers
    assert parts.reward >= challenger_cost(setting)
    assert parts.compensation >= terms.tax
    assert terms.collateral >= RATIO * challenger_cost(setting)
    assert parts.burned > fees, "fees of honest verifiers come out of what would be burned, and something is left"


@given(st.integers(0, 2**96))
def test_a_slash_is_split_without_rest_and_no_coalition_has_it_back(amount):
    parts = split(amount)
    assert parts.reward + parts.compensation + parts.burned == amount
    assert parts.burned >= amount / 2
    shares = {"challenger": parts.reward, "submitter": parts.compensation}
    for size in range(3):
        for together in combinations(shares, size):
            assert amount == 0 or sum(shares[name] for name in together) < amount
    assert max(parts.reward, parts.compensation) <= Fraction(amount, 4)


def test_the_coalitions_lose_what_the_split_does_not_give_them_back():
    parts = split(400)
    back = {"challenger": parts.reward, "submitter": parts.compensation, "solver": 0}
    for coalition in COALITIONS:
        together = coalition.name.split(", ")
        assert coalition.lost * 400 == 400 - sum(back[name] for name in together)
        assert coalition.price == ("submitter" not in together)
    assert len(COALITIONS) == 4, "every subset of submitter and challenger, beside the solver"


@few
@given(settings(), st.data())
def test_a_safe_concession_is_no_free_option(setting, data):
    terms = derive(setting)
    if terms.concession:
        paid = setting.price + terms.fee * setting.verifiers + terms.tax
        for m in {1, setting.intervals, data.draw(st.integers(1, setting.intervals))}:
            missed = escape(setting, m)
            saved = Fraction(setting.price * m, setting.intervals)
            assert saved + missed * setting.gain - (1 - missed) * paid <= 0


def test_once_per_period_alone_is_a_free_option_on_the_main_net():
    """Planting one until it is found gains (1-q)/q of them for one lost price, and the fees do not make up for it."""
    terms, q = derive(MAIN), detection(MAIN, 1)
    assert (1 - q) / q * MAIN.gain > MAIN.price + terms.fee * MAIN.verifiers + terms.tax
    assert not terms.concession
    assert deductible(MAIN) > 0


@few
@given(settings())
def test_a_verifier_that_is_told_the_trace_loses_by_not_replaying(setting):
    saved = setting.audit_intervals * setting.interval_cost
    exposed = Fraction(setting.forced, MILLION * setting.verifiers)
    assert exposed * least_verifier_collateral(setting) / 2 > saved or saved == 0
    assert least_fee(setting) > saved + setting.money(2 * setting.gas.seal)


@few
@given(settings())
def test_wasting_a_defenders_money_costs_six_and_a_half_times_as_much(setting):
    bond, collateral = derive(setting).bond, derive(setting).collateral
    costs = level_costs(setting, collateral)
    assert all(bond >= RATIO * cost.money for cost in costs)
    if all(cost.money for cost in costs):
        assert min(griefing(setting, bond, collateral)) >= RATIO
        # and it is the least that does
        assert (bond - 1) < RATIO * max(cost.money for cost in costs) or bond == 1


# --- jackpots

pots = st.integers(0, 2**80)


@given(pots, st.integers(0, 40), st.integers(1, 40))
def test_splitting_an_identity_never_raises_its_share(pot, others, names):
    assert names * share_of(pot, others + names) <= share_of(pot, others + 1)


@given(pots, st.integers(0, 40), st.integers(1, 40))
def test_tipping_off_never_raises_what_solver_and_friends_have(pot, others, friends):
    assert (friends + 1) * share_of(pot, others + friends) <= share_of(pot, others)


@given(pots, st.integers(2, 60))
def test_what_all_accusers_get_falls_with_their_number(pot, k):
    assert (k + 1) * share_of(pot, k + 1) <= k * share_of(pot, k)
    assert (k + 1) * share_of(pot, k) <= pot
    with pytest.raises(ValueError, match="accusers"):
        share_of(pot, -1)


def test_the_first_version_made_tipping_off_pay():
    """J >> (k-1) for accusers only: beside one honest accuser, a solver that tips off its own gets a share for nothing."""
    pot = 1000
    assert pot >> 1 > 0
    assert share_of(2 * pot, 1) == pot >> 0, "and the accuser's amounts are the same at twice the pot"
    assert share_of(2 * pot, 3) == pot >> 2


@few
@given(settings(), st.integers(0, 10**18))
def test_the_pool_is_never_promised_more_than_it_takes_in(setting, tax):
    assert Fraction(setting.forced, MILLION) * pot_of(setting, tax) <= tax


@few
@given(settings())
def test_a_lone_whistleblower_earns_and_a_crowd_does_not(setting):
    tax = least_tax(setting)
    if setting.interval_cost * setting.slots < 10**6:  # the pot is cut to whole units thrice
        return
    assert whistleblower_income(setting, tax, 0, 250_000) > 0
    stay = equilibrium(setting, tax, 250_000)
    assert 1 <= stay < 1000
    assert (
        whistleblower_income(setting, tax, stay - 1, 250_000) > 0 >= whistleblower_income(setting, tax, stay, 250_000)
    )


def test_where_nobody_is_to_patrol_there_is_no_tax_and_nobody_comes():
    setting = msgspec.structs.replace(MAIN, patrolled=False)
    terms = derive(setting)
    assert (terms.tax, terms.pot) == (0, 0)
    assert equilibrium(setting, 0, 250_000) == 0
    assert terms.verifier_collateral == derive(MAIN).verifier_collateral, (
        "forced errors still expose who does not replay"
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_terms_are_integers(name):
    terms = derive(NETWORKS[name])
    assert all(type(v) in (int, bool) for v in msgspec.structs.asdict(terms).values())
    assert derive(NETWORKS[name]) == terms
