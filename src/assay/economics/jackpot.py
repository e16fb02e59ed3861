"""Forced errors: the tax that pays for them, the pot, who gets which share, and how many whistleblowers that feeds."""

from __future__ import annotations

from fractions import Fraction

from .setting import MILLION, Setting

__all__ = ["equilibrium", "least_tax", "pot_of", "share_of", "whistleblower_income"]

SURPLUS = Fraction(5, 4)
"""What a lone whistleblower earns for each unit that it spends."""


def share_of(pot: int, accusers: int) -> int:
    """What each of `accusers` right accusers, and the solver, gets of a pot: pot / 2^accusers, rounded down.

    k accusers and the solver get (k + 1) · (pot >> k) together, never more than the pot. Whoever takes s places instead
    of one among m others gets s · (pot >> (m + s)) <= pot >> (m + 1): splitting an identity never pays. A solver that tips
    off s accusers of its own is an identity split into s + 1, so tipping off does not pay either.
    """
    if accusers < 0:
        raise ValueError(f"accusers: {accusers}")
    return pot >> accusers


def pot_of(setting: Setting, tax: int) -> int:
    """The pot that `tax` per task pays for: forced · pot <= tax, so that the pool is never promised more than it takes in."""
    return tax * MILLION // setting.forced


def least_tax(setting: Setting) -> int:
    """The tax per task at which a lone whistleblower has its costs back, and a quarter on top.

    Replaying every drawn interval costs slots · `interval_cost`, and now and then an accusation. It finds each forced
    error; the `replays` verifiers that drew it find it too, so it gets pot >> (replays + 1). 0 where nobody is to patrol.
    """
    if not setting.patrolled:
        return 0
    per_task = setting.interval_cost * setting.slots + Fraction(
        setting.money(setting.gas.seal) * setting.forced, MILLION
    )
    need = SURPLUS * per_task * 2 ** (setting.replays + 1)
    return int(need // 1) + 1


def whistleblower_income(setting: Setting, tax: int, others: int, patrol: int) -> Fraction:
    """Expected income less cost of one replayed interval, when `others` whistleblowers each replay a share `patrol` (parts
    per million) of all drawn intervals."""
    pot, half = pot_of(setting, tax), 1 - Fraction(patrol, 2 * MILLION)
    hit = Fraction(setting.forced, MILLION * setting.slots)
    found = hit * share_of(pot, setting.replays + 1) * half**others
    return found - setting.interval_cost - hit * setting.money(setting.gas.seal)


def equilibrium(setting: Setting, tax: int, patrol: int, most: int = 1000) -> int:
    """How many whistleblowers there are when one joins while that pays, and leaves when it does not."""
    number = 0
    while number < most and whistleblower_income(setting, tax, number, patrol) > 0:
        number += 1
    return number
