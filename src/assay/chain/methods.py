"""The JSON-RPC methods of the node: parameters in, JSON out.

`eth_call` and `eth_estimateGas` at the head execute in the block that would come next (number and clock included),
so that a view which compares a deadline with `block.timestamp` answers for now, not for the last block.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from . import render
from .abi import revert_reason
from .evm import Call, CallResult, Evm, Header, Invalid
from .ledger import Ledger, LogFilter, StoredTransaction
from .miner import Clock, Miner

__all__ = ["Methods", "RpcError", "Submitted"]

_LATEST = (None, "latest", "pending", "safe", "finalized")
_MAX_LOGS = 10_000
_MAX_FEE_BLOCKS = 1024


class RpcError(Exception):
    """A JSON-RPC error: its code, message and data."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


class Submitted(str):
    """The hash of a transaction that is acknowledged once its block is on disk."""


def _number(value: Any, name: str = "quantity", bits: int = 256) -> int:
    if isinstance(value, str) and value.startswith("0x") and 2 < len(value) <= 66 and not set("_+- ") & set(value):
        try:
            found = int(value, 16)
        except ValueError:
            found = -1
        if 0 <= found < 1 << bits:
            return found
    raise RpcError(-32602, f"invalid {name}: {str(value)[:80]!r}")


def _bytes(value: Any, name: str = "data", size: int | None = None) -> bytes:
    if isinstance(value, str) and value.startswith("0x") and " " not in value:
        try:
            found = bytes.fromhex(value[2:])
        except ValueError:
            found = None
        if found is not None and size in (None, len(found)):
            return found
    raise RpcError(-32602, f"invalid {name}: {str(value)[:80]!r}")


def _address(value: Any) -> bytes:
    return _bytes(value, "address", 20)


def _choices(value: Any, name: str, size: int) -> tuple[bytes, ...]:
    values = value if isinstance(value, list) else [] if value is None else [value]
    return tuple(_bytes(v, name, size) for v in values if v is not None)


