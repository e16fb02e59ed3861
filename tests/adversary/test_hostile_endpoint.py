"""A solver's page about its progress, at a URL of the solver's choice: the submitter asks it five times a second."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from assay.roles.submitter import PAGE_SECONDS, read_progress

Answer = Callable[[socket.socket], None]


@pytest.fixture
def at() -> Iterator[Callable[[Answer], str]]:
    """Serve one connection with bare hands; gives the URL."""
    threads: list[threading.Thread] = []

    def serve(answer: Answer) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(10)

        def run() -> None:
            with listener:
                connection, _ = listener.accept()
            with connection:
                try:
                    connection.recv(4096)
                    answer(connection)
                except OSError:
                    pass  # the other side has had enough

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def dripping(start: bytes) -> Answer:
    def answer(connection: socket.socket) -> None:
        connection.sendall(start)
        for _ in range(100):  # each byte is well within any time-out for one read
            time.sleep(0.2)
            connection.sendall(b" ")

    return answer


def once(data: bytes) -> Answer:
    return lambda connection: connection.sendall(data)


BOMB = gzip.compress(b" " * (64 << 20), 1)
HOSTILE = {
    "headers that drip": dripping(b"HTTP/1.1 200 OK\r\nX: "),
    "a body that drips": dripping(b"HTTP/1.1 200 OK\r\n\r\n["),
    "deep": once(b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 60_000),
    "a bomb": once(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB),
    "elsewhere": once(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
    "no HTTP": once(b"\xff" * 300),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_page_is_left_alone_soon(at, name):
    url = at(HOSTILE[name])
    started = time.monotonic()
    assert read_progress(url) == []
    assert time.monotonic() - started < PAGE_SECONDS + 3


STRANGE = (
    "",
    "x",
    "http://",
    "file:///etc/passwd",
    "http://\x00\x1b",
    "http://[::1",
    "http://127.0.0.1:99999",
    "http://" + "a" * 180,
    "http://\ufffd\ufffd",
    "http://127.0.0.1:1/\r\nX: y",
)


@pytest.mark.parametrize("url", STRANGE)
def test_an_endpoint_that_is_no_url_is_left_alone(url):
    assert read_progress(url) == []
