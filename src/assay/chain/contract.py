"""What the contracts have in common as Python objects, and the currency.

bytes32 are 64 hex digits, addresses checksummed, amounts and times integers. A view costs nothing; every other method sends a
transaction, waits until it is mined, and raises Reverted with the contract's own reason. Amounts are in the currency's
smallest unit, times Unix seconds.
"""

from __future__ import annotations

from typing import Any

from .client import Call, Client, TransactionReceipt
from .event import abi_of, decode_event

__all__ = ["ZERO_ADDRESS", "Contract", "Token"]

ZERO_ADDRESS = "0x" + "00" * 20


class Contract:
    """A deployed contract. Views cost nothing; every other method sends a transaction and waits until it is mined."""

    kind: str

    def __init__(self, client: Client, address: str) -> None:
        self.client, self.address = client, address
        self.abi = abi_of(self.kind)

    def _view(self, name: str, *arguments: Any) -> Any:
        return self.abi.decode(name, self.client.call(Call(self.address, self.abi.encode(name, *arguments))))

    def _send(self, name: str, *arguments: Any) -> TransactionReceipt:
        return self.client.send(Call(self.address, self.abi.encode(name, *arguments)))

    def emitted(self, receipt: TransactionReceipt, name: str) -> list[dict[str, Any]]:
        """The arguments of this contract's events called `name` in a receipt."""
        decoded = (decode_event({self.address: self.kind}, log) for log in receipt.logs)
        return [event.args for event in decoded if event is not None and event.name == name]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address})"


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
