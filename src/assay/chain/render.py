"""Blocks, transactions, receipts and logs as Ethereum's JSON-RPC spells them."""

from __future__ import annotations

from typing import Any

from eth_utils.address import to_checksum_address

from .evm import Header, Transaction
from .ledger import StoredLog, StoredTransaction

__all__ = ["block", "data", "log", "quantity", "receipt", "transaction"]

Json = dict[str, Any]


def quantity(value: int) -> str:
    """An integer."""
    return hex(value)


def data(value: bytes) -> str:
    """Bytes."""
    return "0x" + value.hex()


def _address(value: bytes) -> str | None:
    return to_checksum_address(value) if value else None


def block(header: Header, stored: list[StoredTransaction], full: list[Json] | None) -> Json:
    """A block with its transactions' hashes, or the transactions themselves if `full` is given."""
    return {
        "number": quantity(header.number),
        "hash": data(header.hash),
        "parentHash": data(header.parent),
        "nonce": "0x" + "00" * 8,
        "sha3Uncles": data(header.uncles_hash),
        "logsBloom": f"0x{header.bloom:0512x}",
        "transactionsRoot": data(header.transactions_root),
        "stateRoot": data(header.state_root),
        "receiptsRoot": data(header.receipts_root),
        "miner": _address(header.miner),
        "difficulty": "0x0",
        "extraData": data(header.extra),
        "size": quantity(_size(header, stored)),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(header.timestamp),
        "baseFeePerGas": quantity(header.base_fee),
        "mixHash": data(header.randomness),
        "uncles": [],
        "withdrawals": [],
        "transactions": [data(tx.hash) for tx in stored] if full is None else full,
    }


def _prefixed(length: int) -> int:
    """Bytes that an RLP string or list with a payload of `length` > 1 bytes takes."""
    return length + (1 if length < 56 else 1 + (length.bit_length() + 7) // 8)


def _size(header: Header, stored: list[StoredTransaction]) -> int:
    items = sum(len(tx.raw) if tx.raw[0] >= 0xC0 else _prefixed(len(tx.raw)) for tx in stored)
    return _prefixed(header.encoded_size + _prefixed(items) + 2)  # two empty lists: uncles and withdrawals


def transaction(tx: Transaction, stored: StoredTransaction, block_hash: bytes, chain_id: int) -> Json:
    """A mined transaction."""
    found: Json = {
        "hash": data(tx.hash),
        "blockHash": data(block_hash),
        "blockNumber": quantity(stored.block),
        "transactionIndex": quantity(stored.index),
        "from": _address(tx.sender),
        "to": _address(tx.to),
        "nonce": quantity(tx.nonce),
        "value": quantity(tx.value),
        "gas": quantity(tx.gas),
        "gasPrice": quantity(stored.price),
        "input": data(tx.data),
        "type": quantity(tx.kind),
        "chainId": quantity(chain_id),
        "v": quantity(tx.y_parity if tx.kind else tx.y_parity + 35 + 2 * chain_id),
        "r": quantity(tx.r),
        "s": quantity(tx.s),
    }
    if tx.kind:
        slots = [{"address": _address(a), "storageKeys": [f"0x{k:064x}" for k in keys]} for a, keys in tx.access_list]
        found |= {"accessList": slots, "yParity": quantity(tx.y_parity)}
    if tx.kind == 2:
        found |= {"maxFeePerGas": quantity(tx.max_fee), "maxPriorityFeePerGas": quantity(tx.max_priority)}
    return found


def receipt(tx: Transaction, stored: StoredTransaction, block_hash: bytes, logs: list[StoredLog]) -> Json:
    """What a mined transaction did."""
    return {
        "transactionHash": data(tx.hash),
        "transactionIndex": quantity(stored.index),
        "blockHash": data(block_hash),
        "blockNumber": quantity(stored.block),
        "from": _address(tx.sender),
        "to": _address(tx.to),
        "gasUsed": quantity(stored.gas_used),
        "cumulativeGasUsed": quantity(stored.cumulative_gas),
        "effectiveGasPrice": quantity(stored.price),
        "contractAddress": _address(stored.created),
        "logs": [log(entry) for entry in logs],
        "logsBloom": f"0x{stored.bloom:0512x}",
        "status": quantity(int(stored.succeeded)),
        "type": quantity(tx.kind),
    }


def log(entry: StoredLog) -> Json:
    """One event."""
    return {
        "address": _address(entry.address),
        "topics": [data(topic) for topic in entry.topics],
        "data": data(entry.data),
        "blockNumber": quantity(entry.block),
        "blockHash": data(entry.block_hash),
        "transactionHash": data(entry.transaction),
        "transactionIndex": quantity(entry.transaction_index),
        "logIndex": quantity(entry.index),
        "removed": False,
    }
