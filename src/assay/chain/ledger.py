"""The node's disk: one SQLite file that holds the EVM's key-value pairs and an index of transactions and logs.

Everything that a block changes is buffered and written in one SQLite transaction, so a block is on disk whole or not
at all, whenever the process dies. `synchronous = FULL` makes that hold for a power cut as well: a client acts on an
acknowledged transaction (it frees a blob, it moves an event cursor), so an acknowledged block must not vanish. The
price is one fsync per block, and a block holds every transaction that arrived while the previous one was written.

`locking_mode = EXCLUSIVE` keeps a second node from opening the same file; the lock dies with the process.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, NotFoundError
from .evm import Block

__all__ = ["Ledger", "LogFilter", "StoredLog", "StoredTransaction"]

_SCHEMA = """
create table if not exists meta(k text primary key, v text not null) without rowid;
create table if not exists kv(k blob primary key, v blob not null) without rowid;
create table if not exists tx(
  hash blob primary key, block int, idx int, raw blob, ok int, gas int, cumulative int, price text, bloom blob,
  created blob
) without rowid;
create unique index if not exists tx_place on tx(block, idx);
create table if not exists log(
  block int, li int, idx int, address blob, t0 blob, t1 blob, t2 blob, t3 blob, data blob, hash blob, block_hash blob,
  primary key(block, li)
) without rowid;
create index if not exists log_address on log(address, t0, block);
create index if not exists log_topic on log(t1, block);
"""
_CACHE_ENTRIES = 200_000
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class StoredTransaction:
    """A mined transaction: where it is and what it did. `raw` are its signed bytes."""

    hash: bytes
    block: int
    index: int
    raw: bytes
    succeeded: bool
    gas_used: int
    cumulative_gas: int
    price: int
    bloom: int
    created: bytes


@dataclass(frozen=True, slots=True)
class StoredLog:
    """A log and where it is."""

    block: int
    index: int
    transaction_index: int
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    transaction: bytes
    block_hash: bytes


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Blocks first..last; any of `addresses` (none: all); per position, any of the topics (none: all)."""

    first: int
    last: int
    addresses: tuple[bytes, ...] = ()
    topics: tuple[tuple[bytes, ...], ...] = ()


