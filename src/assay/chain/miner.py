"""Pending transactions, the clock, and the making of blocks.

There is no waiting: whatever is executable when the node gets to it goes into the next block at once. Only
transactions with a nonce ahead of their turn wait, in memory, as in any node; a client sends them again after a restart.
"""

from __future__ import annotations

import logging
import os
import time

from .evm import Block, Evm, Invalid, Transaction
from .ledger import Ledger

__all__ = ["Clock", "Miner"]

_log = logging.getLogger(__name__)
_AHEAD = 64
_QUEUE = 1024


class Clock:
    """Chain time: the wall clock plus what tests have added, which is kept across restarts."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.offset = int(str(ledger.setting("time_offset") or 0))

    def now(self, since: int) -> int:
        """Unix seconds, not before `since`, should somebody have set the wall clock back."""
        return max(int(time.time()) + self.offset, since)

    def skip(self, seconds: int) -> int:
        """Move the clock ahead; returns the whole offset."""
        self.offset += seconds
        self._ledger.set("time_offset", self.offset)
        return self.offset


class Miner:
    """Admits transactions and turns them into committed blocks."""

    def __init__(self, evm: Evm, ledger: Ledger, clock: Clock) -> None:
        self._evm, self._ledger, self._clock = evm, ledger, clock
        self._ready: list[Transaction] = []
        self._nonces: dict[bytes, int] = {}
        self._queued: dict[bytes, dict[int, Transaction]] = {}

    def next_nonce(self, sender: bytes) -> int:
        """The nonce of the sender's next transaction, counting those that wait to be mined."""
        found = self._nonces.get(sender)
        return self._evm.nonce(sender, self._evm.head().number) if found is None else found

    def submit(self, raw: bytes) -> bytes:
        """Admit a signed transaction; returns its hash. Raises Invalid with the words that Ethereum clients know."""
        tx = self._evm.decode(raw)
        known = any(other.hash == tx.hash for other in self._ready) or self._ledger.transaction(tx.hash)
        waiting = self._queued.get(tx.sender, {})
        if known or (tx.nonce in waiting and waiting[tx.nonce].hash == tx.hash):
            raise Invalid("already known")
        want = self.next_nonce(tx.sender)
        self._check(tx, want, waiting)
        self._queued.setdefault(tx.sender, {})[tx.nonce] = tx
        self._promote(tx.sender, want)
        return tx.hash

    def _check(self, tx: Transaction, want: int, waiting: dict[int, Transaction]) -> None:
        head = self._evm.head()
        if tx.nonce < want:
            raise Invalid(f"nonce too low: next nonce {want}, tx nonce {tx.nonce}")
        if tx.nonce > want + _AHEAD:
            raise Invalid(f"nonce too high: next nonce {want}, tx nonce {tx.nonce}")
        if tx.gas > self._evm.gas_limit:
            raise Invalid(f"exceeds block gas limit: {tx.gas} > {self._evm.gas_limit}")
        if tx.max_fee < tx.max_priority:
            raise Invalid("max priority fee per gas higher than max fee per gas")
        balance = self._evm.balance(tx.sender, head.number)
        if balance < tx.cost:
            raise Invalid(f"insufficient funds for gas * price + value: have {balance} want {tx.cost}")
        if tx.nonce in waiting and tx.max_fee <= waiting[tx.nonce].max_fee:
            raise Invalid("replacement transaction underpriced")
        if sum(map(len, self._queued.values())) >= _QUEUE:
            raise Invalid("txpool is full")

    def _promote(self, sender: bytes, nonce: int) -> None:
        """Everything of `sender` from `nonce` on, up to the first gap, becomes executable; what lies before is stale."""
        waiting = self._queued[sender]
        for stale in [n for n in waiting if n < nonce]:
            del waiting[stale]
        while nonce in waiting:
            self._ready.append(waiting.pop(nonce))
            nonce += 1
            self._nonces[sender] = nonce
        if not waiting:
            del self._queued[sender]

    def mine(self, *, empty: bool = False) -> dict[bytes, str]:
        """Mine and commit all that is executable; with `empty`, one block at least.

        Returns why each transaction that could not be executed was dropped. When a block cannot be stored, it and
        all that waited is dropped, the chain is as it was, and the error is raised.
        """
        refused: dict[bytes, str] = {}
        try:
            while self._ready or empty:
                block = self._build(refused)
                if block.outcomes or empty:
                    self._ledger.commit(block)
                else:
                    self._evm.reload()
                empty, self._ready = False, list(block.left)
                self._sort_out(block, refused)
        except BaseException:
            self._ready = []
            self._evm.reload()
            raise
        finally:
            self._nonces.clear()
        return refused

    def _build(self, refused: dict[bytes, str]) -> Block:
        try:
            return self._attempt(self._ready)
        except Exception:
            _log.exception("a block could not be built; looking for the transaction that breaks it")
            self._evm.reload()
        good: list[Transaction] = []
        for tx in self._ready:
            try:
                self._attempt([*good, tx])
                good.append(tx)
            except Exception as error:
                refused[tx.hash] = f"internal error: {error!r}"
            self._evm.reload()
        return self._attempt(good)

    def _attempt(self, transactions: list[Transaction]) -> Block:
        timestamp = self._clock.now(self._evm.head().timestamp)
        return self._evm.build(transactions, timestamp, os.urandom(32))

    def _sort_out(self, block: Block, refused: dict[bytes, str]) -> None:
        """An invalid transaction is dropped, but one that merely lost its predecessor waits for another."""
        for tx, why in block.invalid:
            if tx.nonce > self._evm.nonce(tx.sender, self._evm.head().number):
                self._queued.setdefault(tx.sender, {})[tx.nonce] = tx
            else:
                refused[tx.hash] = why
