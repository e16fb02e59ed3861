"""What a contract said, decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..contracts import artifact
from .abi import Abi
from .client import RawLog

__all__ = ["Event", "abi_of", "decode_event"]


@cache
def abi_of(name: str) -> Abi:
    """The ABI of the contract `name`."""
    return Abi(artifact(name).abi)


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded event. `contract` is market, stakes or token; bytes32 among `args` are 64 hex digits."""

    name: str
    contract: str
    args: dict[str, Any]
    block: int
    block_hash: str
    log_index: int
    transaction: str

    @property
    def task(self) -> str:
        """The task that the event is about, or empty."""
        return str(self.args.get("id", ""))


def decode_event(contracts: Mapping[str, str], log: RawLog) -> Event | None:
    """The event in `log`; None if it comes from none of `contracts` (address to name) or is not in their ABI."""
    kind = contracts.get(log.address)
    found = abi_of(kind).decode_log(log.topics, log.data) if kind else None
    if kind is None or found is None:
        return None
    return Event(found[0], kind, found[1], log.block, log.block_hash, log.index, log.transaction)
