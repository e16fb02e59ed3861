"""What the node needs of an EVM, and nothing of the one behind it: plain records and the `Evm` protocol.

py-evm is dormant upstream, so it may have to be replaced; only `pyevm` knows it.
Addresses are 20 bytes, hashes 32 bytes, amounts wei, times Unix seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Block", "Call", "CallResult", "Evm", "Header", "Invalid", "Log", "Outcome", "Transaction"]


class Invalid(Exception):
    """A transaction or call cannot be executed at all; the text is the reason, in the words that clients know."""


@dataclass(frozen=True, slots=True)
class Header:
    """A block's header. `randomness` is prevrandao; `encoded_size` the header's length in RLP, in bytes."""

    number: int
    hash: bytes
    parent: bytes
    timestamp: int
    gas_limit: int
    gas_used: int
    base_fee: int
    randomness: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    uncles_hash: bytes
    bloom: int
    extra: bytes
    miner: bytes
    encoded_size: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """A signed transaction whose signature, chain and form are valid. `kind` is its EIP-2718 type."""

    hash: bytes
    raw: bytes
    kind: int
    sender: bytes
    nonce: int
    to: bytes
    value: int
    gas: int
    data: bytes
    max_fee: int
    max_priority: int
    access_list: tuple[tuple[bytes, tuple[int, ...]], ...]
    y_parity: int
    r: int
    s: int

    @property
    def cost(self) -> int:
        """The most that it may take from the sender, in wei."""
        return self.gas * self.max_fee + self.value


@dataclass(frozen=True, slots=True)
class Log:
    """One event as a contract emitted it."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a transaction did in its block. `created` is the new contract's address, or empty."""

    transaction: Transaction
    succeeded: bool
    gas_used: int
    cumulative_gas: int
    price: int
    bloom: int
    created: bytes
    logs: tuple[Log, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A block just built. `invalid` are transactions that could not be executed; `left` did not fit."""

    header: Header
    outcomes: tuple[Outcome, ...]
    invalid: tuple[tuple[Transaction, str], ...]
    left: tuple[Transaction, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A message executed without a transaction. An empty `to` creates a contract."""

    sender: bytes
    to: bytes
    value: int
    data: bytes
    gas: int


@dataclass(frozen=True, slots=True)
class CallResult:
    """`error` is empty on success; `reverted` means that `output` holds the contract's own revert data."""

    output: bytes
    gas_used: int
    error: str = ""
    reverted: bool = False


class Evm(Protocol):
    """An EVM with a chain of blocks. Not safe under threads: one thread owns it."""

    chain_id: int
    gas_limit: int

    def head(self) -> Header:
        """The newest block's header."""
        ...

    def header(self, number: int) -> Header | None:
        """The header of block `number`."""
        ...

    def header_of(self, block_hash: bytes) -> Header | None:
        """The header with this hash."""
        ...

    def decode(self, raw: bytes) -> Transaction:
        """Parse and check a signed transaction on its own. Raises Invalid."""
        ...

    def balance(self, address: bytes, block: int) -> int:
        """Wei of `address` after block `block`."""
        ...

    def nonce(self, address: bytes, block: int) -> int:
        """Number of transactions that `address` has in the chain up to `block`."""
        ...

    def code(self, address: bytes, block: int) -> bytes:
        """Contract code of `address` after block `block`."""
        ...

    def storage(self, address: bytes, slot: int, block: int) -> int:
        """Storage word of `address` after block `block`."""
        ...

    def call(self, call: Call, block: int, timestamp: int, randomness: bytes) -> CallResult:
        """Execute `call` in a block that would follow `block`; nothing is kept. Raises Invalid."""
        ...

    def build(self, transactions: Sequence[Transaction], timestamp: int, randomness: bytes) -> Block:
        """Execute `transactions` as the next block and write it to the underlying store, which the caller commits."""
        ...

    def reload(self) -> None:
        """Forget everything that was built but not committed, and go back to what the store holds."""
        ...
