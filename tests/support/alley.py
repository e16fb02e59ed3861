"""Roles in this process whose machines fail, who collude, or who look on: what is not the product's, but the tests'."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from roles_in_process import Quarter, a_quarter
from small import small

from assay.chain import Games, TaskRecord
from assay.chain import Role as Seat
from assay.market import Windows, quote
from assay.proof import Runner, Segment
from assay.roles.patrol import Patrol
from assay.roles.session import Session
from assay.roles.settings import RoleSettings
from assay.roles.solver import SolverRole
from assay.roles.verifier import VerifierRole
from assay.roles.whistleblower import WhistleblowerRole
from assay.roles.worker import Role
from assay.solve import Journal
from assay.verify import Sealed, finding_commitment, match_commitment
from assay.words import Kind, Receipt, TaskState

WINDOWS = Windows(
    open_for=3000, work_for=3000, patrol_for=600, attest_for=3000, reveal_for=3000, clock=4000, extension=300
)


class Flipped:
    """A runner whose memory loses one bit, at the end of some intervals, the first time it comes there."""

    def __init__(self, runner: Runner, flips: Mapping[int, str]) -> None:
        self._runner, self._flips = runner, dict(flips)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)

    def interval(self, state: Any, start: int, stop: int, on_step: Any = None) -> Segment:
        segment = self._runner.interval(state, start, stop, on_step)
        where = self._flips.pop(start // self._runner.spec.interval, "")
        return flipped(segment, where) if where else segment


def flipped(segment: Segment, where: str) -> Segment:
    """One bit of the state, of the trace digest or of the root over the rows is another."""
    match where:
        case "state":
            state = {name: array.copy() for name, array in segment.state.items()}
            weights = next(a for _, a in sorted(state.items()) if a.dtype == np.float32 and a.size > 1)
            weights.view(np.uint32).flat[0] ^= np.uint32(1 << 9)
            return replace(segment, state=state)
        case "trace":
            return replace(segment, digest=_bit(segment.digest))
        case _:
            return replace(segment, batches=_bit(segment.batches))


def _bit(word: bytes) -> bytes:
    return bytes([word[0] ^ 1]) + word[1:]


class FailingSession(Session):
    """A session on a machine whose memory fails while it trains, and not when it computes again."""

    flips: Mapping[int, str]

    def runner(self, spec: Any, program: Any) -> Any:
        runner = super().runner(spec, program)
        flips, self.flips = self.flips, {}
        return Flipped(runner, flips) if flips else runner


class Colluding(VerifierRole):
    """Attests a match with the digests that the solver has told it, without replaying."""

    accomplice: SolverRole

    def _audited(self, record: TaskRecord) -> Sealed:
        digests = Journal(self.accomplice._journal(record.task)).digests
        task, me = record.task, self.session.address
        intervals = record.drawn_intervals(task.verifiers.index(me))
        return Sealed(task.id, me, match_commitment(task.id, me, [digests[k] for k in intervals]), intervals)


def looks_only_at(role: WhistleblowerRole, task: str, interval: int) -> None:
    """The lot of this whistleblower fell on one interval."""
    Patrol(True, (interval,)).write(role.session.folder_of(task) / "patrol.json")


def claims(role: WhistleblowerRole, task: str, interval: int) -> None:
    """This whistleblower will say that an interval is wrong without having looked."""
    me, salt = role.session.address, secrets.token_bytes(32)
    seal = finding_commitment(task, me, Kind.INTERVAL, interval, salt)
    made_up = Sealed(task, me, seal, (interval,), Kind.INTERVAL, interval, salt=salt.hex())
    role.keep(role.session.market.task(task), made_up)


def opened(kind: type[Role], folder: Path, **settings: Any) -> Any:
    """A role, from its folder, as after a crash."""
    return kind.open(RoleSettings(folder=folder, **settings))


@contextmanager
def an_alley(folder: Path, **of_solver: Any) -> Any:
    """A quarter in which roles are added and replaced."""
    with a_quarter(folder, **of_solver) as quarter:
        alley = Alley(quarter)
        yield alley
        for role in alley.more:
            role.session.client.close()
            role.session.fetcher.close()


class Alley:
    """A quarter with more roles in it."""

    def __init__(self, quarter: Quarter) -> None:
        self.quarter, self.more = quarter, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.quarter, name)

    def whistleblower(self, name: str = "whistleblower", **settings: Any) -> WhistleblowerRole:
        """Somebody who looks at everything, or a new process in its folder."""
        role = opened(WhistleblowerRole, self.quarter.folder / name, **({"share": 100} | settings))
        role.join("http://127.0.0.1:1")
        return self.add(role)

    def add(self, role: Any) -> Any:
        self.more.append(role)
        return role

    def all_collude(self) -> None:
        """The verifiers attest what the solver tells them."""
        for n, honest in enumerate(self.quarter.verifiers):
            role = self.add(Colluding(honest.session))
            role.accomplice = self.quarter.solver
            self.quarter.verifiers[n] = role
        self.quarter.roles = [self.quarter.solver, *self.quarter.verifiers]

    def fails(self, flips: Mapping[int, str]) -> None:
        """The solver's memory loses a bit at the end of these intervals, once each."""
        self.quarter.solver.session.__class__ = FailingSession
        self.quarter.solver.session.flips = dict(flips)

    def submit(self, label: str = "task", **changes: Any) -> str:
        """Post a small task."""
        submitter = self.quarter.submitter
        package = small(submitter.session.store, **changes)
        return submitter.submit(package, quote(package.program, package.spec), WINDOWS, label)

    def turn(self, *roles: Role, times: int = 1) -> None:
        self.quarter.turn(*roles, times=times)

    def until(self, task: str, *states: TaskState, roles: Any = None, turns: int = 60) -> TaskState:
        """Turn roles until the task is in one of these states."""
        for _ in range(turns):
            if self.quarter.state(task) in states:
                break
            self.turn(*(roles or self.quarter.roles))
        return self.quarter.state(task)

    def to_the_end(self, task: str, *roles: Role, turns: int = 80) -> Receipt:
        """Attestations, the end of the patrol, reveals, disputes, the end; then everybody collects."""
        everybody = [*self.quarter.roles, *roles]
        self.until(task, TaskState.AUDITED, TaskState.SETTLED, TaskState.REFUNDED, roles=everybody)
        self.turn(*roles, times=6)  # an interval of this task at each turn, and time for an accusation
        self.quarter.skip(WINDOWS.patrol_for + 1)
        for _ in range(turns):
            if self.quarter.state(task).final:
                break
            self.turn(*everybody)
        self.turn(*everybody)
        self.quarter.submitter.collect()
        return self.quarter.submitter.receipt(task)

    def wealth(self, session: Session) -> int:
        """All that is an account's, wherever it is."""
        me, games = session.address, Games(session.client, session.network.contracts)
        stakes = sum(session.stakes.stake_of(me, seat) for seat in Seat)
        return session.token.balance_of(me) + stakes + session.market.owed(me) + games.owed(me)

    def locked(self, session: Session) -> int:
        return sum(session.stakes.member(session.address, seat).locked for seat in Seat)
