"""All terms of a task at once, as they become contract parameters."""

from __future__ import annotations

import msgspec

from .bonds import least_bond
from .collateral import concession_is_safe, deductible, least_collateral, least_fee, least_verifier_collateral
from .jackpot import least_tax, pot_of
from .setting import Setting

__all__ = ["Terms", "derive"]


class Terms(msgspec.Struct, frozen=True):
    """What becomes a contract's parameter. Amounts in the smallest unit; every rounding is against the attacker."""

    fee: int
    collateral: int
    verifier_collateral: int
    bond: int
    tax: int
    pot: int
    deductible: int
    concession: bool
    """Whether a concession that costs the work, the verifiers' fees and the tax is no free option."""


def derive(setting: Setting) -> Terms:
    """The least terms at which every attack of docs/economics.md loses money, with its margin."""
    tax, collateral = least_tax(setting), least_collateral(setting)
    return Terms(
        fee=least_fee(setting),
        collateral=collateral,
        verifier_collateral=least_verifier_collateral(setting),
        bond=least_bond(setting, collateral),
        tax=tax,
        pot=pot_of(setting, tax),
        deductible=deductible(setting),
        concession=concession_is_safe(setting),
    )
