"""The currency: any ERC-20; the local network brings play money."""

from __future__ import annotations

from .client import TransactionReceipt
from .contract import Contract

__all__ = ["Token"]


class Token(Contract):
    """The currency: any ERC-20; the local network's play money has a faucet as well."""

    kind = "token"

    def faucet(self) -> TransactionReceipt:
        """Draw the one grant that every address may have."""
        return self._send("faucet")

    def transfer(self, to: str, amount: int) -> TransactionReceipt:
        """Pay `amount` to `to`."""
        return self._send("transfer", to, amount)

    def transfer_from(self, owner: str, to: str, amount: int) -> TransactionReceipt:
        """Move `amount` from `owner` to `to`, out of the caller's allowance."""
        return self._send("transferFrom", owner, to, amount)

    def approve(self, spender: str, amount: int) -> TransactionReceipt:
        """Let `spender` move up to `amount`; replaces the allowance it had."""
        return self._send("approve", spender, amount)

    def balance_of(self, owner: str) -> int:
        """What `owner` has."""
        return int(self._view("balanceOf", owner))

    def allowance(self, owner: str, spender: str) -> int:
        """What `spender` may still move for `owner`."""
        return int(self._view("allowance", owner, spender))

    def total_supply(self) -> int:
        """Amount in existence."""
        return int(self._view("totalSupply"))

    def granted(self, owner: str) -> bool:
        """Whether `owner` has had its grant."""
        return bool(self._view("granted", owner))

    def grant(self) -> int:
        """What the faucet gives."""
        return int(self._view("GRANT"))

    def name(self) -> str:
        """The currency's name."""
        return str(self._view("name"))

    def symbol(self) -> str:
        """The currency's ticker."""
        return str(self._view("symbol"))

    def decimals(self) -> int:
        """Decimals of one unit."""
        return int(self._view("decimals"))
