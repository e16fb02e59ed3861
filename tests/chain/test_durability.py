"""Kill the node at any moment: what it acknowledged is there, and nothing is torn."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay.chain import Call, Client, Token
from assay.chain.contract import ZERO_ADDRESS
from assay.chain.deployment import deploy
from assay.chain.evm import Invalid
from assay.chain.ledger import Ledger
from assay.chain.miner import Clock, Miner
from assay.chain.pyevm import PyEvm


def check_chain(url: str, ask: Callable[..., Any]) -> int:
    """Every block follows from the one before, every transaction has its receipt, every state can be read."""
    head = int(ask(url, "eth_blockNumber")["result"], 16)
    parent = None
    for number in range(head + 1):
        block = ask(url, "eth_getBlockByNumber", hex(number), True)["result"]
        assert block["number"] == hex(number)
        assert parent is None or block["parentHash"] == parent["hash"]
        assert parent is None or int(block["timestamp"], 16) >= int(parent["timestamp"], 16)
        for tx in block["transactions"]:
            receipt = ask(url, "eth_getTransactionReceipt", tx["hash"])["result"]
            assert receipt["blockHash"] == block["hash"]
            assert int(ask(url, "eth_getTransactionCount", tx["from"], hex(number))["result"], 16) > int(
                tx["nonce"], 16
            )
        parent = block
    return head


@pytest.mark.timeout(180)
def test_killed_in_the_middle_of_a_stream(spawn: Callable[..., Any], new_key: Any, ask: Callable[..., Any]) -> None:
    """Three writers, and a node that is killed at arbitrary moments. The writers never notice more than a pause."""
    node, acknowledged, failures = spawn(), [], []
    url = node.start()
    with Client(url, new_key()) as founder:
        token = deploy(founder).token
    stop = threading.Event()

    def write(client: Client) -> None:
        contract = Token(client, token)
        try:
            contract.faucet()
            while not stop.is_set():
                acknowledged.append((client.address, contract.transfer(ZERO_ADDRESS[:-1] + "1", 1)))
        except Exception as error:
            failures.append(error)

    clients = [Client(url, new_key(), retry=60) for _ in range(3)]
    threads = [threading.Thread(target=write, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for round_ in range(4):
        mark = len(acknowledged)
        deadline = time.monotonic() + 30
        while len(acknowledged) < mark + 3 * (round_ + 1) and not failures and time.monotonic() < deadline:
            time.sleep(0.01)
        assert node.end(signal.SIGKILL) == -signal.SIGKILL
        assert node.start() == url
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []

    assert check_chain(url, ask) >= len(acknowledged) / 3
    for _, receipt in acknowledged:
        found = ask(url, "eth_getTransactionReceipt", receipt.hash)["result"]
        assert (found["blockHash"], found["status"]) == (receipt.block_hash, "0x1")
    paid = Token(clients[0], token).balance_of(ZERO_ADDRESS[:-1] + "1")
    assert paid == len(acknowledged)  # nothing was lost, nothing was sent twice
    for client in clients:
        client.close()
    assert node.end(signal.SIGTERM) == 0
    with sqlite3.connect(node.path) as database:
        assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
    database.close()


class Workshop:
    """A chain without a server, to break its disk."""

    def __init__(self, path: Path) -> None:
        self.ledger = Ledger(path, create=True)
        self.evm = PyEvm(self.ledger) if PyEvm.exists(self.ledger) else PyEvm.create(self.ledger, 1, {}, 10)
        self.miner = Miner(self.evm, self.ledger, Clock(self.ledger))


def test_a_full_disk_loses_the_block_and_nothing_else(tmp_path: Path, new_key: Any) -> None:
    shop, key = Workshop(tmp_path / "chain.db"), new_key()

    def raw(nonce: int, size: int) -> bytes:
        fields = {"type": 2, "chainId": 1, "gas": 9_000_000, "value": 0, "data": b"\1" * size, "to": key.address}
        return key.sign({**fields, "nonce": nonce, "maxFeePerGas": 0, "maxPriorityFeePerGas": 0})[0]

    first = shop.miner.submit(raw(0, 0))
    assert shop.miner.mine() == {}
    head = shop.evm.head()
    pages = shop.ledger._sql.execute("pragma page_count").fetchone()[0]
    shop.ledger._sql.execute(f"pragma max_page_count = {pages + 4}")
    shop.miner.submit(raw(1, 100_000))
    with pytest.raises(sqlite3.OperationalError, match="full"):
        shop.miner.mine()
    assert shop.evm.head() == head
    assert shop.evm.nonce(bytes.fromhex(key.address[2:]), head.number) == 1
    assert shop.miner.next_nonce(bytes.fromhex(key.address[2:])) == 1

    shop.ledger._sql.execute("pragma max_page_count = 100000")
    second = shop.miner.submit(raw(1, 100_000))  # the sender tries again and it works
    assert shop.miner.mine() == {}
    shop.ledger.close()
    again = Workshop(tmp_path / "chain.db")
    assert again.evm.head().number == 2
    assert [again.ledger.transaction(hash_).block for hash_ in (first, second)] == [1, 2]
    again.ledger.close()


def test_a_genesis_that_was_interrupted_is_made_again(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "chain.db", create=True)
    ledger.set("chain_id", 5)  # as far as a creation gets before the commit
    assert not PyEvm.exists(ledger)
    ledger.close()
    shop = Workshop(tmp_path / "chain.db")
    assert (shop.evm.chain_id, shop.evm.head().number) == (1, 0)
    shop.ledger.close()


def test_a_transaction_that_breaks_the_evm_is_dropped_alone(tmp_path: Path, new_key: Any) -> None:
    """py-evm raising something unforeseen must not take the block, or the node, with it."""
    shop, good, bad = Workshop(tmp_path / "chain.db"), new_key(), new_key()
    build = shop.evm.build

    def brittle(transactions: Any, timestamp: int, randomness: bytes) -> Any:
        if any("0x" + tx.sender.hex() == bad.address.lower() for tx in transactions):
            raise RuntimeError("a bug")
        return build(transactions, timestamp, randomness)

    shop.evm.build = brittle  # type: ignore[method-assign]
    fields = {"type": 2, "chainId": 1, "gas": 21_000, "value": 0, "to": good.address, "nonce": 0}
    fields |= {"maxFeePerGas": 0, "maxPriorityFeePerGas": 0}
    hashes = [shop.miner.submit(key.sign(fields)[0]) for key in (bad, good)]
    refused = shop.miner.mine()
    assert list(refused) == [hashes[0]]
    assert "a bug" in refused[hashes[0]]
    assert shop.ledger.transaction(hashes[1]).block == 1
    with pytest.raises(Invalid, match="already known"):
        shop.miner.submit(good.sign(fields)[0])
    shop.ledger.close()


def test_the_node_answers_reads_while_its_disk_is_full(tmp_path: Path, new_key: Any, ask: Callable[..., Any]) -> None:
    from assay.chain.node import Node
    from assay.errors import ChainUnavailable

    node = Node(tmp_path / "chain.db")
    with node as url, Client(url, new_key()) as client:
        client.send(Call(client.address, b""))
        pages = node._ledger._sql.execute("pragma page_count").fetchone()[0]
        node._ledger._sql.execute(f"pragma max_page_count = {pages}")
        with pytest.raises(ChainUnavailable, match="could not be stored"):
            client.send(Call(client.address, b"\1" * 60_000))
        assert client.head().number == 1
        node._ledger._sql.execute("pragma max_page_count = 100000")
        assert client.send(Call(client.address, b"\1" * 60_000)).block == 2
