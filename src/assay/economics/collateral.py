"""The stake behind a result: how large it must be, how it is split when lost, and when a fault may be conceded."""

from __future__ import annotations

from fractions import Fraction

import msgspec

from .audit import brackets, escape
from .bonds import RATIO, challenger_cost
from .jackpot import least_tax
from .setting import MILLION, Setting

__all__ = [
    "COALITIONS",
    "MARGIN",
    "Coalition",
    "Split",
    "advantage",
    "concession_is_safe",
    "deductible",
    "least_collateral",
    "least_fee",
    "least_verifier_collateral",
    "split",
]

MARGIN = Fraction(3, 2)
"""Every derived amount is larger than the least by this: assumptions are guesses."""

FEE_MARGIN = Fraction(5, 4)


class Split(msgspec.Struct, frozen=True):
    """Where a lost collateral goes. The three parts add up to it."""

    reward: int
    compensation: int
    burned: int


def split(amount: int) -> Split:
    """A quarter to the challenger, a quarter to the submitter, each rounded down; the rest, at least half, is burned."""
    return Split(amount // 4, amount // 4, amount - 2 * (amount // 4))


class Coalition(msgspec.Struct, frozen=True):
    """Who cheats together, and what of a lost collateral does not come back to them."""

    name: str
    lost: Fraction
    price: bool
    """Whether being caught costs it the price; not if the submitter, who gets it back, is one of them."""


COALITIONS = (
    Coalition("solver", Fraction(1), True),
    Coalition("solver, challenger", Fraction(3, 4), True),
    Coalition("submitter, solver", Fraction(3, 4), False),
    Coalition("submitter, solver, challenger", Fraction(1, 2), False),
)
"""Every coalition with a solver in it. Its own challenger is assumed to win the race against honest ones each time."""


def advantage(setting: Setting, coalition: Coalition, collateral: int, wrong: int) -> Fraction:
    """At most this is what the coalition gains, against being honest, by `wrong` wrong intervals.

    saved work + chance of escape · gain - chance of being found · (price + what is lost of the collateral). The saved
    work is counted at the price, which no solver's cost exceeds.
    """
    missed = escape(setting, wrong)
    saved = Fraction(setting.price * wrong, setting.intervals)
    caught = coalition.lost * collateral + (setting.price if coalition.price else 0)
    return saved + missed * setting.gain - (1 - missed) * caught


def _least_penalty(setting: Setting, price: bool) -> Fraction:
    """The penalty on top of the price at which no number of wrong intervals has a positive advantage."""
    worst = Fraction(0)
    for low, high in brackets(setting.intervals):
        missed = escape(setting, low)
        saved = Fraction(setting.price * high, setting.intervals)
        need = (saved + missed * setting.gain) / (1 - missed) - (setting.price if price else 0)
        worst = max(worst, need)
    return worst


def least_collateral(setting: Setting) -> int:
    """The solver's collateral: the largest that a coalition, a challenger's costs or a lying defender's game asks for.

    Raises ZeroDivisionError if no drawn verifier is ever honest: no stake helps then.
    """
    # Fees of honest verifiers come out of the burned part, and might be the coalition's own.
    fees = setting.verifiers * least_fee(setting)
    needs = [(MARGIN * _least_penalty(setting, c.price) + fees) / c.lost for c in COALITIONS]
    cost = challenger_cost(setting)
    needs.append(MARGIN * 4 * cost)  # the reward, a quarter, pays for a whole dispute
    needs.append(RATIO * cost)  # a solver that only wants to waste its challenger's money
    needs.append(Fraction(4 * least_tax(setting)))  # the compensation, a quarter, gives the submitter its tax back
    return _above(max(needs))


def least_verifier_collateral(setting: Setting) -> int:
    """What a verifier that signs without replaying has to lose: the forced error is among its intervals with chance
    forced / verifiers, and half of what it loses might come back to its own whistleblower."""
    saved = setting.audit_intervals * setting.interval_cost
    return _above(MARGIN * 2 * Fraction(saved * setting.verifiers * MILLION, setting.forced))


def least_fee(setting: Setting) -> int:
    """A verifier's fee: the cost of its replays and of two transactions, and a quarter on top."""
    cost = setting.audit_intervals * setting.interval_cost + setting.money(2 * setting.gas.seal)
    return _above(FEE_MARGIN * cost)


def deductible(setting: Setting) -> int:
    """What a concession has to cost beside the work, so that conceding is no free option for a cheat.

    Every caught cheat is taken for one that could be conceded, hence it holds for any number of wrong intervals.
    """
    need = MARGIN * _least_penalty(setting, price=True)
    return _above(need) if need else 0


def concession_is_safe(setting: Setting) -> bool:
    """Whether the verifiers' fees and the tax, which a conceding solver pays, are deductible enough."""
    return deductible(setting) <= setting.verifiers * least_fee(setting) + least_tax(setting)


def _above(least: Fraction) -> int:
    """The smallest integer that is larger than `least`: rounded the safe way, and an equal bet is no deterrent."""
    return int(least // 1) + 1
