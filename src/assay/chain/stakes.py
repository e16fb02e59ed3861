"""Who offers to solve, to verify and to blow the whistle, where they answer, and their stake."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from .client import TransactionReceipt
from .contract import Contract

__all__ = ["Member", "Role", "Stakes"]


class Role(IntEnum):
    """What an account puts a stake behind, as the stakes contract numbers it."""

    SOLVER = 1
    VERIFIER = 2
    WHISTLEBLOWER = 3


@dataclass(frozen=True, slots=True)
class Member:
    """An account in a role. `locked` of its stake depends on tasks; `unlocks` is 0 while active, else when the rest is free."""

    stake: int
    locked: int
    joined: int
    unlocks: int
    index: int
    endpoint: str


class Stakes(Contract):
    """Who offers to solve and to verify, where they answer, and their stake."""

    kind = "stakes"

    def register(self, role: Role, amount: int, endpoint: str) -> TransactionReceipt:
        """Take a role or add to its stake; `amount` must have been approved. Endpoints have at most 200 bytes."""
        return self._send("register", role, amount, endpoint)

    def set_endpoint(self, role: Role, endpoint: str) -> TransactionReceipt:
        """Answer at `endpoint` from now on."""
        return self._send("set_endpoint", role, endpoint)

    def leave(self, role: Role) -> TransactionReceipt:
        """Give up the role; the stake unlocks after `unbonding`."""
        return self._send("leave", role)

    def withdraw(self, role: Role) -> TransactionReceipt:
        """Take back an unlocked stake."""
        return self._send("withdraw", role)

    def is_active(self, account: str, role: Role) -> bool:
        """Whether `account` holds the role now."""
        return bool(self._view("is_active", account, role))

    def stake_of(self, account: str, role: Role) -> int:
        """The stake of `account`, while unbonding too."""
        return int(self._view("stake_of", account, role))

    def free_of(self, account: str, role: Role) -> int:
        """The part of a stake that no task depends on."""
        return int(self._view("free_of", account, role))

    def endpoint_of(self, account: str, role: Role) -> str:
        """Where `account` answers; empty if it is not a member."""
        return str(self._view("endpoint_of", account, role))

    def seated(self, role: Role, index: int, since: int) -> str:
        """The member at a position if it joined in block `since` or before, else the zero address."""
        return str(self._view("seated", role, index, since))

    def member(self, account: str, role: Role) -> Member:
        """All about `account` in a role; zeros if it is not a member."""
        return Member(**self._view("members", account, role))

    def count(self, role: Role) -> int:
        """Number of active members."""
        return int(self._view("count", role))

    def at(self, role: Role, index: int) -> str:
        """The active member at a position."""
        return str(self._view("at", role, index))

    def active(self, role: Role) -> tuple[str, ...]:
        """All active members of a role, by position."""
        return tuple(self.at(role, index) for index in range(self.count(role)))

    def minimum(self, role: Role) -> int:
        """Least stake of a role."""
        return int(self._view(f"{role.name.lower()}_minimum"))

    def unbonding(self) -> int:
        """Seconds between `leave` and `withdraw`."""
        return int(self._view("unbonding"))

    def market(self) -> str:
        """Address of the market, which alone locks and slashes."""
        return str(self._view("market"))

    def token(self) -> str:
        """Address of the currency."""
        return str(self._view("token"))
