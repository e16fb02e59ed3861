"""What the node's chain does: blocks, randomness, time, nonces, history, logs."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from assay.chain import Call, Client, Key
from assay.chain.node import Node, create

STORE_RANDOMNESS = "445f5500"  # storage[0] = prevrandao
CALL_ITSELF = "5f5f5f5f5f305af100"
EMIT = "5f355f5fa100"  # a log whose one topic is the first word of the call's data
KEEP_GAS = "5a6207a1201160115700" + "00" * 6 + "00" + "5b5f5ffd"  # reverts where less than 500,000 gas is left


def deploy(client: Client, runtime: str) -> str:
    body = bytes.fromhex(runtime)
    return client.send(Call("", bytes.fromhex(f"60{len(body):02x}80600b6000396000f3") + body)).contract


def run(client: Client, code: str) -> int:
    """The word that a program leaves on the stack, executed in the next block."""
    return int.from_bytes(client.call(Call("", bytes.fromhex(code + "60005260206000f3"))), "big")


def sign(key: Key, nonce: int, **fields: Any) -> str:
    base = {"type": 2, "chainId": 31337, "gas": 50_000, "value": 0, "data": b"", "to": key.address}
    raw, _ = key.sign({**base, "maxFeePerGas": 0, "maxPriorityFeePerGas": 0, "nonce": nonce, **fields})
    return "0x" + raw.hex()


def test_a_fresh_key_needs_no_ether(client: Client) -> None:
    assert client.balance(client.address) == 0
    assert client.send(Call(client.address, b"")).gas_used == 21_000


def test_fees_may_be_offered_and_are_paid(tmp_path: Path, new_key: Any, ask: Callable[..., Any]) -> None:
    rich = new_key()
    create(tmp_path / "chain.db", {rich.address: 10**18})
    with Node(tmp_path / "chain.db") as url:
        sent = ask(url, "eth_sendRawTransaction", sign(rich, 0, maxFeePerGas=7, maxPriorityFeePerGas=3))["result"]
        receipt = ask(url, "eth_getTransactionReceipt", sent)["result"]
        assert receipt["effectiveGasPrice"] == "0x3"
        assert int(ask(url, "eth_getBalance", rich.address)["result"], 16) == 10**18 - 3 * 21_000
        history = ask(url, "eth_feeHistory", "0x5", "latest", [50])["result"]
        assert history["baseFeePerGas"] == ["0x0"] * 3
        assert history["reward"] == [["0x0"], ["0x3"]]
        legacy = {"chainId": 31337, "gas": 21_000, "gasPrice": 5, "nonce": 1, "to": rich.address, "value": 0}
        sent = ask(url, "eth_sendRawTransaction", "0x" + rich.sign(legacy)[0].hex())["result"]
        found = ask(url, "eth_getTransactionByHash", sent)["result"]
        assert (found["type"], found["gasPrice"], found["from"]) == ("0x0", "0x5", rich.address)


def test_each_block_has_randomness_that_no_call_foretells(client: Client, url: str, ask: Callable[..., Any]) -> None:
    contract, seen = deploy(client, STORE_RANDOMNESS), set()
    for _ in range(3):
        foretold = run(client, "4460081c")  # without its last byte: a result that begins with 0xEF would be refused
        receipt = client.send(Call(contract, b""))
        stored = int(ask(url, "eth_getStorageAt", contract, "0x0", "latest")["result"], 16)
        block = ask(url, "eth_getBlockByNumber", hex(receipt.block), False)["result"]
        assert stored == int(block["mixHash"], 16)
        seen |= {stored >> 8, foretold}
    assert len(seen) == 6


def test_the_last_256_block_hashes_are_known_and_no_more(tmp_path: Path, ask: Callable[..., Any]) -> None:
    def known(number: int) -> bool:
        expected = int(ask(url, "eth_getBlockByNumber", hex(number), False)["result"]["hash"], 16)
        with Client(url) as client:
            found = run(client, f"61{number:04x}40")
        assert found in (0, expected)
        return found != 0

    with Node(tmp_path / "chain.db", dev=True) as url:
        for _ in range(300):
            ask(url, "evm_mine")
    with Node(tmp_path / "chain.db") as url:  # calls execute in block 301; it survives a restart
        assert [known(n) for n in (300, 200, 45)] == [True] * 3
        assert [known(n) for n in (44, 1)] == [False] * 2


def test_time_follows_the_clock_and_can_be_moved(tmp_path: Path, ask: Callable[..., Any], connect: Any) -> None:
    with Node(tmp_path / "chain.db", dev=True) as url:
        client = connect(url)
        stamps = []
        for _ in range(5):
            block = client.send(Call(client.address, b"")).block
            stamps.append(client.block(block).timestamp)
            assert abs(stamps[-1] - time.time()) < 3
        assert stamps == sorted(stamps)
        assert ask(url, "evm_increaseTime", 1000)["result"] == 1000
        assert 990 <= client.now() - time.time() <= 1010
        ask(url, "evm_mine")
        assert client.head().timestamp >= stamps[-1] + 1000
    with Node(tmp_path / "chain.db") as url:  # and does not jump back
        assert connect(url).now() >= time.time() + 990


def test_nonces_wait_for_their_turn(url: str, new_key: Callable[[], Key], ask: Callable[..., Any]) -> None:
    key = new_key()

    def send(nonce: int, **fields: Any) -> str:
        answer = ask(url, "eth_sendRawTransaction", sign(key, nonce, **fields))
        return answer.get("result") or answer["error"]["message"]

    def count(tag: str) -> int:
        return int(ask(url, "eth_getTransactionCount", key.address, tag)["result"], 16)

    second = send(1)
    assert send(1) == "already known"
    assert send(1, gas=60_000) == "replacement transaction underpriced"
    assert (count("latest"), count("pending")) == (0, 0)
    assert ask(url, "eth_getTransactionReceipt", second)["result"] is None
    first = send(0)
    blocks = [ask(url, "eth_getTransactionReceipt", sent)["result"]["blockNumber"] for sent in (first, second)]
    assert blocks[0] == blocks[1]
    assert (count("latest"), count("pending")) == (2, 2)
    assert send(0) == "already known"
    assert send(0, gas=60_000) == "nonce too low: next nonce 2, tx nonce 0"
    assert send(500).startswith("nonce too high")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"chainId": 1}, "invalid chain id"),
        ({"value": 1}, "insufficient funds"),
        ({"maxFeePerGas": 10**9}, "insufficient funds"),
        ({"gas": 20_000}, "gas"),
        ({"gas": 60_000_001}, "exceeds block gas limit"),
        ({"maxPriorityFeePerGas": 1}, "max priority fee"),
    ],
)
def test_what_cannot_be_executed_is_refused(
    url: str, new_key: Callable[[], Key], ask: Callable[..., Any], fields: dict[str, Any], words: str
) -> None:
    key = new_key()
    assert words in ask(url, "eth_sendRawTransaction", sign(key, 0, **fields))["error"]["message"].lower()
    assert ask(url, "eth_getTransactionCount", key.address, "pending")["result"] == "0x0"


def test_a_transaction_without_replay_protection_is_refused(url: str, new_key: Any, ask: Callable[..., Any]) -> None:
    raw, _ = new_key().sign({"gas": 21_000, "gasPrice": 0, "nonce": 0, "to": "0x" + "00" * 20, "value": 0})
    assert "replay-protected" in ask(url, "eth_sendRawTransaction", "0x" + raw.hex())["error"]["message"]


def test_one_block_takes_a_batch_and_drops_only_what_cannot_be(tmp_path: Path, new_key: Any, ask: Any) -> None:
    """Two transactions that each spend everything pass admission together; the block holds one of them."""
    rich, other = new_key(), new_key()
    create(tmp_path / "chain.db", {rich.address: 100})
    raws = [sign(rich, 0, value=100, to=other.address), sign(rich, 1, value=100, to=other.address), sign(other, 0)]
    with Node(tmp_path / "chain.db") as url:
        batch = [
            {"jsonrpc": "2.0", "id": n, "method": "eth_sendRawTransaction", "params": [r]} for n, r in enumerate(raws)
        ]
        answers = httpx2.post(url, json=batch, trust_env=False).json()
        assert ["result" in answer for answer in answers] == [True, False, True]
        assert ask(url, "eth_blockNumber")["result"] == "0x1"
        block = ask(url, "eth_getBlockByNumber", "0x1", True)["result"]
        assert [tx["hash"] for tx in block["transactions"]] == [answers[0]["result"], answers[2]["result"]]
        assert int(ask(url, "eth_getBalance", other.address)["result"], 16) == 100
        # the dropped one leaves no trace: its nonce is free
        assert "result" in ask(url, "eth_sendRawTransaction", sign(rich, 1))


def test_blocks_are_filled_and_not_overfilled(tmp_path: Path, new_key: Any, ask: Callable[..., Any]) -> None:
    senders = [new_key() for _ in range(5)]
    batch = [
        {"jsonrpc": "2.0", "id": n, "method": "eth_sendRawTransaction", "params": [sign(key, 0, gas=25_000_000)]}
        for n, key in enumerate(senders)
    ]
    with Node(tmp_path / "chain.db") as url:
        hashes = [a["result"] for a in httpx2.post(url, json=batch, trust_env=False).json()]
        blocks = [int(ask(url, "eth_getTransactionReceipt", h)["result"]["blockNumber"], 16) for h in hashes]
    # gas is reserved when a transaction starts and given back when it ends: 60M holds 25M after 25M after 21k ...
    assert blocks == sorted(blocks)
    assert blocks[0] == 1


def test_history_can_be_asked_for(client: Client, url: str, ask: Callable[..., Any]) -> None:
    contract = deploy(client, STORE_RANDOMNESS)
    blocks = [client.send(Call(contract, b"")).block for _ in range(2)]

    def slot(block: int) -> str:
        return ask(url, "eth_getStorageAt", contract, "0x0", hex(block))["result"]

    assert int(slot(blocks[0] - 1), 16) == 0
    assert slot(blocks[0]) != slot(blocks[1])
    head = ask(url, "eth_getBlockByNumber", hex(blocks[0]), False)["result"]
    assert ask(url, "eth_getStorageAt", contract, "0x0", {"blockHash": head["hash"]})["result"] == slot(blocks[0])
    assert ask(url, "eth_getBlockByHash", head["hash"], False)["result"] == head
    assert ask(url, "eth_getBlockByHash", "0x" + "11" * 32, False)["result"] is None
    assert ask(url, "eth_getBlockByNumber", "0xffffffff", False)["result"] is None
    assert ask(url, "eth_getCode", contract, hex(blocks[0] - 2))["result"] == "0x"


def test_contracts_may_call_as_deep_as_gas_allows(client: Client) -> None:
    contract = deploy(client, CALL_ITSELF)  # a level costs 110 gas and keeps 1/64 of what is left: over 500 levels
    client.call(Call(contract, b"", gas=50_000_000))
    assert client.send(Call(contract, b"", gas=50_000_000)).gas_used > 21_000 + 500 * 110


def test_an_estimate_counts_gas_that_is_kept_back(client: Client) -> None:
    contract = deploy(client, KEEP_GAS)
    used = client.send(Call(contract, b"")).gas_used
    assert used < 30_000  # far less than what it insists on


def test_logs_are_found_by_address_topic_and_range(client: Client) -> None:
    one, two = deploy(client, EMIT), deploy(client, EMIT)
    topics = [bytes([n]) * 32 for n in (1, 2, 1)]
    blocks = [client.send(Call(to, topic)).block for to, topic in zip((one, one, two), topics, strict=True)]
    first, last = blocks[0], blocks[-1]
    found = client.logs(first, last, [one, two])
    assert [(log.address, log.topics, log.block) for log in found] == [
        (one, (topics[0],), blocks[0]),
        (one, (topics[1],), blocks[1]),
        (two, (topics[2],), blocks[2]),
    ]
    hexed = ["0x" + topic.hex() for topic in topics]
    assert [log.block for log in client.logs(first, last, [one], [hexed[0]])] == [blocks[0]]
    assert len(client.logs(first, last, [one, two], [[hexed[0], hexed[1]]])) == 3
    assert len(client.logs(first, last, [], [None])) == 3
    assert client.logs(first, last, [one, two], [hexed[0], hexed[0]]) == []
    assert client.logs(first, blocks[1], [two]) == []
    assert client.logs(last + 1, last + 10**6, [two]) == []


def test_web3_works_as_it_comes(url: str) -> None:
    """Other people's tools use web3: its defaults for fees, gas and nonces must do."""
    web3 = pytest.importorskip("web3")
    from assay.contracts import artifact

    w3 = web3.Web3(web3.Web3.HTTPProvider(url))
    account = w3.eth.account.create()
    w3.middleware_onion.inject(web3.middleware.SignAndSendRawMiddlewareBuilder.build(account), layer=0)
    w3.eth.default_account = account.address
    token = artifact("token")
    sent = w3.eth.contract(abi=token.abi, bytecode=token.bytecode).constructor().transact()
    address = w3.eth.wait_for_transaction_receipt(sent, poll_latency=0.01).contractAddress
    contract = w3.eth.contract(address=address, abi=token.abi)
    receipt = w3.eth.wait_for_transaction_receipt(contract.functions.faucet().transact(), poll_latency=0.01)
    assert receipt.status == 1
    events = contract.events.Transfer().get_logs(from_block=receipt.blockNumber)
    assert [event.args.receiver for event in events] == [account.address]
    assert contract.functions.balanceOf(account.address).call() == contract.functions.GRANT().call()
    with pytest.raises(web3.exceptions.ContractLogicError, match="token: granted"):
        contract.functions.faucet().call()
    block = w3.eth.get_block("latest", full_transactions=True)
    assert block.transactions[0].hash == receipt.transactionHash
    assert w3.eth.get_transaction(sent)["from"] == account.address
    w3.provider._request_session_manager.session_cache.clear()


def test_many_readers_and_writers_at_once(tmp_path: Path, connect: Callable[..., Client]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with Node(tmp_path / "chain.db") as url, ThreadPoolExecutor(6) as pool:
        clients = [connect(url) for _ in range(6)]
        work = [(client, n) for n, client in itertools.product(range(5), clients)]
        receipts = list(pool.map(lambda job: job[0].send(Call(job[0].address, b"")), work))
        assert len({receipt.hash for receipt in receipts}) == 30
        assert clients[0].head().number <= 30
        assert [int(c._ask("eth_getTransactionCount", c.address, "latest"), 16) for c in clients] == [5] * 6
