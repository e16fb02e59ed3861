"""The embedded node: an EVM over one SQLite file behind JSON-RPC on 127.0.0.1.

    python -m assay.chain.node --db PATH --port N [--dev] [--fund ADDRESS=WEI ...] [--chain-id N]

prints one JSON line when it is ready and leaves cleanly on SIGTERM. In a test or an example:

    with Node(path) as url: ...

Only this machine may talk to it, and of a browser on this machine only pages that do not exist: a request must name
127.0.0.1 or localhost as its host (which defeats DNS rebinding) and carry JSON (which makes a browser ask first, and
the node never agrees).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import queue
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from ..errors import AssayError, ConfigError, UnavailableError
from .ledger import Ledger
from .methods import Methods
from .miner import Clock, Miner
from .pyevm import PyEvm
from .rpc import Rpc, failure

__all__ = ["CHAIN_ID", "MAX_BODY", "Node", "create", "main"]

CHAIN_ID = 31337
MAX_BODY = 2 << 20
_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?", re.IGNORECASE)
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")
_MAX_BRACKETS = 20_000
_MAX_DEPTH = 32
_STACK = 256 << 20
_SHUTDOWN_SECONDS = 3


def create(path: Path, funded: Mapping[str, int] | None = None, chain_id: int = CHAIN_ID) -> None:
    """Make a new chain at `path` in which each address of `funded` has that many wei; an existing one is kept."""
    _open(path, funded or {}, chain_id)[0].close()


def _open(path: Path, funded: Mapping[str, int], chain_id: int) -> tuple[Ledger, PyEvm]:
    path.parent.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(path, create=True)
    try:
        if PyEvm.exists(ledger):
            return ledger, PyEvm(ledger)
        genesis = {bytes.fromhex(address.removeprefix("0x")): wei for address, wei in funded.items()}
        return ledger, PyEvm.create(ledger, chain_id, genesis, int(time.time()))
    except BaseException:
        ledger.close()
        raise


class _Worker:
    """The one thread that owns the chain. Everything that arrives while it works is taken in one turn."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._work: queue.SimpleQueue[tuple[Any, Future[Any]] | None] = queue.SimpleQueue()
        # py-evm runs a contract's call of a contract, 1,024 deep at most, on the thread's own stack
        before = threading.stack_size(_STACK)
        try:
            self._thread = threading.Thread(target=self._run, name="assay-chain", daemon=True)
            self._thread.start()
        finally:
            threading.stack_size(before)

    def ask(self, body: Any) -> Future[Any]:
        answer: Future[Any] = Future()
        self._work.put((body, answer))
        return answer

    def stop(self) -> None:
        self._work.put(None)
        self._thread.join()

    def _run(self) -> None:
        going = True
        while going:
            taken = [self._work.get()]
            while not self._work.empty():
                taken.append(self._work.get())
            going = None not in taken
            asked = [item for item in taken if item is not None]
            try:
                answers = self._rpc.turn([body for body, _ in asked])
            except Exception as error:
                for _, answer in asked:
                    answer.set_exception(error)
            else:
                for (_, answer), found in zip(asked, answers, strict=True):
                    answer.set_result(found)


def _respond(content: Any, status: int = 200) -> Response:
    return Response(json.dumps(content), status, media_type="application/json")


async def _body(request: Request) -> bytes | None:
    """The body, or None if it is too large; no more than the limit is ever held."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            return None
        parts.append(part)
    return b"".join(parts)


def _parse(raw: bytes) -> Any:
    """The JSON in `raw`. Raises ValueError.

    py-evm raises the interpreter's recursion limit to where a deeply nested body overflows the parser's stack and
    kills the process, so the depth is checked first.
    """
    depth, brackets = 0, _BRACKETS.findall(_STRINGS.sub(b"", raw))
    if len(brackets) > _MAX_BRACKETS:
        raise ValueError("too many parts")
    for bracket in brackets:
        depth += 1 if bracket in b"[{" else -1
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")
    return msgspec.json.decode(raw)


def _application(worker: _Worker) -> Starlette:
    async def handle(request: Request) -> Response:
        hosts = request.headers.getlist("host")
        if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
            return _respond(failure(None, -32600, "the Host header names another machine"), 403)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return _respond(failure(None, -32600, "the content type must be application/json"), 415)
        try:
            raw = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if raw is None:
            return _respond(failure(None, -32600, f"the body is larger than {MAX_BODY} bytes"), 413)
        try:
            body = _parse(raw)
        except ValueError:
            return _respond(failure(None, -32700, "parse error"), 400)
        answer = await asyncio.wrap_future(worker.ask(body))
        return Response(status_code=204) if answer is None else _respond(answer)

    return Starlette(routes=[Route("/", handle, methods=["POST"])])


class _Server(uvicorn.Server):
    """Leaves `run` on SIGTERM or SIGINT. uvicorn raises the signal once more afterwards, which would kill the process
    before the chain is closed."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {name: signal.signal(name, self.handle_exit) for name in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)


