"""The node as a process and behind HTTP: who may talk to it, and what it answers to nonsense."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from assay.chain import Call, Client, Key
from assay.chain.node import MAX_BODY, Node, create
from assay.errors import ConfigError

CHAIN_ID = b'{"jsonrpc":"2.0","id":7,"method":"eth_chainId","params":[]}'


def post(url: str, body: bytes, **headers: str) -> httpx2.Response:
    sent = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return httpx2.post(url, content=body, headers=sent, trust_env=False)


def code(response: httpx2.Response) -> int:
    return response.json()["error"]["code"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil:80", "127.0.0.1@evil", ""])
def test_another_host_is_refused(url: str, host: str) -> None:
    assert post(url, CHAIN_ID, host=host).status_code in (400, 403)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:1234", "127.0.0.1:65535"])
def test_this_machine_is_served(url: str, host: str) -> None:
    assert post(url, CHAIN_ID, host=host).json() == {"jsonrpc": "2.0", "id": 7, "result": "0x7a69"}


def test_a_second_host_header_is_refused(url: str) -> None:
    port = int(url.rpartition(":")[2])
    head = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(CHAIN_ID) + CHAIN_ID)
        assert raw.recv(100).startswith((b"HTTP/1.1 400", b"HTTP/1.1 403"))


def test_only_the_loopback_address_listens(url: str) -> None:
    port = int(url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=2).close()


def test_what_a_web_page_can_send_unasked_is_refused(url: str) -> None:
    assert post(url, CHAIN_ID, content_type="text/plain").status_code == 415
    assert httpx2.options(url, trust_env=False).status_code == 405
    assert httpx2.get(url, trust_env=False).status_code == 405


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":1}x'])
def test_malformed_json(url: str, body: bytes) -> None:
    answer = post(url, body)
    assert answer.status_code == 400
    assert code(answer) == -32700


def test_an_oversized_body_is_refused(url: str) -> None:
    assert post(url, b" " * (MAX_BODY + 1)).status_code == 413
    assert post(url, CHAIN_ID + b" " * (MAX_BODY - len(CHAIN_ID))).status_code == 200


@pytest.mark.parametrize("body", [b"1", b"{}", b'"x"', b'{"method":1,"id":1}', b"[]", b'{"method":"x","id":[]}'])
def test_what_is_not_a_request(url: str, body: bytes) -> None:
    assert code(post(url, body)) == -32600


def test_a_batch_is_answered_in_order_and_notifications_not_at_all(url: str) -> None:
    calls = [{"jsonrpc": "2.0", "id": n, "method": "eth_chainId"} for n in (3, "x", None)]
    batch = [*calls, {"jsonrpc": "2.0", "method": "eth_chainId"}, 5]
    answers = post(url, json.dumps(batch).encode()).json()
    assert [answer["id"] for answer in answers] == [3, "x", None, None]
    assert answers[3]["error"]["code"] == -32600
    silent = post(url, b'{"jsonrpc":"2.0","method":"eth_chainId"}')
    assert (silent.status_code, silent.content) == (204, b"")
    assert code(post(url, json.dumps([calls[0]] * 201).encode())) == -32600


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("eth_nothing", [], -32601),
        ("eth_getBalance", [], -32602),
        ("eth_getBalance", ["0x12"], -32602),
        ("eth_getBalance", [12], -32602),
        ("eth_getBalance", ["0x" + "g" * 40], -32602),
        ("eth_getBalance", ["0x" + "00" * 20, "0x-1"], -32602),
        ("eth_getBalance", ["0x" + "00" * 20, "0xffffff"], -32001),
        ("eth_getBalance", ["0x" + "00" * 20, "0x" + "f" * 60], -32602),
        ("eth_getBlockByNumber", ["nonsense"], -32602),
        ("eth_call", ["text"], -32602),
        ("eth_call", [{"to": "0x1"}], -32602),
        ("eth_getLogs", [[]], -32602),
        ("eth_getLogs", [{"topics": ["0x00"] * 5}], -32602),
        ("eth_getLogs", [{"address": {}}], -32602),
        ("eth_feeHistory", ["0x1", "latest", ["a"]], -32602),
        ("eth_sendRawTransaction", ["0x"], -32000),
        ("eth_sendRawTransaction", ["0x02c0"], -32000),
        ("eth_sendRawTransaction", ["0x03" + "c0"], -32000),
        ("eth_sendRawTransaction", ["0x" + "c1" * 50], -32000),
        ("eth_sendRawTransaction", ["0xf86c"], -32000),
    ],
)
def test_nonsense_has_its_error(
    url: str, ask: Callable[..., Any], method: str, params: list[Any], expected: int
) -> None:
    assert ask(url, method, *params)["error"]["code"] == expected


def test_params_must_be_a_list(url: str) -> None:
    assert code(post(url, b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":{"a":1}}')) == -32602


def test_time_travel_is_for_tests_only(tmp_path: Path, ask: Callable[..., Any]) -> None:
    with Node(tmp_path / "plain.db") as plain:
        assert ask(plain, "evm_increaseTime", 5)["error"]["code"] == -32601
        assert ask(plain, "evm_mine")["error"]["code"] == -32601


def test_the_process_says_that_it_is_ready_and_leaves_on_sigterm(spawn: Callable[..., Any], new_key: Any) -> None:
    node = spawn()
    url = node.start()
    with Client(url, new_key()) as client:
        client.send(Call(client.address, b""))
        head = client.head()
    assert node.ready == {"url": url, "chain_id": 31337, "head": 0, "pid": node.process.pid}
    assert node.end(signal.SIGTERM) == 0
    assert [path.name for path in node.path.parent.iterdir()] == [node.path.name]  # no write-ahead log is left behind
    node.start()
    assert node.ready["head"] == 1
    with Client(node.url) as client:
        assert client.head() == head
    assert node.end(signal.SIGINT) == 0


def test_one_file_has_one_owner(spawn: Callable[..., Any], tmp_path: Path) -> None:
    node = spawn()
    node.start()
    with pytest.raises(ConfigError, match="another node"):
        Node(node.path).open()
    command = [sys.executable, "-m", "assay.chain.node", "--db", str(node.path)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (second.returncode, second.stdout) == (2, "")
    assert json.loads(second.stderr)["error"] == "config"


def test_a_taken_port_is_named(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not free"):
        Node(tmp_path / "chain.db", int(url.rpartition(":")[2])).open()


def test_a_file_that_is_no_chain_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, but long enough to have a header" * 100)
    with pytest.raises(ConfigError, match="cannot open the chain"):
        Node(tmp_path / "text").open()


def test_genesis_money_is_there_and_an_existing_chain_keeps_it(tmp_path: Path, new_key: Callable[[], Key]) -> None:
    rich, path = new_key(), tmp_path / "chain.db"
    create(path, {rich.address: 10**18}, chain_id=4242)
    create(path, {rich.address: 1})
    with Node(path) as url, Client(url, rich) as client:
        assert client.chain_id == 4242
        assert client.balance(rich.address) == 10**18
        poor = new_key().address
        client.send(Call(poor, b"", value=10**17))
        assert (client.balance(poor), client.balance(rich.address)) == (10**17, 9 * 10**17)
