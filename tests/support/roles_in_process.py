"""Real roles on a real chain with a real depot, all in this process: a test turns each of them by hand."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2

from assay.chain import Client, Key, Terms, Work, deploy
from assay.chain.node import Node
from assay.market import Windows
from assay.roles.network import Network
from assay.roles.session import Session
from assay.roles.settings import RoleSettings
from assay.roles.solver import SolverRole
from assay.roles.submitter import Submitter
from assay.roles.verifier import VerifierRole
from assay.roles.worker import Role
from assay.store import Server, Store
from assay.words import Blob, TaskState

QUICK = Windows(patrol_for=0)
"""Nobody patrols: a task settles as soon as its traces are open."""


@dataclass
class Quarter:
    """One solver, two verifiers, one submitter, whose folders are below `folder`."""

    folder: Path
    url: str
    depot: Store
    solver: Role
    verifiers: list[Role]
    submitter: Submitter
    roles: list[Role] = field(init=False)

    def __post_init__(self) -> None:
        self.roles = [self.solver, *self.verifiers]

    def skip(self, seconds: int) -> None:
        """Let time pass on the chain."""
        for method, parameters in (("evm_increaseTime", [seconds]), ("evm_mine", [])):
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
            assert "error" not in httpx2.post(self.url, json=body, trust_env=False).json()

    def post(self, terms: Terms, work: Work) -> str:
        """Post whatever terms, without any check of ours; pays the escrow."""
        session, posted = self.submitter.session, replace(terms, work=work.digest)
        session.token.approve(session.market.address, session.market.escrow_of(posted))
        return session.market.post(secrets.token_hex(32), posted, work)

    def state(self, task: str) -> TaskState:
        return self.submitter.session.market.state(task)

    def turn(self, *roles: Role, times: int = 1) -> None:
        """Let these roles, or all, look at every task, however long they meant to wait."""
        for _ in range(times):
            for role in roles or self.roles:
                role._not_before.clear()
                role.turn()

    def until(self, task: str, *states: TaskState, roles: Sequence[Role] = (), turns: int = 60) -> TaskState:
        """Turn these roles, or all, once a second, until the task is in one of these states."""
        for _ in range(turns):
            if self.state(task) in states:
                break
            self.turn(*roles)
            self.skip(1)
        return self.state(task)

    def lose(self, blob: Blob) -> None:
        """The depot no longer has this blob."""
        self.depot.path(blob).unlink()


def _role(kind: type[Role], folder: Path, **settings: Any) -> Role:
    role = kind.open(RoleSettings(folder=folder, **settings))
    role.join("http://127.0.0.1:1")
    return role


@contextmanager
def a_quarter(folder: Path, **of_solver: Any) -> Iterator[Quarter]:
    depot = Store(folder / "depot")
    with Node(folder / "chain.sqlite", dev=True) as url, Server(depot, writable=True) as depot_url:
        with Client(url, Key(secrets.token_bytes(32))) as founder:
            Network(url, deploy(founder), (depot_url,)).save(folder / "network.json")
        solver = _role(SolverRole, folder / "solver", **of_solver)
        verifiers = [_role(VerifierRole, folder / f"verifier-{n}") for n in (1, 2)]
        submitter = Submitter(Session.open("submitter", RoleSettings(folder=folder / "submitter")))
        submitter.session.token.faucet()
        yield Quarter(folder, url, depot, solver, verifiers, submitter)
        for session in (solver.session, *(v.session for v in verifiers), submitter.session):
            session.client.close()
            session.fetcher.close()
