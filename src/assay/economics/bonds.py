"""What a dispute costs at each level, and the bond that makes wasting a defender's money dear."""

from __future__ import annotations

from fractions import Fraction

import msgspec

from .setting import Setting

__all__ = ["LEVELS", "RATIO", "LevelCost", "challenger_cost", "griefing", "least_bond", "level_costs"]

RATIO = Fraction(13, 2)
"""What an attacker pays at least for each unit that the defender pays. The best published figure is 6.46 (BoLD)."""

LEVELS = ("STEPS", "VALUES", "TENSOR", "FOLD")
"""The levels at which a challenger puts down a bond (docs/dispute.md). STATE stands in the place of VALUES, and is cheaper."""

LANE_WORDS = 4
SHOWN_WORDS = 32

YEAR = 365 * 86_400


class LevelCost(msgspec.Struct, frozen=True):
    """What the solver has to do at a level if the challenger walks it to its end."""

    level: str
    moves: int
    gas: int
    compute: int
    """Work that the solver does again, because it kept checkpoints only, in money."""
    interest: int
    """What it costs that the collateral stays locked for both clocks: an attacker can have that at the first level."""
    money: int
    """All of it: gas, work and interest."""


def level_costs(setting: Setting, collateral: int = 0) -> tuple[LevelCost, ...]:
    """The solver's cost of each level; the transaction that ends a game which the challenger left is counted at each."""
    waiting = -(-collateral * setting.interest * 2 * setting.clock // (10**6 * YEAR))
    ways, gas = setting.ways, setting.gas
    steps = _rounds(-(-setting.steps // setting.intervals), ways)
    values = _rounds(setting.values, ways)
    chunks = _rounds(setting.chunks, ways)
    folds = _rounds(-(-setting.fold // 8), ways)
    words = {
        "STEPS": steps * (ways - 1),
        "VALUES": values * ways + 1,
        "TENSOR": chunks * ways + SHOWN_WORDS,
        "FOLD": folds * (ways - 1) * LANE_WORDS,
    }
    moves = {"STEPS": steps, "VALUES": values, "TENSOR": chunks + 1, "FOLD": folds}
    step_cost = -(-setting.price * setting.replay // (10**6 * setting.steps))
    compute = {"STEPS": setting.interval_cost, "VALUES": step_cost, "TENSOR": step_cost, "FOLD": step_cost}
    found = []
    for level in LEVELS:
        used = moves[level] * gas.move + words[level] * gas.word + gas.expire
        interest = waiting if level == LEVELS[0] else 0
        money = setting.money(used) + compute[level] + interest
        found.append(LevelCost(level, moves[level], used, compute[level], interest, money))
    return tuple(found)


def _rounds(size: int, ways: int) -> int:
    """Moves until `size` parts are narrowed to one, `ways` at a time: ceil(log(size) / log(ways)), at least 1."""
    rounds, reach = 1, ways
    while reach < size:
        rounds, reach = rounds + 1, reach * ways
    return rounds


def least_bond(setting: Setting, collateral: int) -> int:
    """The bond per level. One number for all levels, so the dearest level decides: ceil(6.5 · its cost), at least 1."""
    dearest = max(cost.money for cost in level_costs(setting, collateral))
    return max(1, -(-dearest * RATIO.numerator // RATIO.denominator))


def griefing(setting: Setting, bond: int, collateral: int) -> tuple[Fraction, ...]:
    """For an attacker that leaves after level 1, .., 4: bonds lost, for each unit that the defender pays by then.

    The attacker's own gas, and the quarter of the bonds that the solver gets, would make it larger and are left out.
    """
    ratios, paid, lost = [], 0, 0
    for cost in level_costs(setting, collateral):
        paid, lost = paid + cost.money, lost + bond
        ratios.append(Fraction(lost, paid))
    return tuple(ratios)


def challenger_cost(setting: Setting) -> int:
    """What an honest challenger pays for a whole dispute: a replay of the interval, one short move for each of the
    solver's, and the proof."""
    moves = sum(cost.moves for cost in level_costs(setting))
    gas = setting.gas.seal + moves * setting.gas.move + setting.gas.prove + setting.gas.expire
    return setting.money(gas) + setting.interval_cost
