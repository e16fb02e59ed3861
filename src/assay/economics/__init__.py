"""What honesty pays: collateral, bonds, tax and jackpot derived, and a simulation that tries them. Pure: no I/O."""

from .audit import brackets, detection, escape
from .bonds import LEVELS, RATIO, LevelCost, challenger_cost, griefing, least_bond, level_costs
from .collateral import (
    COALITIONS,
    Coalition,
    Split,
    advantage,
    concession_is_safe,
    deductible,
    least_collateral,
    least_fee,
    least_verifier_collateral,
    split,
)
from .jackpot import equilibrium, least_tax, pot_of, share_of, whistleblower_income
from .patrol import DOUBT, PRIOR_TASKS, Seen, room, suspicion
from .setting import LOCAL, MAIN, MILLION, NETWORKS, Gas, Setting
from .terms import Terms, derive

__all__ = [
    "COALITIONS",
    "DOUBT",
    "LEVELS",
    "LOCAL",
    "MAIN",
    "MILLION",
    "NETWORKS",
    "PRIOR_TASKS",
    "RATIO",
    "Coalition",
    "Gas",
    "LevelCost",
    "Seen",
    "Setting",
    "Split",
    "Terms",
    "advantage",
    "brackets",
    "challenger_cost",
    "concession_is_safe",
    "deductible",
    "derive",
    "detection",
    "equilibrium",
    "escape",
    "griefing",
    "least_bond",
    "least_collateral",
    "least_fee",
    "least_tax",
    "least_verifier_collateral",
    "level_costs",
    "pot_of",
    "room",
    "share_of",
    "split",
    "suspicion",
    "whistleblower_income",
]
