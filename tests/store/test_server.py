from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from assay.errors import UnavailableError
from assay.store import Server, Store
from assay.words.task import Blob


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client(trust_env=False) as client:
        yield client


def test_get_and_head(store: Store, client: httpx2.Client) -> None:
    data = os.urandom(1_500_000)
    blob = store.put(data)
    with Server(store) as url:
        assert client.get(f"{url}/blobs/{blob.sha256}").content == data
        head = client.head(f"{url}/blobs/{blob.sha256}")
        assert head.status_code == 200
        assert head.headers["content-length"] == str(blob.size)
        assert client.get(f"{url}/blobs/{'0' * 64}").status_code == 404
        assert client.get(f"{url}/healthz").json() == {"ok": True, "writable": False}
        assert client.put(f"{url}/blobs/{'0' * 64}", content=b"x").status_code == 405


def test_a_refusal_arrives_whatever_was_sent_with_it(store: Store, client: httpx2.Client) -> None:
    """A connection that is closed on bytes which nobody read is reset, and may take the answer with it."""
    with Server(store) as url:
        for size in [1, 1000, 1 << 16] * 10:
            assert client.put(f"{url}/blobs/{'0' * 64}", content=bytes(size)).status_code == 405


@pytest.mark.parametrize("path", ["../../secret", "..%2f..%2fsecret", "%2fetc%2fpasswd", "0" * 63, "tmp", ""])
def test_no_path_leaves_the_store(store: Store, client: httpx2.Client, path: str) -> None:
    (store.root.parent / "secret").write_text("secret")
    with Server(store, writable=True) as url, socket.create_connection(("127.0.0.1", int(url.rsplit(":")[-1]))) as raw:
        raw.sendall(f"GET /blobs/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        assert raw.recv(100).split()[1] in (b"404", b"405")
        assert client.put(f"{url}/blobs/{path}", content=b"x").status_code in (404, 405, 422)


def test_foreign_host_names_are_refused(store: Store, client: httpx2.Client) -> None:
    with Server(store) as url:
        port = url.rsplit(":")[-1]
        assert client.get(f"{url}/healthz", headers={"Host": "evil.example"}).status_code == 400
        assert client.get(f"{url}/healthz", headers={"Host": f"localhost:{port}"}).status_code == 200


def test_put(store: Store, client: httpx2.Client) -> None:
    data = os.urandom(700_000)
    blob = Store(store.root.parent / "other").put(data)
    with Server(store, writable=True) as url:
        assert client.put(f"{url}/blobs/{blob.sha256}", content=data).status_code == 201
        assert client.put(f"{url}/blobs/{blob.sha256}", content=data).status_code == 204
    assert store.get(blob) == data


def test_put_refuses_other_bytes_than_the_name_says(store: Store, client: httpx2.Client) -> None:
    with Server(store, writable=True) as url:
        answer = client.put(f"{url}/blobs/{'0' * 64}", content=b"abc")
        assert answer.status_code == 422
        assert "ba7816bf" in answer.json()["error"]
        assert client.put(f"{url}/blobs/nothex", content=b"abc").status_code == 422
    assert store.find("0" * 64) is None
    assert not list((store.root / "tmp").iterdir())


def test_put_refuses_what_is_too_large_announced_or_not(store: Store) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(200):
            yield b"x" * 100_000

    with Server(store, writable=True, max_bytes=100_000) as url:
        for content in (b"x" * 100_001, pieces()):
            try:
                with httpx2.Client(trust_env=False) as client:
                    assert client.put(f"{url}/blobs/{'0' * 64}", content=content).status_code == 413
            except httpx2.WriteError:  # it hung up while the body was still being sent
                pass
        assert httpx2.get(f"{url}/healthz", trust_env=False).status_code == 200
    assert not list((store.root / "tmp").iterdir())


def test_a_lost_upload_leaves_nothing(store: Store) -> None:
    with Server(store, writable=True) as url:
        with socket.create_connection(("127.0.0.1", int(url.rsplit(":")[-1]))) as raw:
            head = f"PUT /blobs/{'0' * 64} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nhalf"
            raw.sendall(head.encode())
            deadline = time.monotonic() + 5
            while not list((store.root / "tmp").iterdir()) and time.monotonic() < deadline:
                time.sleep(0.01)
            assert list((store.root / "tmp").iterdir())
        while list((store.root / "tmp").iterdir()) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert not list((store.root / "tmp").iterdir())


def test_a_taken_port_is_a_clear_error(store: Store) -> None:
    with Server(store) as url, pytest.raises(UnavailableError, match="cannot listen"):
        Server(store, port=int(url.rsplit(":")[-1]))


def test_as_a_process_it_ends_on_request(store: Store, client: httpx2.Client) -> None:
    blob = store.put(b"from a process")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = "import sys; from pathlib import Path; from assay.store import Store, serve\n"
    code += "serve(Store(Path(sys.argv[1])), port=int(sys.argv[2]))"
    with subprocess.Popen([sys.executable, "-c", code, store.root, str(port)]) as process:
        try:
            assert _eventually(client, f"http://127.0.0.1:{port}/blobs/{blob.sha256}") == b"from a process"
        finally:
            process.send_signal(signal.SIGTERM)
        process.wait(10)
    assert store.has(Blob(blob.sha256, blob.size))


def _eventually(client: httpx2.Client, url: str) -> bytes:
    for _ in range(100):
        try:
            return client.get(url).content
        except httpx2.ConnectError:
            time.sleep(0.05)
    raise TimeoutError(url)
