"""Talking to a chain: calls, and transactions that are sent once whatever happens on the way.

A transaction is signed once per nonce. If the connection breaks after it was sent, nobody knows whether it arrived;
then its hash is looked up, and the same signed bytes are sent again until the chain knows it. Another transaction is
signed only when the chain has said that the first can never be mined, because its nonce belongs to a third one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address

from ..errors import AssayError, ChainUnavailable, InsufficientFunds, MoneyError, Reverted, UsageError
from .abi import revert_reason
from .endpoint import Endpoint, Failure, Unreachable
from .keys import Key

__all__ = ["BlockRef", "Call", "Client", "RawLog", "TransactionReceipt"]

_NONCE_ATTEMPTS = 10
_LOG_BLOCKS = 2000
_RECEIPTS_AT_ONCE = 100
_TOO_MUCH = ("limit", "range", "too many", "more than", "exceed")  # what RPCs say of a range; there is no agreement
_TIMESTAMP_PROGRAM = "0x4260005260206000f3"  # returns block.timestamp from a contract creation that is only called


@dataclass(frozen=True, slots=True)
class Call:
    """A message to the contract at `to` (empty: the creation of one). `gas` None means: estimate it."""

    to: str
    data: bytes
    value: int = 0
    gas: int | None = None


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block by number, hash (0x-hex) and Unix time."""

    number: int
    hash: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class RawLog:
    """An event as the chain stores it."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block: int
    block_hash: str
    index: int
    transaction: str


@dataclass(frozen=True, slots=True)
class TransactionReceipt:
    """A mined transaction that succeeded. `contract` is the address of a created contract, or empty."""

    hash: str
    block: int
    block_hash: str
    contract: str
    gas_used: int
    logs: tuple[RawLog, ...]


@dataclass(frozen=True, slots=True)
class _Signed:
    raw: str
    hash: str
    nonce: int


class Client:
    """One key at one RPC. Safe under threads, and beside other processes with the same key.

    Parameters
    ----------
    key : signs; None for a client that only reads.
    timeout : seconds to wait for a transaction to be mined.
    retry : seconds to wait for an RPC that does not answer, a node that is being restarted for instance.
    margin : what an estimate of gas is multiplied with; state may change before the transaction is mined.
    """

    def __init__(
        self, url: str, key: Key | None = None, *, timeout: float = 60, retry: float = 30, margin: float = 1.3
    ) -> None:
        self.url, self.timeout, self._margin = url, timeout, margin
        self._key = key
        self._rpc = Endpoint(url, timeout=max(10.0, timeout), retry=retry)
        self._lock = threading.Lock()
        self._last: _Signed | None = None
        self._doubtful: dict[Call, _Signed] = {}
        self._chain_id: int | None = None

    @property
    def address(self) -> str:
        """The key's address. Raises UsageError without a key."""
        return self._signer().address

    def _signer(self) -> Key:
        if self._key is None:
            raise UsageError("this client has no key: it only reads")
        return self._key

    def close(self) -> None:
        """Drop the connections."""
        self._rpc.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def chain_id(self) -> int:
        """The chain's id."""
        if self._chain_id is None:
            self._chain_id = int(self._ask("eth_chainId"), 16)
        return self._chain_id

    def head(self) -> BlockRef:
        """The newest block."""
        found = self.block("latest")
        if found is None:
            raise ChainUnavailable(f"{self.url} has no blocks", url=self.url)
        return found

    def block(self, number: int | str) -> BlockRef | None:
        """The block with this number, or None."""
        tag = number if isinstance(number, str) else hex(number)
        found = self._ask("eth_getBlockByNumber", tag, False)
        return found and BlockRef(int(found["number"], 16), found["hash"], int(found["timestamp"], 16))

    def now(self) -> int:
        """Chain time in Unix seconds: compare deadlines with this, not with the wall clock, which tests move and
        other chains run ahead of."""
        return max(int(time.time()), int(self._ask("eth_call", {"data": _TIMESTAMP_PROGRAM}, "latest"), 16))

    def balance(self, address: str) -> int:
        """The ether of `address`, in wei."""
        return int(self._ask("eth_getBalance", address, "latest"), 16)

    def transaction_count(self) -> int:
        """How many transactions this client's account has sent, those that wait to be mined included."""
        return int(self._ask("eth_getTransactionCount", self.address, "pending"), 16)

    def code(self, address: str) -> bytes:
        """The code of the contract at `address`; empty if there is none."""
        return _unhex(self._ask("eth_getCode", address, "latest"))

    def call(self, call: Call, block: int | str = "latest") -> bytes:
        """Execute `call` without a transaction. Raises Reverted."""
        return _unhex(self._ask("eth_call", self._params(call), block if isinstance(block, str) else hex(block)))

    def logs(
        self, first: int, last: int, addresses: Sequence[str], topics: Sequence[str | Sequence[str] | None] = ()
    ) -> list[RawLog]:
        """Events of `addresses` in blocks first..last, in order. Topics are 0x-hex, None for any.
        The chain is asked for a bounded range at a time, and for half of it where that is still too much."""
        found: list[RawLog] = []
        ranges = [(low, min(last, low + _LOG_BLOCKS - 1)) for low in range(first, last + 1, _LOG_BLOCKS)][::-1]
        while ranges:
            low, high = ranges.pop()
            wanted = {"fromBlock": hex(low), "toBlock": hex(high), "address": list(addresses), "topics": list(topics)}
            try:
                logs = self._rpc.ask("eth_getLogs", wanted)
            except Failure as failure:
                if low == high or not any(words in failure.message.lower() for words in _TOO_MUCH):
                    raise _explain(failure) from failure
                middle = (low + high) // 2
                ranges += [(middle + 1, high), (low, middle)]
            else:
                found += sorted(map(_log, logs), key=lambda log: (log.block, log.index))
        return found

    def ask(self, method: str, *params: Any) -> Any:
        """Whatever the chain answers to a JSON-RPC request. Raises ChainUnavailable or another AssayError."""
        return self._ask(method, *params)

    def costs(self, transactions: Iterable[str]) -> dict[str, tuple[str, int]]:
        """Who sent each of these mined transactions, and the wei that it cost."""
        wanted = list(transactions)
        found: dict[str, tuple[str, int]] = {}
        for at in range(0, len(wanted), _RECEIPTS_AT_ONCE):
            some = wanted[at : at + _RECEIPTS_AT_ONCE]
            for name, receipt in zip(
                some, self._rpc.ask_all([("eth_getTransactionReceipt", (name,)) for name in some]), strict=True
            ):
                if isinstance(receipt, Failure):
                    raise _explain(receipt) from receipt
                price = int(receipt.get("effectiveGasPrice", "0x0"), 16)
                found[name] = to_checksum_address(receipt["from"]), int(receipt["gasUsed"], 16) * price
        return found

    def _ask(self, method: str, *params: Any) -> Any:
        try:
            return self._rpc.ask(method, *params)
        except Failure as failure:
            raise _explain(failure) from failure

    def _params(self, call: Call) -> dict[str, Any]:
        params: dict[str, Any] = {"data": "0x" + call.data.hex(), "value": hex(call.value)}
        if call.to:
            params["to"] = call.to
        if self._key is not None:
            params["from"] = self._key.address
        if call.gas is not None:
            params["gas"] = hex(call.gas)
        return params

    # -- sending -------------------------------------------------------------------------------------------------

    def send(self, call: Call) -> TransactionReceipt:
        """Send `call` as a transaction and wait until it is mined.

        Raises Reverted (before anything is sent, if the estimate reverts already), InsufficientFunds, MoneyError for
        another refusal, and ChainUnavailable with the hash as evidence if its fate is not known in time. After a
        ChainUnavailable the same call continues with the same signed bytes; it never becomes a second transaction.
        """
        signed = self._resume(call)
        if signed is None:
            unsigned = self._prepare(call)
            with self._lock:  # from the choice of the nonce until the chain has the transaction
                signed = self._submit(call, unsigned)
        with self._remember(call, signed):
            receipt = self._wait(signed)
        if int(receipt["status"], 16) != 1:
            raise self._post_mortem(call, receipt)
        return TransactionReceipt(
            hash=receipt["transactionHash"],
            block=int(receipt["blockNumber"], 16),
            block_hash=receipt["blockHash"],
            contract=to_checksum_address(receipt["contractAddress"]) if receipt.get("contractAddress") else "",
            gas_used=int(receipt["gasUsed"], 16),
            logs=tuple(map(_log, receipt["logs"])),
        )

    def _prepare(self, call: Call) -> dict[str, Any]:
        """The transaction without a nonce: gas estimated, fees as the chain asks."""
        self._signer()
        requests: list[tuple[str, tuple[Any, ...]]] = [
            ("eth_getBlockByNumber", ("latest", False)),
            ("eth_maxPriorityFeePerGas", ()),
        ]
        if call.gas is None:
            requests.append(("eth_estimateGas", (self._params(call),)))
        block, tip, *estimate = self._rpc.ask_all(requests)
        for failed in (block, *estimate):
            if isinstance(failed, Failure):
                raise _explain(failed) from failed
        limit = int(block["gasLimit"], 16)
        gas = call.gas or min(limit, int(int(estimate[0], 16) * self._margin))
        priority = 0 if isinstance(tip, Failure) else int(tip, 16)
        fields: dict[str, Any] = {"type": 2, "chainId": self.chain_id, "gas": gas, "value": call.value}
        fields |= {"maxPriorityFeePerGas": priority, "data": call.data, "to": call.to}
        return fields | {"maxFeePerGas": 2 * int(block.get("baseFeePerGas", "0x0"), 16) + priority}

    @contextmanager
    def _remember(self, call: Call, signed: _Signed) -> Iterator[None]:
        try:
            yield
        except ChainUnavailable as error:
            self._doubtful[call] = signed
            error.evidence.setdefault("transaction", signed.hash)
            raise

    def _resume(self, call: Call) -> _Signed | None:
        """The transaction that an earlier `send` of this call left in doubt, once the chain has it."""
        signed = self._doubtful.pop(call, None)
        if signed is None:
            return None
        with self._remember(call, signed):
            return signed if self._deliver(signed) else None

    def _submit(self, call: Call, unsigned: Mapping[str, Any]) -> _Signed:
        for attempt in range(_NONCE_ATTEMPTS):
            nonce = self._next_nonce()
            raw, hash_ = self._signer().sign({**unsigned, "nonce": nonce})
            signed = _Signed("0x" + raw.hex(), hash_, nonce)
            with self._remember(call, signed):
                taken = self._deliver(signed)
            if taken:
                self._last = signed
                return signed
            time.sleep(0.02 * attempt)
        raise MoneyError("another process keeps taking this key's nonces", address=self.address)

    def _next_nonce(self) -> int:
        """What the chain says; or one more than our last transaction's, where a node knows that one but has not counted it yet.

        A chain that took back some blocks asks for their numbers again: a transaction with a later one would wait for ever.
        """
        asked = int(self._ask("eth_getTransactionCount", self.address, "pending"), 16)
        if self._last is not None and self._last.nonce >= asked and self._known(self._last):
            return self._last.nonce + 1
        return asked

    def _deliver(self, signed: _Signed) -> bool:
        """Bring the signed bytes to the chain. False: it can never be mined, its nonce belongs to another."""
        deadline = time.monotonic() + self._rpc.retry
        while True:
            try:
                self._rpc.once("eth_sendRawTransaction", signed.raw)
                return True
            except Failure as failure:
                return self._refusal(signed, failure)
            except Unreachable as error:
                if self._known(signed):
                    return True
                if time.monotonic() > deadline:
                    raise ChainUnavailable(
                        f"{self.url} does not take the transaction: {error}", url=self.url
                    ) from error
                time.sleep(0.05)

    def _refusal(self, signed: _Signed, failure: Failure) -> bool:
        words = failure.message.lower()
        if "already known" in words or "already imported" in words or "known transaction" in words:
            return True
        if "nonce too low" in words or ("underpriced" in words and "replacement" in words):
            return self._known(signed)  # an earlier copy of these very bytes, or somebody else's?
        raise _explain(failure) from failure

    def _known(self, signed: _Signed) -> bool:
        return self._ask("eth_getTransactionByHash", signed.hash) is not None

    def _wait(self, signed: _Signed) -> dict[str, Any]:
        deadline, pause, polls = time.monotonic() + self.timeout, 0.01, 0
        while True:
            receipt: dict[str, Any] | None = self._ask("eth_getTransactionReceipt", signed.hash)
            if receipt is not None and receipt.get("blockHash"):
                return receipt
            if time.monotonic() > deadline:
                why = f"the transaction was not mined within {self.timeout:g} s"
                raise ChainUnavailable(why, nonce=signed.nonce)
            time.sleep(pause)
            pause, polls = min(1.0, pause * 1.5), polls + 1
            if polls % 4 == 0 and not self._known(signed) and not self._deliver(signed):
                raise MoneyError("another transaction took this one's nonce", transaction=signed.hash)

    def _post_mortem(self, call: Call, receipt: Mapping[str, Any]) -> Reverted:
        """Why a mined transaction failed: executed again on the state before its block, the nearest there is."""
        evidence = {"transaction": receipt["transactionHash"], "block": int(receipt["blockNumber"], 16)}
        try:
            self.call(call, evidence["block"] - 1)
        except Reverted as error:
            return Reverted(error.message, **(error.evidence | evidence))
        except AssayError:
            pass
        reason = "out of gas" if call.gas and int(receipt["gasUsed"], 16) == call.gas else "unknown"
        return Reverted(f"the transaction failed: {reason}", reason=reason, **evidence)


