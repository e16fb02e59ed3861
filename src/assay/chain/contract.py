"""A contract as a Python object: bytes32 are 64 hex digits, addresses checksummed, amounts and times integers.

A view costs nothing; every other method sends a transaction, waits until it is mined, and raises Reverted with the
contract's own reason. Amounts are in the currency's smallest unit, times Unix seconds.
"""

from __future__ import annotations

from typing import Any

from .client import Call, Client, TransactionReceipt
from .event import abi_of, decode_event

__all__ = ["ZERO_ADDRESS", "ZERO_WORD", "Contract"]

ZERO_ADDRESS = "0x" + "00" * 20
ZERO_WORD = "00" * 32


class Contract:
    """What all of them have in common."""

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
