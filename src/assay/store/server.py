"""Blobs over HTTP: GET, HEAD and PUT /blobs/<sha256>, and /healthz.

Whoever fetches checks the hash, so a server need not be trusted; a writable one checks what it takes. It listens on
127.0.0.1 by default and answers only to known names, so that no web page can reach it through a foreign DNS name.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from assay.errors import BlobRefused, UnavailableError

from .blobs import NAME, Store

__all__ = ["DEFAULT_LIMIT", "LOOPBACK", "Server", "app", "serve"]

DEFAULT_LIMIT = 4 << 30
"""Largest blob that a writable server takes, in bytes."""

LOOPBACK = ("127.0.0.1", "localhost")
IDLE_SECONDS = 30.0
START_SECONDS = 10.0
SMALL = 1 << 16


def app(
    store: Store,
    writable: bool = False,
    max_bytes: int = DEFAULT_LIMIT,
    hosts: Sequence[str] = LOOPBACK,
    more: Sequence[Route] = (),
) -> Starlette:
    """The ASGI application. `hosts` are the names that a request's Host header may have (without a port).

    `more` are routes that a role serves beside its blobs.
    """

    async def read(request: Request) -> Response:
        path = store.find(request.path_params["name"])
        if path is None:
            return _refusal(404, "no such blob")
        return FileResponse(path, media_type="application/octet-stream")

    async def write(request: Request) -> Response:
        name = request.path_params["name"]
        if not writable:
            return await _refuse(request, 405, "this store is read-only")
        if not NAME.fullmatch(name):
            return await _refuse(request, 422, "a blob is named by its SHA-256")
        if _announced(request) > max_bytes:
            return await _refuse(request, 413, f"more than {max_bytes} bytes")
        return await _take(store, request, name, max_bytes)

    async def health(request: Request) -> Response:
        return JSONResponse({"ok": True, "writable": writable})

    routes = [
        Route("/blobs/{name}", read, methods=["GET", "HEAD"]),
        Route("/blobs/{name}", write, methods=["PUT"]),
        Route("/healthz", health),
        *more,
    ]
    return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))])


def _refusal(status: int, reason: str) -> Response:
    # After a refusal the rest of a request's body is not read: the connection cannot be used again.
    return JSONResponse({"error": reason}, status_code=status, headers={"Connection": "close"})


async def _refuse(request: Request, status: int, reason: str) -> Response:
    """A refusal before the body. A small one is read all the same: to close on unread bytes may lose the answer."""
    if 0 < _announced(request) <= SMALL:
        with suppress(TimeoutError, ClientDisconnect):
            async for _ in _body(request):
                pass
    return _refusal(status, reason)


def _announced(request: Request) -> int:
    text = request.headers.get("content-length", "")
    return int(text) if text.isdecimal() else 0


async def _take(store: Store, request: Request, name: str, max_bytes: int) -> Response:
    """Stream a body into the store while hashing it; nothing is kept unless it has the hash `name`."""
    if store.find(name) is not None:
        return Response(status_code=204)
    try:
        with store.receive(limit=max_bytes) as sink:
            async for piece in _body(request):
                sink.write(piece)
            if sink.blob.sha256 != name:
                return_code, reason = 422, f"the bytes hash to {sink.blob.sha256}"
                raise BlobRefused(reason, status=return_code)
    except BlobRefused as error:
        return _refusal(error.evidence.get("status", 413), error.message)
    except TimeoutError:
        return _refusal(408, f"nothing came for {IDLE_SECONDS:.0f} s")
    except ClientDisconnect:
        return _refusal(400, "the connection was lost")
    return Response(status_code=201)


async def _body(request: Request) -> AsyncIterator[bytes]:
    stream = request.stream()
    while True:
        try:
            yield await asyncio.wait_for(anext(stream), IDLE_SECONDS)
        except StopAsyncIteration:
            return


class _Uvicorn(uvicorn.Server):
    """Tells when it accepts connections, instead of being polled."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def _config(application: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        limit_concurrency=64,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=2,
        server_header=False,
    )


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UnavailableError(
            f"cannot listen on {host}:{port}: {error.strerror}", hint="Choose another port, or stop what uses it."
        ) from None
    return listener


class Server:
    """A store served from a thread: `with Server(store) as url: ...`. Port 0 takes any free one."""

    def __init__(
        self,
        store: Store,
        host: str = "127.0.0.1",
        port: int = 0,
        writable: bool = False,
        max_bytes: int = DEFAULT_LIMIT,
        hosts: Sequence[str] = LOOPBACK,
        more: Sequence[Route] = (),
    ) -> None:
        self._listener = _bind(host, port)
        self.url = f"http://{host}:{self._listener.getsockname()[1]}"
        self._server = _Uvicorn(_config(app(store, writable, max_bytes, [*hosts, host], more)))
        self._thread = threading.Thread(target=self._run, name="store-server", daemon=True)

    def _run(self) -> None:
        self._server.run(sockets=[self._listener])

    def start(self) -> str:
        """Begin to serve; returns the base URL once connections are accepted. Raises UnavailableError."""
        self._thread.start()
        if not self._server.ready.wait(START_SECONDS):
            self.stop()
            raise UnavailableError(f"the store's server did not start within {START_SECONDS:.0f} s")
        return self.url

    def stop(self) -> None:
        """Finish the requests under way (2 s at most) and close the port."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._listener.close()

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.stop()


def serve(
    store: Store,
    host: str = "127.0.0.1",
    port: int = 0,
    writable: bool = False,
    max_bytes: int = DEFAULT_LIMIT,
    hosts: Sequence[str] = LOOPBACK,
) -> None:
    """Serve in this thread until the process is asked to stop (SIGINT, SIGTERM)."""
    with _bind(host, port) as listener:
        uvicorn.Server(_config(app(store, writable, max_bytes, [*hosts, host]))).run(sockets=[listener])
