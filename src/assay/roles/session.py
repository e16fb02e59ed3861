"""What every role has at hand: its key, the chain, its store, where blobs come from, and a page about its work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import stamina
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from assay.chain import Client, Market, Stakes, TaskRecord, Token
from assay.engine import exact
from assay.errors import BlobMissing, BlobRefused, MismatchError, RefusedError, UnavailableError
from assay.observe import ProgressBoard, get_log
from assay.program import Limits, Program, load
from assay.proof import Dataset, Runner
from assay.store import Fetcher, Server, Store
from assay.words import Blob, TaskSpec, parse

from .account import open_key
from .network import Network
from .settings import RoleSettings

__all__ = ["Session"]

SPEC_LIMIT = 1 << 20
"""Largest spec that is read, in bytes; an ordinary one has about a thousand."""


@dataclass
class Session:
    """The hands of one role. `kind` is solver, verifier or submitter."""

    kind: str
    settings: RoleSettings
    network: Network
    client: Client
    store: Store
    board: ProgressBoard

    @classmethod
    def open(cls, kind: str, settings: RoleSettings) -> Session:
        """Unlock the key (made on first use) and connect to the network that `settings` names."""
        network = Network.load(settings.network_file)
        home = settings.folder
        key = open_key(home, settings.passphrase.get_secret_value() if settings.passphrase else None)
        client = Client(settings.rpc or network.rpc, key)
        try:
            network.contracts.check(client)
        except BaseException:
            client.close()
            raise
        return cls(kind, settings, network, client, Store(home / "store"), ProgressBoard(home.name))

    @property
    def address(self) -> str:
        """This role's address."""
        return self.client.address

    @cached_property
    def log(self) -> Any:
        """This role's log."""
        return get_log(role=self.settings.folder.name, address=self.address)

    @cached_property
    def token(self) -> Token:
        """The currency."""
        return Token(self.client, self.network.contracts.token)

    @cached_property
    def stakes(self) -> Stakes:
        """The registry of solvers and verifiers."""
        return Stakes(self.client, self.network.contracts.stakes)

    @cached_property
    def market(self) -> Market:
        """The tasks and their escrow."""
        return Market(self.client, self.network.contracts.market, self.network.contracts.block)

    @cached_property
    def fetcher(self) -> Fetcher:
        """Blobs from the depots."""
        return Fetcher(self.store, self.network.depots)

    def publish(self, blob: Blob) -> None:
        """Give a blob of this store to every depot; waits for one that is being restarted."""
        for depot in self.network.depots:
            for attempt in stamina.retry_context(UnavailableError, attempts=40, timeout=60, wait_max=1.0):
                with attempt:
                    self.fetcher.push(blob, depot)

    def wait_for(self, blob: Blob) -> Path:
        """Where the blob is now; waits up to a minute for depots that do not answer: they may be restarting."""
        for attempt in stamina.retry_context(_silence, attempts=40, timeout=60, wait_max=1.0):
            with attempt:
                path = self.fetcher.fetch(blob)
        return path

    def read(self, blob: Blob) -> bytes:
        """The bytes of a blob. What the disk has spoilt since it came is asked for again."""
        self.fetcher.fetch(blob)
        try:
            return self.store.get(blob)
        except BlobRefused:
            self.fetcher.fetch(blob)
            return self.store.get(blob)

    def spec(self, sha256: str) -> TaskSpec:
        """The spec with this hash. Raises BlobMissing or RefusedError."""
        data = self.fetcher.named(sha256, SPEC_LIMIT).read_bytes()
        try:
            return parse(TaskSpec, data)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as reason:
            raise RefusedError(f"The spec {sha256[:12]}… can't be read: {reason}", sha256=sha256) from reason

    def program(self, spec: TaskSpec) -> Program:
        """The program of a task, checked and lowered."""
        limit = Limits().file_bytes
        if spec.program.size > limit:
            raise RefusedError(f"The program has {spec.program.size} bytes; {limit} are taken.", limit=limit)
        return load(self.read(spec.program))

    def dataset(self, spec: TaskSpec) -> Dataset:
        """The rows of a task. Raises MismatchError if they are not what the spec names."""
        dataset = Dataset.load(self.fetcher.fetch(spec.dataset))
        found = dataset.root.hex()
        if found != spec.dataset_root:
            raise MismatchError(
                "The dataset is not the one that the spec names.", found=found, expected=spec.dataset_root
            )
        return dataset

    def runner(self, spec: TaskSpec, program: Program) -> Runner:
        """The task ready to run on this machine. Raises MismatchError or RefusedError if its parts do not fit."""
        dataset = self.dataset(spec)
        return Runner(exact.compile(program, threads=self.settings.threads), spec, dataset)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve this role's blobs and progress from a thread; gives the URL."""

        async def progress(_: Request) -> JSONResponse:
            return JSONResponse([msgspec.to_builtins(line) for line in self.board.lines()])

        with Server(self.store, port=self.settings.port, more=[Route("/progress", progress)]) as url:
            yield url

    def attested(self, record: TaskRecord) -> list[int]:
        """Positions of the verifiers that have attested."""
        return sorted(record.attested)

    def may_settle(self, record: TaskRecord) -> bool:
        """Whether the solver has revealed for every attestation, each one matched, and nobody can accuse any more."""
        patrol = record.result.committed_at + record.terms.patrol_for
        all_matched = len(record.matched) == record.attestations > 0
        return (
            all_matched and record.unsealed and record.accusations == record.games == 0 and self.client.now() > patrol
        )

    def folder_of(self, task: str) -> Path:
        """Where this role remembers what it did for a task."""
        return self.settings.folder / "tasks" / task.removeprefix("0x")


def _silence(error: Exception) -> bool:
    return isinstance(error, BlobMissing) and bool(error.evidence.get("silent"))
