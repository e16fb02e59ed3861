"""The client: nonces, refusals, and transactions that are sent once whatever happens on the way."""

from __future__ import annotations

import http.client
import http.server
import json
import secrets
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from assay.chain import Call, Client, Deployment, Key, Token, deploy
from assay.chain.node import Node
from assay.errors import ChainUnavailable, ConfigError, InsufficientFunds, MoneyError, Reverted, UsageError

SINK = "0x" + "00" * 19 + "01"


class Troublemaker:
    """A proxy before a node that swallows requests, answers, or both, as told by `trouble(method)`."""

    def __init__(self, target: str) -> None:
        self.trouble: Callable[[str], str] = lambda _: ""
        self.sent: list[str] = []
        outer, port = self, int(target.rpartition(":")[2])

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                asked = json.loads(body)
                method = "batch" if isinstance(asked, list) else asked["method"]
                if method == "eth_sendRawTransaction":
                    outer.sent.append(asked["params"][0])
                what = outer.trouble(method)
                if what == "swallow request":
                    return self.hang_up()
                if what.isdecimal():
                    self.send_response(int(what))
                    self.send_header("content-length", "0")
                    self.end_headers()
                    return None
                connection = http.client.HTTPConnection("127.0.0.1", port)
                connection.request("POST", "/", body, {"content-type": "application/json"})
                answer = connection.getresponse().read()
                connection.close()
                if what == "swallow answer":
                    return self.hang_up()
                self.send_response(200)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                return None

            def hang_up(self) -> None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def first(self, method: str, what: str, times: int = 1) -> None:
        """The next `times` requests of `method` have this trouble."""
        left = [times]

        def trouble(asked: str) -> str:
            if asked == method and left[0] > 0:
                left[0] -= 1
                return what
            return ""

        self.trouble = trouble

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def proxy(url: str) -> Iterator[Troublemaker]:
    made = Troublemaker(url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def deployment(url: str) -> Iterator[Deployment]:
    import secrets

    from assay.chain import Key

    with Client(url, Key(secrets.token_bytes(32))) as founder:
        yield deploy(founder)


def count(client: Client) -> int:
    return int(client._ask("eth_getTransactionCount", client.address, "latest"), 16)


def test_a_receipt_says_where(client: Client) -> None:
    receipt = client.send(Call(SINK, b""))
    head = client.head()
    assert (receipt.block, receipt.block_hash, receipt.contract) == (head.number, head.hash, "")
    assert client.block(10**6) is None
    assert client.chain_id == 31337


def test_a_revert_has_the_contracts_own_words(client: Client, deployment: Deployment) -> None:
    token = Token(client, deployment.token)
    token.faucet()
    with pytest.raises(Reverted, match="token: granted") as caught:
        token.faucet()
    assert caught.value.evidence["reason"] == "token: granted"
    assert count(client) == 1  # it was not even sent
    with pytest.raises(Reverted, match="token: balance"):
        client.call(Call(deployment.token, token.abi.encode("transfer", SINK, 10**30)))


def test_a_transaction_that_reverts_in_its_block_says_why(client: Client, deployment: Deployment) -> None:
    token = Token(client, deployment.token)
    data = token.abi.encode("transfer", SINK, 1)
    with pytest.raises(Reverted, match="token: balance") as caught:
        client.send(Call(deployment.token, data, gas=100_000))
    assert caught.value.evidence["reason"] == "token: balance"
    assert caught.value.evidence["transaction"].startswith("0x")
    assert count(client) == 1
    token.faucet()
    with pytest.raises(Reverted) as caught:
        client.send(Call(deployment.token, data, gas=22_000))
    assert caught.value.evidence["reason"] == "out of gas"


def test_what_an_account_lacks_is_named(client: Client) -> None:
    with pytest.raises(InsufficientFunds):
        client.send(Call(SINK, b"", value=1, gas=30_000))
    with pytest.raises(MoneyError, match="block gas limit"):
        client.send(Call(SINK, b"", gas=10**9))
    assert client.send(Call(SINK, b"")).block  # and its nonces are still in order


def test_two_threads_share_a_client(client: Client) -> None:
    with ThreadPoolExecutor(2) as pool:
        receipts = list(pool.map(lambda n: client.send(Call(SINK, bytes([n]))), range(20)))
    assert len({receipt.hash for receipt in receipts}) == 20
    assert count(client) == 20


def test_two_clients_share_a_key(url: str, new_key: Any, connect: Callable[..., Client]) -> None:
    """As two processes would: neither knows of the other's nonces."""
    key = new_key()
    clients = [connect(url, key), connect(url, key)]
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(clients[n % 2].send, Call(SINK, bytes([n]))) for n in range(20)]
        receipts = [job.result() for job in jobs]
    assert len({receipt.hash for receipt in receipts}) == 20
    assert count(clients[0]) == 20
    assert connect(url, key).send(Call(SINK, b"")).block  # a third one starts where they are


