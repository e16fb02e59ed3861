"""Fetch blobs from untrusted sources: every byte is counted and hashed as it arrives."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import stamina

from assay.errors import BlobMissing, BlobRefused, RefusedError, UnavailableError
from assay.words.task import Blob

from .blobs import PIECE, Sink, Store

__all__ = ["Fetcher", "cut_off"]

CONNECT_SECONDS = 3.0
IDLE_SECONDS = 10.0
GRACE_SECONDS = 20.0
SLOWEST_BYTES_PER_SECOND = 64 << 10
ATTEMPTS = 3

BUSY = (400, 408, 429)
"""Answers of a store that lost the connection, waited too long or has too much to do: the blob itself is not at fault."""

Sources = Sequence[str] | Callable[[], Sequence[str]]


class Fetcher:
    """Blobs by name: from the local store, else from each source in turn, until one gives the right bytes.

    A source is the base URL of a store's server. `sources` may be a function, asked anew at every fetch. A transfer
    that is slower than 64 KiB/s for long (20 s plus its size at that rate) counts as failed, however steadily it drips.
    """

    def __init__(self, store: Store, sources: Sources = (), grace: float = GRACE_SECONDS) -> None:
        self.store = store
        self._sources = sources
        self._grace = grace
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(min(IDLE_SECONDS, grace), connect=CONNECT_SECONDS),
            headers={"Accept-Encoding": "identity"},
            limits=httpx2.Limits(max_keepalive_connections=0),  # every transfer has its own connection: see cut_off
            mounts={"all://127.0.0.1": None, "all://localhost": None},  # no proxy on the way to this machine
        )

    @property
    def sources(self) -> tuple[str, ...]:
        """The base URLs, in the order in which they are asked."""
        given = self._sources() if callable(self._sources) else self._sources
        return tuple(dict.fromkeys(url.rstrip("/") for url in given))

    def fetch(self, blob: Blob) -> Path:
        """The path of the blob in the local store, fetched if it is not there yet.

        Raises BlobMissing(reasons={source: why}) if no source has it whole; `silent` tells whether one did not answer,
        so that asking again may help.
        """
        if self.store.has(blob):
            return self.store.path(blob)
        return self._ask(blob.sha256, blob.size, lambda source: self._download(blob, source))

    def named(self, sha256: str, limit: int) -> Path:
        """The path of a blob whose size nobody has told, at most `limit` bytes. Raises BlobMissing as `fetch` does."""
        here = self.store.find(sha256)
        if here is not None and here.stat().st_size <= limit:
            return here
        return self._ask(sha256, limit, lambda source: self._download_named(sha256, limit, source))

    def _ask(self, sha256: str, size: int, download: Callable[[str], Path]) -> Path:
        """The first source's answer that is right; otherwise every source's reason."""
        reasons: dict[str, str] = {}
        silent = False
        for source in self.sources:
            try:
                return download(source)
            except (httpx2.HTTPError, httpx2.InvalidURL, BlobRefused, BlobMissing, UnavailableError) as error:
                reasons[source] = str(error) or type(error).__name__
                unanswered = isinstance(error, httpx2.TransportError | UnavailableError)
                silent = silent or (unanswered and not isinstance(error, BlobMissing))
        asked = f"{len(reasons)} sources asked" if reasons else "no sources known"
        what = f"blob {sha256[:12]}… cannot be had: {asked}"
        raise BlobMissing(what, sha256=sha256, size=size, reasons=reasons, silent=silent)

    def __call__(self, blob: Blob) -> Path:
        """`fetch`: a fetcher is itself a source of blobs."""
        return self.fetch(blob)

    def push(self, blob: Blob, url: str) -> None:
        """Give a blob of the local store to the writable server at `url`, unless it has it already.

        Raises BlobMissing (not in the local store), RefusedError (not taken), UnavailableError (no answer).
        """
        path, target = self.store.path(blob), _address(url, blob.sha256)
        try:
            with self._open("HEAD", target, self._grace) as held:
                if held.status_code == 200 and held.headers.get("Content-Length") == str(blob.size):
                    return
            with path.open("rb") as file:
                pieces = iter(lambda: file.read(PIECE), b"")
                headers = {"Content-Length": str(blob.size)}
                with self._open("PUT", target, self._seconds(blob.size), content=pieces, headers=headers) as answer:
                    status, reason = answer.status_code, answer.read()[:200].decode(errors="replace")
        except httpx2.HTTPError as error:
            raise UnavailableError(f"the store at {url} does not take blobs now: {error}", source=url) from None
        if status in BUSY or status >= 500:
            raise UnavailableError(f"the store at {url} does not take blobs now: {reason}", status=status, source=url)
        if status not in (201, 204):
            raise RefusedError(f"the store at {url} refused the blob: {reason}", status=status, source=url)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.close()

    def _seconds(self, size: int) -> float:
        return self._grace + size / SLOWEST_BYTES_PER_SECOND

    def _download(self, blob: Blob, source: str) -> Path:
        address = _address(source, blob.sha256)
        with self._open("GET", address, self._seconds(blob.size)) as response, self.store.receive(blob) as sink:
            _pour(response, sink)
        return self.store.path(blob)

    def _download_named(self, sha256: str, limit: int, source: str) -> Path:
        address = _address(source, sha256)
        with self._open("GET", address, self._seconds(limit)) as response, self.store.receive(limit=limit) as sink:
            _pour(response, sink)
            if sink.blob.sha256 != sha256:
                raise BlobRefused(f"not the blob that was asked for: another hash, {sink.blob.sha256}")
        return self.store.path(sink.blob)

    @contextmanager
    def _open(self, method: str, url: str, seconds: float, **request: Any) -> Iterator[httpx2.Response]:
        """A response that is read within `seconds` or cut off. Only making the connection is tried again."""
        failures = (httpx2.ConnectError, httpx2.ConnectTimeout)
        with cut_off(seconds) as extensions:
            for attempt in stamina.retry_context(failures, attempts=ATTEMPTS, wait_initial=0.1, wait_jitter=0.2):
                with attempt:
                    built = self._client.build_request(method, url, extensions=extensions, **request)
                    response = self._client.send(built, stream=True)
            try:
                yield response
            finally:
                response.close()


@contextmanager
def cut_off(seconds: float) -> Iterator[dict[str, Any]]:
    """Request extensions that shut the connection down after `seconds`, whatever it is doing.

    A time-out of the client bounds one read; a source that drips a byte of its headers every second passes each of
    them. Raises UnavailableError in place of the error that the shut-down causes.
    """
    sockets: list[socket.socket] = []
    expired = threading.Event()

    def trace(event: str, info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            sockets.append(info["return_value"].get_extra_info("socket"))

    def expire() -> None:
        expired.set()
        for one in sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield {"trace": trace}
    except (httpx2.HTTPError, BlobRefused) as error:
        if expired.is_set():
            raise UnavailableError(f"too slow: cut off after {seconds:.1f} s") from error
        raise
    finally:
        timer.cancel()


def _pour(response: httpx2.Response, sink: Sink) -> None:
    if response.status_code in BUSY or response.status_code >= 500:
        raise UnavailableError(f"it answered {response.status_code}")
    if response.status_code != 200:
        raise BlobMissing(f"it answered {response.status_code}")
    for piece in response.iter_raw():
        sink.write(piece)


def _address(source: str, sha256: str) -> str:
    return f"{source.rstrip('/')}/blobs/{sha256}"