class Ledger:
    """Key-value pairs with write-back, the index, and settings. One thread owns it."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if not create and not path.is_file():
            raise NotFoundError(f"no chain at {path}", hint="Create it first.", path=str(path))
        self.path = path
        self._cache: dict[bytes, bytes] = {}
        self._dirty: dict[bytes, bytes | None] = {}
        self._sql = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=1.0)
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            self._sql.close()
            why = "another node has it open" if "locked" in str(error) else str(error)
            raise ConfigError(f"cannot open the chain at {path}: {why}", path=str(path)) from error

    def _open(self) -> None:
        self._sql.execute("pragma locking_mode = exclusive")
        self._sql.execute("pragma journal_mode = wal")
        self._sql.execute("pragma synchronous = full")
        self._sql.execute("pragma cache_size = -65536")
        self._sql.execute("begin exclusive")
        for statement in _SCHEMA.split(";"):
            self._sql.execute(statement)
        self._sql.execute("commit")
        found = self.setting("format")
        if found is None:
            self.set("format", _FORMAT)
        elif found != _FORMAT:
            raise ConfigError(f"{self.path} has chain format {found}, this version reads {_FORMAT}", found=found)

    # -- settings ------------------------------------------------------------------------------------------------

    def setting(self, name: str) -> object | None:
        """The value stored under `name`, or None."""
        row = self._sql.execute("select v from meta where k = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def set(self, name: str, value: object) -> None:
        """Store a JSON value, durably."""
        self._sql.execute("insert or replace into meta values (?, ?)", (name, json.dumps(value)))

    # -- key-value pairs -----------------------------------------------------------------------------------------

    def get(self, key: bytes) -> bytes | None:
        """The value as the owner wrote it last, committed or not."""
        if key in self._dirty:
            return self._dirty[key]
        value = self._cache.get(key)
        if value is None:
            row = self._sql.execute("select v from kv where k = ?", (key,)).fetchone()
            if row is None:
                return None
            value = bytes(row[0])
            self._remember(key, value)
        return value

    def put(self, key: bytes, value: bytes | None) -> None:
        """Buffer a write, or with None a deletion, until `commit`."""
        self._dirty[key] = value

    def _remember(self, key: bytes, value: bytes) -> None:
        if len(self._cache) >= _CACHE_ENTRIES:
            self._cache.clear()
        self._cache[key] = value

    def discard(self) -> None:
        """Forget what was buffered."""
        self._dirty.clear()

    def commit(self, block: Block | None = None) -> None:
        """Write everything buffered, and `block`'s index, as one transaction. On an error nothing is written."""
        self._sql.execute("begin immediate")
        try:
            gone = [(key,) for key, value in self._dirty.items() if value is None]
            kept = [(key, value) for key, value in self._dirty.items() if value is not None]
            self._sql.executemany("delete from kv where k = ?", gone)
            self._sql.executemany("insert or replace into kv values (?, ?)", kept)
            if block is not None:
                self._index(block)
            self._sql.execute("commit")
        except BaseException:
            if self._sql.in_transaction:
                self._sql.execute("rollback")
            raise
        for (key,) in gone:
            self._cache.pop(key, None)
        for key, value in kept:
            self._remember(key, value)
        self._dirty.clear()

    # -- index ---------------------------------------------------------------------------------------------------

    def _index(self, block: Block) -> None:
        number, position = block.header.number, 0
        transactions, logs = [], []
        for index, done in enumerate(block.outcomes):
            tx, bloom = done.transaction, done.bloom.to_bytes(256, "big")
            row = (tx.hash, number, index, tx.raw, int(done.succeeded), done.gas_used, done.cumulative_gas)
            transactions.append((*row, str(done.price), bloom, done.created))
            for log in done.logs:
                topics = (*log.topics, *[None] * (4 - len(log.topics)))
                logs.append((number, position, index, log.address, *topics, log.data, tx.hash, block.header.hash))
                position += 1
        self._sql.executemany("insert into tx values (?,?,?,?,?,?,?,?,?,?)", transactions)
        self._sql.executemany("insert into log values (?,?,?,?,?,?,?,?,?,?,?)", logs)

    def transaction(self, hash_: bytes) -> StoredTransaction | None:
        """The mined transaction with this hash."""
        return next(self._transactions("hash = ?", (hash_,)), None)

    def transactions(self, block: int) -> list[StoredTransaction]:
        """The transactions of a block, in order."""
        return list(self._transactions("block = ? order by idx", (block,)))

    def _transactions(self, where: str, values: tuple[object, ...]) -> Iterator[StoredTransaction]:
        columns = "hash, block, idx, raw, ok, gas, cumulative, price, bloom, created"
        for r in self._sql.execute(f"select {columns} from tx where {where}", values):
            bloom = int.from_bytes(r[8], "big")
            yield StoredTransaction(r[0], r[1], r[2], r[3], bool(r[4]), r[5], r[6], int(r[7]), bloom, r[9])

    def logs(self, wanted: LogFilter, limit: int) -> list[StoredLog]:
        """At most `limit` matching logs, in chain order."""
        where = ["block between ? and ?"]
        values: list[object] = [wanted.first, wanted.last]
        columns = [("address", wanted.addresses), *((f"t{n}", topics) for n, topics in enumerate(wanted.topics))]
        for column, options in columns:
            if options:
                where.append(f"{column} in ({','.join('?' * len(options))})")
                values.extend(options)
        return self._logs(" and ".join(where), [*values, limit])

    def logs_of(self, block: int, transaction_index: int) -> list[StoredLog]:
        """The logs of one transaction."""
        return self._logs("block = ? and idx = ?", [block, transaction_index, -1])

    def _logs(self, where: str, values: Sequence[object]) -> list[StoredLog]:
        columns = "block, li, idx, address, t0, t1, t2, t3, data, hash, block_hash"
        rows = self._sql.execute(f"select {columns} from log where {where} order by block, li limit ?", values)
        found = []
        for r in rows:
            topics = tuple(topic for topic in r[4:8] if topic is not None)
            found.append(StoredLog(r[0], r[1], r[2], r[3], topics, r[8], r[9], r[10]))
        return found

    def close(self) -> None:
        """Fold the write-ahead log into the file and let it go."""
        self._sql.close()
