"""What only a chain on this machine allows, or only its owner cares to ask: moved time, and who used how much gas."""

from __future__ import annotations

from dataclasses import dataclass

from .client import Client

__all__ = ["Spent", "move_time", "spent"]


@dataclass(frozen=True, slots=True)
class Spent:
    """A mined transaction: who sent it to whom, the gas it used, and whether it did anything."""

    sender: str
    to: str
    gas: int
    block: int
    succeeded: bool


def move_time(client: Client, seconds: int) -> None:
    """Let `seconds` pass on a chain that was started for tests. Raises an error where the chain does not allow it."""
    client.ask("evm_increaseTime", seconds)
    client.ask("evm_mine")


def spent(client: Client, first: int, last: int) -> list[Spent]:
    """Every transaction in the blocks first..last, in order."""
    found = []
    for number in range(first, last + 1):
        block = client.ask("eth_getBlockByNumber", hex(number), False)
        for name in block["transactions"] if block else ():
            receipt = client.ask("eth_getTransactionReceipt", name)
            found.append(
                Spent(
                    receipt["from"].lower(),
                    (receipt["to"] or "").lower(),
                    int(receipt["gasUsed"], 16),
                    number,
                    int(receipt["status"], 16) == 1,
                )
            )
    return found
