"""Balances of everyone in a simulation. Money only moves: the sum over all accounts is always zero."""

from __future__ import annotations

from collections import defaultdict

__all__ = ["BURNED", "CHAIN", "ENERGY", "ESCROW", "OUTSIDE", "POOL", "Ledger"]

BURNED, POOL, ESCROW = "burned", "pool", "escrow"
CHAIN, ENERGY = "chain", "energy"
OUTSIDE = "outside"
"""Those who buy what a result, right or wrong, is worth."""


class Ledger:
    """Integer balances, in the smallest unit. All start at zero; participants may be in debt, the others may not."""

    def __init__(self) -> None:
        self.balances: defaultdict[str, int] = defaultdict(int)

    def pay(self, payer: str, payee: str, amount: int) -> None:
        """Move `amount` >= 0. Raises ValueError where pool or escrow would have to give what it does not have."""
        if amount < 0 or (payer in (POOL, ESCROW) and self.balances[payer] < amount):
            raise ValueError(f"{payer} cannot pay {amount} to {payee}")
        self.balances[payer] -= amount
        self.balances[payee] += amount

    def sum_of(self, accounts: tuple[str, ...]) -> int:
        """What these accounts have together."""
        return sum(self.balances[name] for name in accounts)