class Methods:
    """Everything that the node answers; `table` maps a method's name to it."""

    def __init__(self, evm: Evm, ledger: Ledger, miner: Miner, clock: Clock, *, dev: bool) -> None:
        self._evm, self._ledger, self._miner, self._clock = evm, ledger, miner, clock
        self.mine_empty = False
        self.table: dict[str, Callable[..., Any]] = {
            "eth_accounts": lambda: [],
            "eth_blockNumber": lambda: render.quantity(evm.head().number),
            "eth_call": self.call,
            "eth_chainId": lambda: render.quantity(evm.chain_id),
            "eth_estimateGas": self.estimate,
            "eth_feeHistory": self.fee_history,
            "eth_gasPrice": lambda: "0x0",
            "eth_getBalance": lambda a, b=None: render.quantity(evm.balance(_address(a), self._at(b))),
            "eth_getBlockByHash": self.block_by_hash,
            "eth_getBlockByNumber": self.block_by_number,
            "eth_getCode": lambda a, b=None: render.data(evm.code(_address(a), self._at(b))),
            "eth_getLogs": self.logs,
            "eth_getStorageAt": self.storage,
            "eth_getTransactionByHash": self.transaction,
            "eth_getTransactionCount": self.count,
            "eth_getTransactionReceipt": self.receipt,
            "eth_maxPriorityFeePerGas": lambda: "0x0",
            "eth_sendRawTransaction": lambda raw: Submitted(render.data(miner.submit(_bytes(raw)))),
            "eth_syncing": lambda: False,
            "net_version": lambda: str(evm.chain_id),
            "web3_clientVersion": lambda: "assay/1",
        }
        if dev:
            self.table |= {"evm_increaseTime": self.increase_time, "evm_mine": self.mine}

    # -- blocks --------------------------------------------------------------------------------------------------

    def _header(self, tag: Any) -> Header | None:
        if isinstance(tag, dict):
            if "blockHash" in tag:
                return self._evm.header_of(_bytes(tag["blockHash"], "block hash", 32))
            tag = tag.get("blockNumber")
        if tag in _LATEST:
            return self._evm.head()
        number = 0 if tag == "earliest" else _number(tag, "block", 63)
        return self._evm.header(number) if number <= self._evm.head().number else None

    def _at(self, tag: Any) -> int:
        header = self._header(tag)
        if header is None:
            raise RpcError(-32001, "block not found")
        return header.number

    def block_by_number(self, tag: Any, full: bool = False) -> dict[str, Any] | None:
        return self._block(self._header(tag), full)

    def block_by_hash(self, hash_: Any, full: bool = False) -> dict[str, Any] | None:
        return self._block(self._evm.header_of(_bytes(hash_, "block hash", 32)), full)

    def _block(self, header: Header | None, full: bool) -> dict[str, Any] | None:
        if header is None:
            return None
        stored = self._ledger.transactions(header.number)
        return render.block(header, stored, [self._transaction(tx, header.hash) for tx in stored] if full else None)

    def fee_history(self, count: Any, newest: Any = None, percentiles: Any = None) -> dict[str, Any]:
        last = self._at(newest)
        wanted = count if isinstance(count, int) else _number(count, "block count", 63)
        first = last + 1 - min(wanted, last + 1, _MAX_FEE_BLOCKS)
        headers = [header for n in range(first, last + 1) if (header := self._evm.header(n)) is not None]
        found: dict[str, Any] = {
            "oldestBlock": render.quantity(first),
            "baseFeePerGas": [render.quantity(h.base_fee) for h in headers] + ["0x0"],
            "gasUsedRatio": [h.gas_used / h.gas_limit for h in headers],
        }
        if percentiles:
            if not all(isinstance(p, int | float) and 0 <= p <= 100 for p in percentiles):
                raise RpcError(-32602, "invalid percentiles")
            found["reward"] = [_rewards(self._ledger.transactions(h.number), h.gas_used, percentiles) for h in headers]
        return found

    # -- transactions --------------------------------------------------------------------------------------------

    def _transaction(self, stored: StoredTransaction, block_hash: bytes) -> dict[str, Any]:
        return render.transaction(self._evm.decode(stored.raw), stored, block_hash, self._evm.chain_id)

    def transaction(self, hash_: Any) -> dict[str, Any] | None:
        stored, block_hash = self._mined(hash_)
        return None if stored is None else self._transaction(stored, block_hash)

    def receipt(self, hash_: Any) -> dict[str, Any] | None:
        stored, block_hash = self._mined(hash_)
        if stored is None:
            return None
        logs = self._ledger.logs_of(stored.block, stored.index)
        return render.receipt(self._evm.decode(stored.raw), stored, block_hash, logs)

    def _mined(self, hash_: Any) -> tuple[StoredTransaction | None, bytes]:
        stored = self._ledger.transaction(_bytes(hash_, "transaction hash", 32))
        header = None if stored is None else self._evm.header(stored.block)
        return (None, b"") if header is None else (stored, header.hash)

    def count(self, address: Any, tag: Any = None) -> str:
        owner = _address(address)
        return render.quantity(
            self._miner.next_nonce(owner) if tag == "pending" else self._evm.nonce(owner, self._at(tag))
        )

    def storage(self, address: Any, slot: Any, tag: Any = None) -> str:
        return f"0x{self._evm.storage(_address(address), _number(slot, 'slot'), self._at(tag)):064x}"

    def logs(self, wanted: Any) -> list[dict[str, Any]]:
        if not isinstance(wanted, dict):
            raise RpcError(-32602, "invalid filter")
        topics = wanted.get("topics") or []
        if not isinstance(topics, list) or len(topics) > 4:
            raise RpcError(-32602, "invalid topics")
        if "blockHash" in wanted:
            first = last = self._at({"blockHash": wanted["blockHash"]})
        else:
            head = self._evm.head().number  # beyond the head there is nothing, which is no error
            bounds = (wanted.get("fromBlock"), wanted.get("toBlock"))
            first, last = (
                _number(b, "block", 63) if isinstance(b, str) and b.startswith("0x") else self._at(b) for b in bounds
            )
            first, last = min(first, head + 1), min(last, head)
        addresses = _choices(wanted.get("address"), "address", 20)
        chosen = tuple(_choices(topic, "topic", 32) for topic in topics)
        found = self._ledger.logs(LogFilter(first, last, addresses, chosen), _MAX_LOGS + 1)
        if len(found) > _MAX_LOGS:
            raise RpcError(-32005, f"query returned more than {_MAX_LOGS} results")
        return [render.log(entry) for entry in found]

    # -- execution -----------------------------------------------------------------------------------------------

    def _run(self, call: Call, tag: Any) -> CallResult:
        header = self._header(tag)
        if header is None:
            raise RpcError(-32001, "block not found")
        head = header.number == self._evm.head().number
        now = self._clock.now(header.timestamp) if head else header.timestamp
        # fresh randomness: what a caller sees here says nothing about the block to come
        return self._evm.call(call, header.number, now, os.urandom(32))

    def _parse(self, params: Any) -> Call:
        if not isinstance(params, dict):
            raise RpcError(-32602, "invalid call")
        given = {k: v for k, v in params.items() if v is not None}
        gas = _number(given["gas"], "gas") if "gas" in given else self._evm.gas_limit
        payload = _bytes(given.get("input", given.get("data", "0x")))
        sender = _address(given.get("from", "0x" + "00" * 20))
        to = _address(given["to"]) if given.get("to") else b""
        return Call(sender, to, _number(given.get("value", "0x0")), payload, min(gas, self._evm.gas_limit))

    def call(self, params: Any, tag: Any = None) -> str:
        result = self._run(self._parse(params), tag)
        _check(result)
        return render.data(result.output)

    def estimate(self, params: Any, tag: Any = None) -> str:
        """The least gas with which the call succeeds, to 1/32 or 2,400; found by trying, since a call may keep gas back."""
        call = self._parse(params)
        first = self._run(call, tag)
        _check(first)

        def succeeds(gas: int) -> bool:
            try:
                return not self._run(Call(call.sender, call.to, call.value, call.data, gas), tag).error
            except Invalid:  # less than the intrinsic cost
                return False

        if succeeds(first.gas_used):  # nearly always: it takes two runs instead of four
            return render.quantity(first.gas_used)
        low, high = first.gas_used, call.gas
        guess = min(high, first.gas_used * 64 // 63 + 2400)
        if succeeds(guess):
            high = guess
        while high - low > max(2400, low // 32):
            middle = (low + high) // 2
            low, high = (low, middle) if succeeds(middle) else (middle, high)
        return render.quantity(high)

    # -- for tests -----------------------------------------------------------------------------------------------

    def increase_time(self, seconds: Any) -> int:
        return self._clock.skip(seconds if isinstance(seconds, int) else _number(seconds, "seconds", 40))

    def mine(self, *_: Any) -> str:
        self.mine_empty = True
        return "0x0"


def _check(result: CallResult) -> None:
    if result.reverted:
        reason = revert_reason(result.output)
        words = (
            "execution reverted" if reason.startswith("0x") or not result.output else f"execution reverted: {reason}"
        )
        raise RpcError(3, words, render.data(result.output))
    if result.error:
        raise RpcError(-32000, result.error)


def _rewards(stored: list[StoredTransaction], gas_used: int, percentiles: list[float]) -> list[str]:
    """The priority fee at each percentile of the gas that a block used."""
    ordered = sorted((tx.price, tx.gas_used) for tx in stored)
    rewards = []
    for percentile in percentiles:
        below, fee = 0, 0
        for price, gas in ordered:
            fee, below = price, below + gas
            if below >= gas_used * percentile / 100:
                break
        rewards.append(render.quantity(fee))
    return rewards