def _unhex(value: str) -> bytes:
    return bytes.fromhex(value.removeprefix("0x"))


def _log(found: Mapping[str, Any]) -> RawLog:
    return RawLog(
        address=to_checksum_address(found["address"]),
        topics=tuple(map(_unhex, found["topics"])),
        data=_unhex(found["data"]),
        block=int(found["blockNumber"], 16),
        block_hash=found["blockHash"],
        index=int(found["logIndex"], 16),
        transaction=found["transactionHash"],
    )


def _explain(failure: Failure) -> AssayError:
    """The error of assay that a node's answer stands for."""
    words = failure.message.lower()
    if "insufficient funds" in words or "insufficient balance" in words:
        return InsufficientFunds(failure.message, node_code=failure.code)
    data = failure.data.get("data") if isinstance(failure.data, dict) else failure.data
    if failure.code == 3 or "revert" in words:
        given = isinstance(data, str) and data.startswith("0x")
        reason = revert_reason(_unhex(str(data))) if given else failure.message
        return Reverted(f"the contract refuses: {reason}", reason=reason)
    if failure.code in (-32603, -32005, -32001) or "not found" in words:
        return ChainUnavailable(f"the chain cannot answer: {failure.message}", node_code=failure.code)
    return MoneyError(f"the chain refuses: {failure.message}", node_code=failure.code)