class Node:
    """A node in this process. As a context manager it serves from a thread and gives its URL."""

    def __init__(
        self,
        path: Path,
        port: int = 0,
        *,
        dev: bool = False,
        funded: Mapping[str, int] | None = None,
        chain_id: int = CHAIN_ID,
    ) -> None:
        self._path, self._port, self._dev = Path(path), port, dev
        self._funded, self._chain_id = funded or {}, chain_id
        self._thread: threading.Thread | None = None
        self._started = threading.Event()

    def open(self) -> str:
        """Take the file and the port; returns the URL. Nothing is answered before `serve`."""
        self._ledger, evm = _open(self._path, self._funded, self._chain_id)
        try:
            self._socket = _listen(self._port)
        except BaseException:
            self._ledger.close()
            raise
        clock = Clock(self._ledger)
        miner = Miner(evm, self._ledger, clock)
        self._worker = _Worker(Rpc(Methods(evm, self._ledger, miner, clock, dev=self._dev), miner))
        self.chain_id, self.head = evm.chain_id, evm.head().number
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            _application(self._worker),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        )
        self._server = _Server(config, self._announce)
        return self.url

    def serve(self, ready: Callable[[], None] = lambda: None) -> None:
        """Answer until stopped, then close the file. `ready` is called once connections are served."""
        self._on_ready = ready
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._worker.stop()
            self._ledger.close()
            self._socket.close()

    def _announce(self) -> None:
        self._started.set()
        self._on_ready()

    def stop(self) -> None:
        """Finish what is being answered and leave `serve`."""
        self._server.should_exit = True

    def __enter__(self) -> str:
        url = self.open()
        self._thread = threading.Thread(target=self.serve, name="assay-node", daemon=True)
        self._thread.start()
        if not self._started.wait(30):
            raise UnavailableError("the node did not start", url=url)
        return url

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
        if self._thread is not None:
            self._thread.join()


def _listen(port: int) -> socket.socket:
    # asyncio switches Nagle's algorithm off only for sockets that say they are TCP; with it an answer takes 40 ms
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(256)
    except OSError as error:
        listener.close()
        raise ConfigError(f"port {port} of 127.0.0.1 is not free: {error.strerror}", port=port) from error
    return listener


def _funding(text: str) -> tuple[str, int]:
    address, _, wei = text.partition("=")
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", address) or not wei.isdecimal():
        raise argparse.ArgumentTypeError("expected ADDRESS=WEI")
    return address, int(wei)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a node in the foreground; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m assay.chain.node", description="assay's embedded chain")
    parser.add_argument("--db", type=Path, required=True, help="the chain's SQLite file; made if missing")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--dev", action="store_true", help="allow evm_increaseTime and evm_mine")
    parser.add_argument("--fund", type=_funding, action="append", default=[], metavar="ADDRESS=WEI")
    parser.add_argument("--chain-id", type=int, default=CHAIN_ID)
    options = parser.parse_args(arguments)
    node = Node(options.db, options.port, dev=options.dev, funded=dict(options.fund), chain_id=options.chain_id)
    try:
        url = node.open()
    except AssayError as error:
        print(json.dumps(error.as_dict()), file=sys.stderr)  # noqa: T201
        return error.exit_code
    ready = {"url": url, "chain_id": node.chain_id, "head": node.head, "pid": os.getpid()}
    node.serve(lambda: print(json.dumps(ready), flush=True))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
