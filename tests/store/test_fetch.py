"""Every way in which a source can fail a fetcher, and the honest source that is asked next."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import pytest

from assay.errors import BlobMissing, RefusedError, UnavailableError
from assay.store import Fetcher, Server, Store
from assay.words.task import Blob

DATA = b"the right bytes " * 5000
BLOB = Blob(sha256(DATA).hexdigest(), len(DATA))

Behave = Callable[[socket.socket], None]


def say(connection: socket.socket, body: bytes, length: int | None = None, extra: str = "") -> None:
    length = len(body) if length is None else length
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{extra}\r\n".encode() + body)


def swapped(connection: socket.socket) -> None:
    say(connection, DATA[:-1] + b"!")


def truncated(connection: socket.socket) -> None:
    say(connection, DATA[:1000])


def torn(connection: socket.socket) -> None:
    say(connection, DATA[:1000], length=len(DATA))


def oversized(connection: socket.socket) -> None:
    say(connection, DATA + b"more")


def endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


def dripping(connection: socket.socket) -> None:
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(DATA)}\r\n\r\n".encode())
    for at in range(len(DATA)):
        connection.sendall(DATA[at : at + 1])
        time.sleep(0.05)


def dripping_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"x")
        time.sleep(0.05)


def silent(connection: socket.socket) -> None:
    time.sleep(30)


def hanging_up(connection: socket.socket) -> None:
    connection.close()


def no_http(connection: socket.socket) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")


def packed(connection: socket.socket) -> None:
    """Bytes that are only right once they are decompressed are not the bytes."""
    import gzip

    say(connection, gzip.compress(DATA), extra="Content-Encoding: gzip\r\n")


def redirecting(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n")


FAULTS = [swapped, truncated, torn, oversized, endless, dripping, dripping_headers, silent, hanging_up, no_http]
FAULTS += [packed, redirecting]


@contextmanager
def source(behave: Behave) -> Iterator[str]:
    """A server of one bad habit."""
    listener = socket.create_server(("127.0.0.1", 0))

    def handle(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65536)
            behave(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=handle, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


@pytest.fixture
def local(tmp_path: Path) -> Store:
    return Store(tmp_path / "local")


@pytest.fixture
def honest(tmp_path: Path) -> Iterator[str]:
    store = Store(tmp_path / "honest")
    store.put(DATA)
    with Server(store) as url:
        yield url


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_a_faulty_source_is_noted_and_the_next_one_asked(local: Store, honest: str, fault: Behave) -> None:
    began = time.monotonic()
    with source(fault) as bad, Fetcher(local, [bad], grace=0.5) as fetcher:
        with pytest.raises(BlobMissing) as caught:
            fetcher.fetch(BLOB)
        assert list(caught.value.evidence["reasons"]) == [bad]
        assert caught.value.evidence["reasons"][bad]
        assert not local.has(BLOB)
        assert not list((local.root / "tmp").iterdir())
        with Fetcher(local, [bad, honest], grace=0.5) as both:
            assert both.fetch(BLOB).read_bytes() == DATA
    assert time.monotonic() - began < 2 * (0.5 + len(DATA) / (64 << 10)) + 2


def test_a_dead_source_is_tried_again_and_then_left(local: Store, honest: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with Fetcher(local, [dead, honest]) as fetcher:
            assert fetcher.fetch(BLOB).read_bytes() == DATA


def test_a_source_that_starts_late_is_reached(local: Store, tmp_path: Path) -> None:
    """The first connection fails; a retry finds the server up."""
    store = Store(tmp_path / "late")
    store.put(DATA)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server(store, port=port)  # bound, not listening yet
    timer = threading.Timer(0.05, server.start)
    timer.start()
    try:
        with Fetcher(local, [server.url]) as fetcher:
            assert fetcher.fetch(BLOB).read_bytes() == DATA
    finally:
        timer.join()
        server.stop()


def test_reasons_of_every_source_are_the_evidence(local: Store, tmp_path: Path) -> None:
    empty = Store(tmp_path / "empty")
    with Server(empty) as lacking, source(swapped) as lying:
        fetcher = Fetcher(local, [lacking, lying, "ftp://nowhere", "http://[bad"])
        with fetcher, pytest.raises(BlobMissing) as caught:
            fetcher.fetch(BLOB)
    reasons = caught.value.evidence["reasons"]
    assert "404" in reasons[lacking]
    assert "another hash" in reasons[lying]
    assert len(reasons) == 4


def test_a_blob_known_by_its_hash_alone(local: Store, honest: str) -> None:
    with source(swapped) as bad, Fetcher(local, [bad, honest]) as fetcher:
        for limit, name in ((len(DATA) - 1, BLOB.sha256), (10**6, "0" * 64)):
            with pytest.raises(BlobMissing) as caught:
                fetcher.named(name, limit)
            assert list(caught.value.evidence["reasons"]) == [bad, honest]
        assert not local.has(BLOB)
        assert fetcher.named(BLOB.sha256, len(DATA)).read_bytes() == DATA
        assert local.has(BLOB)
        with pytest.raises(BlobMissing):
            fetcher.named(BLOB.sha256, len(DATA) - 1)
    with Fetcher(local) as alone:
        assert alone.named(BLOB.sha256, 10**6) == local.path(BLOB)


def test_what_is_here_is_not_asked_for(local: Store) -> None:
    local.put(DATA)
    with Fetcher(local, ["http://127.0.0.1:9"]) as fetcher:
        assert fetcher.fetch(BLOB) == local.path(BLOB)
        assert fetcher(BLOB).read_bytes() == DATA


def test_sources_may_change_between_fetches(local: Store, honest: str) -> None:
    sources: list[str] = []
    with Fetcher(local, lambda: sources) as fetcher:
        with pytest.raises(BlobMissing, match="no sources"):
            fetcher.fetch(BLOB)
        sources += [honest + "/", honest]
        assert fetcher.sources == (honest,)
        assert fetcher.fetch(BLOB).read_bytes() == DATA


def test_push(local: Store, tmp_path: Path, honest: str) -> None:
    blob, remote = local.put(b"mine" * 100_000), Store(tmp_path / "remote")
    with Fetcher(local) as fetcher:
        with Server(remote, writable=True) as url:
            fetcher.push(blob, url)
            assert remote.get(blob) == b"mine" * 100_000
            fetcher.push(blob, url)
            with pytest.raises(BlobMissing):
                fetcher.push(BLOB, url)
        with pytest.raises(UnavailableError):
            fetcher.push(blob, url)
        with pytest.raises(RefusedError, match="read-only"):
            fetcher.push(blob, honest)


def test_push_to_a_store_that_wants_less(local: Store, tmp_path: Path) -> None:
    blob = local.put(b"x" * 2000)
    small = Server(Store(tmp_path / "small"), writable=True, max_bytes=1000)
    with small as url, Fetcher(local) as fetcher, pytest.raises(RefusedError) as caught:
        fetcher.push(blob, url)
    assert caught.value.evidence["status"] == 413


def test_two_threads_fetch_the_same_blob(local: Store, honest: str) -> None:
    found = []
    with Fetcher(local, [honest]) as fetcher:
        threads = [threading.Thread(target=lambda: found.append(fetcher.fetch(BLOB).read_bytes())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [DATA] * 4


def test_silence_is_told_from_no(tmp_path: Path) -> None:
    """Asking again may help where a source did not answer; where all said no, it does not."""
    with socket.socket() as nobody, Server(Store(tmp_path / "empty")) as empty:
        nobody.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        dead = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        for sources, silent in (([dead], True), ([empty, dead], True), ([empty], False)):
            with Fetcher(Store(tmp_path / "mine"), sources) as fetcher, pytest.raises(BlobMissing) as caught:
                fetcher.fetch(BLOB)
            assert caught.value.evidence["silent"] is silent