@pytest.mark.parametrize("trouble", ["swallow request", "swallow answer", "503"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_lost_request_or_answer_is_not_a_second_transaction(
    proxy: Troublemaker, connect: Callable[..., Client], trouble: str, times: int
) -> None:
    client = connect(proxy.url)
    proxy.first("eth_sendRawTransaction", trouble, times)
    receipt = client.send(Call(SINK, b"once"))
    assert len(set(proxy.sent)) == 1  # the same bytes, however often
    assert len(proxy.sent) == (1 if trouble == "swallow answer" else times + 1)
    assert count(client) == 1
    assert client._ask("eth_getTransactionByHash", receipt.hash)["blockNumber"] == hex(receipt.block)


@pytest.mark.parametrize("trouble", ["swallow request", "swallow answer"])
def test_after_giving_up_the_same_call_continues_with_the_same_bytes(
    proxy: Troublemaker, connect: Callable[..., Client], trouble: str
) -> None:
    client = connect(proxy.url, retry=0.3)
    client.send(Call(SINK, b"before"))
    proxy.sent.clear()

    def dead(method: str) -> str:
        return trouble if method == "eth_sendRawTransaction" else "503" if proxy.sent else ""

    proxy.trouble = dead
    with pytest.raises(ChainUnavailable) as caught:
        client.send(Call(SINK, b"once"))
    proxy.trouble = lambda _: ""
    receipt = client.send(Call(SINK, b"once"))
    assert receipt.hash == caught.value.evidence["transaction"]
    assert len(set(proxy.sent)) == 1
    assert count(client) == 2
    client.send(Call(SINK, b"once"))  # a success is an end: asking again is a new transaction
    assert count(client) == 3


def test_a_nonce_lost_to_another_is_taken_again(url: str, proxy: Troublemaker, new_key: Any, connect: Any) -> None:
    """The request is swallowed, then another process uses the nonce: only then is there a second signature."""
    key = new_key()
    client, other = connect(proxy.url, key), connect(url, key)

    def trouble(method: str) -> str:
        if method == "eth_sendRawTransaction" and len(proxy.sent) == 1:
            other.send(Call(SINK, b"other"))
            return "swallow request"
        return ""

    proxy.trouble = trouble
    client.send(Call(SINK, b"mine"))
    assert count(client) == 2
    assert len(proxy.sent) == 3  # lost, too late, and signed anew
    assert len(set(proxy.sent)) == 2


def test_reads_wait_for_an_rpc_that_comes_back(proxy: Troublemaker, connect: Callable[..., Client]) -> None:
    client = connect(proxy.url)
    proxy.first("eth_getBlockByNumber", "503", 4)
    assert client.head().number >= 0


def test_an_rpc_that_stays_away_is_reported(connect: Callable[..., Client]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        client = connect(url, retry=0.3)
        started = time.monotonic()
        with pytest.raises(ChainUnavailable) as caught:
            client.send(Call(SINK, b""))
        assert time.monotonic() - started < 5
    assert caught.value.exit_code == 5
    assert caught.value.evidence["url"] == url


def test_what_is_no_rpc_is_reported(url: str, connect: Callable[..., Client]) -> None:
    with pytest.raises(ChainUnavailable, match="is it an Ethereum RPC"):
        connect(url + "/nothing/here").head()
    for nonsense in ("ftp://127.0.0.1", "127.0.0.1:8545", "http://"):
        with pytest.raises(ConfigError, match="not an RPC URL"):
            connect(nonsense)


def test_a_node_may_be_restarted_under_a_client(spawn: Callable[..., Any], connect: Callable[..., Client]) -> None:
    node = spawn()
    client = connect(node.start())
    client.send(Call(SINK, b""))
    node.end(signal.SIGKILL)
    waiting = threading.Timer(0.5, node.start)
    waiting.start()
    assert client.send(Call(SINK, b"")).block == 2
    waiting.join()


def test_a_client_without_a_key_only_reads(url: str) -> None:
    with Client(url) as reader:
        assert reader.head().number >= 0
        with pytest.raises(UsageError, match="no key"):
            reader.send(Call(SINK, b""))
        with pytest.raises(UsageError, match="no key"):
            _ = reader.address


def test_arguments_that_do_not_fit_are_refused(client: Client, deployment: Deployment) -> None:
    token = Token(client, deployment.token)
    for to, amount in ((SINK, -1), (SINK, 2**256), ("0x12", 1), (SINK, "1"), (b"", 1)):
        with pytest.raises(UsageError, match="transfer"):
            token.transfer(to, amount)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="takes 2 arguments"):
        token._send("transfer", SINK)


def test_a_contract_that_is_not_there_is_reported(client: Client, deployment: Deployment) -> None:
    with pytest.raises(ChainUnavailable, match="strange bytes") as caught:
        Token(client, SINK).total_supply()
    assert "deployment" in caught.value.hint
    deployment.check(client)
    elsewhere = msgspec.structs.replace(deployment, market=SINK[:-1] + "9")
    with pytest.raises(ConfigError, match="no market"):
        elsewhere.check(client)


def test_a_chain_that_took_back_blocks_is_sent_the_numbers_that_it_wants(tmp_path: Path):
    """The next transaction would otherwise wait for the ones that are gone, as long as the client has patience."""
    chain, kept = tmp_path / "chain.sqlite", tmp_path / "kept.sqlite"
    node = Node(chain)
    with node as url:
        client = Client(url, Key(secrets.token_bytes(32)), timeout=10)
        client.send(Call(SINK, b""))
    shutil.copyfile(chain, kept)
    port = int(url.rsplit(":", 1)[1])
    with Node(chain, port):
        client.send(Call(SINK, b"\x01"))
        client.send(Call(SINK, b"\x02"))
    for left in tmp_path.glob("chain.sqlite*"):
        left.unlink()
    shutil.copyfile(kept, chain)
    with Node(chain, port):
        assert client.transaction_count() == 1
        client.send(Call(SINK, b"\x03"))
        assert client.transaction_count() == 2
    client.close()
