"""Events of the market and the stakes, in chain order, once each, across restarts and chains that went back.

The reader keeps a cursor in a small file: the place of the last acknowledged event, the last block that was read to
its end, and the hashes of recent blocks. If the chain no longer has such a block, the reader goes back to the newest
one that it still has, says so with a `Rewind`, and reads on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..errors import ConfigError
from ..observe import write_json
from .client import Client
from .deployment import Deployment
from .event import Event, decode_event
from .market import Market

__all__ = ["Event", "EventReader", "Rewind", "events"]

_RING = 128
_RANGE = 2000


@dataclass(frozen=True, slots=True)
class Rewind:
    """The chain went back: what was read after block `fork` did not happen, or not so. `seen` is the last block read."""

    fork: int
    seen: int


class _Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything up to and including (`block`, `log_index`) is acknowledged. `ring`: recent (block, hash), ascending."""

    chain_id: int
    market: str
    block: int
    log_index: int
    ring: tuple[tuple[int, str], ...] = ()

    def moved(self, block: int, log_index: int, hash_: str) -> _Cursor:
        ring = (*(entry for entry in self.ring if entry[0] < block), (block, hash_))[-_RING:]
        return msgspec.structs.replace(self, block=block, log_index=log_index, ring=ring)

    def back_to(self, fork: int) -> _Cursor:
        ring = tuple(entry for entry in self.ring if entry[0] <= fork)
        return msgspec.structs.replace(self, block=fork, log_index=_END, ring=ring)


_END = 2**31
"""A log index after every log of a block."""


def events(client: Client, deployment: Deployment, task: str) -> list[Event]:
    """All market events of one task (64 hex digits), in order; what its receipt is made of."""
    return Market(client, deployment.market, deployment.block).events(task)


class EventReader:
    """Reads on from the cursor at `path`. One consumer, one thread.

    Parameters
    ----------
    confirmations : blocks that must follow before a block is read; 0 for a chain that nobody else mines.
    """

    def __init__(self, client: Client, deployment: Deployment, path: Path, *, confirmations: int = 0) -> None:
        self._client, self._deployment, self._path = client, deployment, path
        self._confirmations = confirmations
        self._contracts = {deployment.market: "market", deployment.stakes: "stakes"}
        self._cursor = self._load()
        self._last: Event | Rewind | None = None

    def _load(self) -> _Cursor:
        chain_id, market = self._deployment.chain_id, self._deployment.market
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=_Cursor)
        except FileNotFoundError:
            return _Cursor(chain_id, market, self._deployment.block - 1, _END)
        except msgspec.DecodeError as error:
            hint = "Delete it to read all events again."
            raise ConfigError(f"{self._path} is not a cursor: {error}", hint=hint, path=str(self._path)) from error
        if (found.chain_id, found.market) != (chain_id, market):
            hint = "Give every deployment a cursor of its own."
            raise ConfigError(f"{self._path} is the cursor of another market", hint=hint, path=str(self._path))
        return found

    @property
    def position(self) -> tuple[int, int]:
        """Block and log index of the last acknowledged event (or end of a block, with a very large index)."""
        return self._cursor.block, self._cursor.log_index

    def read(self) -> list[Event | Rewind]:
        """What came after the cursor, perhaps nothing, or a Rewind alone. The same again until it is acknowledged."""
        found = self._poll()
        self._last = found[-1] if found else None
        return found

    def _poll(self) -> list[Event | Rewind]:
        fork = self._fork()
        if fork is not None:
            return [Rewind(fork, self._cursor.block)]
        while True:
            last = self._client.head().number - self._confirmations
            block, index = self.position
            first = block if index < _END else block + 1
            if first > last:
                return []
            end = min(last, first + _RANGE - 1)
            found = self._between(first, end)
            if found is None:
                return self._poll()
            if found:
                return found
            if end == last:
                return []

    def _between(self, first: int, end: int) -> list[Event | Rewind] | None:
        """New events in first..end; an empty range is passed at once. None if the chain changed meanwhile."""
        before = self._client.block(end)
        logs = self._client.logs(first, end, list(self._contracts))
        after = self._client.block(end)
        if before is None or after is None or before.hash != after.hash or self._fork() is not None:
            return None
        fresh = [log for log in logs if (log.block, log.index) > self.position]
        decoded = [event for log in fresh if (event := decode_event(self._contracts, log)) is not None]
        if not decoded:
            self._move(self._cursor.moved(end, _END, before.hash))
        return list(decoded)

    def _fork(self) -> int | None:
        """The newest remembered block that the chain still has, if it has not the last one; None if all is well."""
        for position, (number, hash_) in enumerate(reversed(self._cursor.ring)):
            block = self._client.block(number)
            if block is not None and block.hash == hash_:
                return None if position == 0 else number
        return self._deployment.block - 1 if self._cursor.ring else None

    def acknowledge(self, seen: Event | Rewind | None = None) -> None:
        """`seen` and all before it, without an argument all that `read` gave last, has been dealt with for good."""
        seen = seen or self._last
        if isinstance(seen, Rewind):
            self._move(self._cursor.back_to(seen.fork))
        elif seen is not None:
            self._move(self._cursor.moved(seen.block, seen.log_index, seen.block_hash))

    def _move(self, cursor: _Cursor) -> None:
        write_json(self._path, msgspec.to_builtins(cursor))
        self._cursor = cursor

    def follow(self, *, stop: Callable[[], bool] = lambda: False, interval: float = 0.2) -> Iterator[Event | Rewind]:
        """Events as they come, until `stop()`. An event is acknowledged when the consumer asks for the next one."""
        while not stop():
            found = self.read()
            for event in found:
                yield event
                self.acknowledge(event)
                if stop():
                    return
            if not found:
                time.sleep(interval)
