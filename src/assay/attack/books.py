"""Everybody's money, wherever it lies: in the account, in a stake, owed by a contract, or put down as a bond."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from assay.chain import Client, Deployment, Games, Role

__all__ = ["Books", "net", "read_books"]

BURN = "0x" + "00" * 18 + "dEaD"


@dataclass(frozen=True)
class Books:
    """What each address owns, what was burned, and how much money there is. Amounts are in the smallest unit."""

    owned: dict[str, int]
    burned: int
    supply: int
    grant: int
    granted: frozenset[str]

    @property
    def balanced(self) -> bool:
        """Whether every coin there is belongs to somebody or was burned."""
        return sum(self.owned.values()) + self.burned == self.supply


def read_books(client: Client, contracts: Deployment, accounts: Iterable[str]) -> Books:
    """The books of these addresses. They only balance if all addresses are there that ever had money."""
    token, stakes, market = contracts.connect(client)
    games = Games(client, contracts)
    owned, granted = {}, set()
    for account in accounts:
        staked = sum(stakes.stake_of(account, role) for role in Role)
        owned[account] = token.balance_of(account) + staked + market.owed(account) + games.owed(account)
        if token.granted(account):
            granted.add(account)
    return Books(
        owned, token.balance_of(BURN) + games.owed(BURN), token.total_supply(), token.grant(), frozenset(granted)
    )


def net(before: Books, after: Books, accounts: Iterable[str]) -> dict[str, int]:
    """What each of `accounts` gained. The faucet's gift is no gain."""
    gained = {}
    for account in accounts:
        gift = after.grant if account in after.granted and account not in before.granted else 0
        gained[account] = after.owned[account] - before.owned.get(account, 0) - gift
    return gained
