"""Real nodes, in this process and as processes of their own, and clients with fresh keys."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from cast import Cast, Chain

from assay.chain import Client, Key
from assay.chain.node import Node

ETHER = 10**18


class NodeProcess:
    """`python -m assay.chain.node` on a file, started and killed as a user or the kernel would."""

    def __init__(self, path: Path, *options: str) -> None:
        self.path, self.options, self.port = path, options, 0
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        command = [sys.executable, "-m", "assay.chain.node", "--db", str(self.path), "--port", str(self.port)]
        self.process = subprocess.Popen([*command, *self.options], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline())
        self.url = str(self.ready["url"])
        self.port = int(self.url.rpartition(":")[2])  # the same one after a restart
        return self.url

    def end(self, how: signal.Signals) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(how)
        code = self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        return code


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[..., NodeProcess]]:
    """Makes node processes; whatever is left is killed at the end."""
    made: list[NodeProcess] = []

    def make(*options: str, path: Path | None = None) -> NodeProcess:
        made.append(NodeProcess(path or tmp_path / "chain.db", *options))
        return made[-1]

    yield make
    for node in made:
        node.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A node in this process, with the methods for tests."""
    with Node(tmp_path_factory.mktemp("node") / "chain.db", dev=True) as found:
        yield found


@pytest.fixture
def new_key() -> Callable[[], Key]:
    return lambda: Key(secrets.token_bytes(32))


@pytest.fixture
def connect(new_key: Callable[[], Key]) -> Iterator[Callable[..., Client]]:
    """Makes clients, each with a fresh key unless one is given."""
    made: list[Client] = []

    def make(url: str, key: Key | None = None, **options: Any) -> Client:
        made.append(Client(url, key or new_key(), **options))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(url: str, connect: Callable[..., Client]) -> Client:
    return connect(url)


@pytest.fixture(scope="session")
def ask() -> Iterator[Callable[..., Any]]:
    """One JSON-RPC request as anybody could send it: the whole answer."""
    with httpx2.Client(trust_env=False) as http:

        def request(url: str, method: str, *params: Any) -> Any:
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
            return http.post(url, json=body).json()

        yield request


@pytest.fixture
def anvil() -> Iterator[str]:
    """The URL of a fresh anvil. ASSAY_ANVIL names the binary, or a node_modules folder with @foundry-rs/anvil."""
    binary = _anvil_binary()
    if binary is None:
        pytest.skip("anvil is not here: put it on PATH or set ASSAY_ANVIL (npm package @foundry-rs/anvil)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([binary, "--port", str(port), "--silent"])
    try:
        with Client(f"http://127.0.0.1:{port}", retry=20) as waiting:
            waiting.head()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _anvil_binary() -> str | None:
    import shutil

    given = os.environ.get("ASSAY_ANVIL")
    if not given:
        return shutil.which("anvil")
    inside = sorted(Path(given).glob("@foundry-rs/anvil-*/bin/anvil")) if Path(given).is_dir() else [Path(given)]
    if not inside or not os.access(inside[0], os.X_OK):
        raise pytest.UsageError(f"ASSAY_ANVIL={given} has no anvil that can be run")
    return str(inside[0])


@pytest.fixture(params=["embedded", "anvil"])
def chain(request: pytest.FixtureRequest, tmp_path: Path, ask: Any, connect: Callable[..., Client]) -> Iterator[Chain]:
    """A fresh chain of either kind, on which everybody can pay for gas."""
    if request.param == "embedded":
        with Node(tmp_path / "chain.db", dev=True) as url:
            yield Chain(url, connect, ask, lambda address: None)
        return
    url = request.getfixturevalue("anvil")

    def fund(address: str) -> None:
        ask(url, "anvil_setBalance", address, hex(ETHER))  # gas costs ether there

    def funded(where: str) -> Client:
        key = Key(secrets.token_bytes(32))
        fund(key.address)
        return connect(where, key)

    yield Chain(url, funded, ask, fund)


@pytest.fixture
def cast(chain: Chain) -> Cast:
    """Everybody, on a fresh deployment on that chain."""
    return Cast(chain)
