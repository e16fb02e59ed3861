"""The verifier: drawn by lot, replays its intervals, seals what it found, and opens a mismatch when the time comes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import msgspec

from assay import chain
from assay.errors import BlobMissing, MismatchError, UnavailableError
from assay.observe import read_json, write_json
from assay.proof import Runner
from assay.verify import WITHHELD, Sealed, audit, echo, read_trajectory, trajectory_limit
from assay.words import Task, TaskState, Trajectory

from .cheats import cheat_of, told
from .session import Session
from .worker import Role

__all__ = ["VerifierRole"]


class VerifierRole(Role):
    """One verifier."""

    kind: ClassVar[str] = "verifier"
    number: ClassVar[chain.Role] = chain.Role.VERIFIER

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._ready: tuple[str, Runner] | None = None
        self._cheat = cheat_of(session.settings.cheat, self.kind)

    def act(self, task: Task) -> None:
        """Audit when drawn, claim a mismatch when it can be opened, and push what nobody else pushes."""
        me = self.session.address
        if self._cheat and task.state.name == self._cheat.silent:
            return
        drawn = me in task.verifiers
        if task.state is TaskState.COMMITTED and drawn and self._in_time(task) and not self._attested(task):
            self._attest(task)
        elif task.state is TaskState.AUDITED and drawn and not self._sealed_match(task):
            self._claim(task)
        else:
            matched = task.state is TaskState.AUDITED and self.session.all_matched(task)
            self.push(task, mine=False, revealed=matched)

    def _in_time(self, task: Task) -> bool:
        return self.session.client.now() <= task.deadline

    def _position(self, task: Task) -> int:
        return task.verifiers.index(self.session.address)

    def _attested(self, task: Task) -> bool:
        return self._position(task) in self.session.attested(task)

    def _file(self, task: Task) -> Path:
        return self.session.folder_of(task.id) / "sealed.json"

    def _sealed(self, task: Task) -> Sealed | None:
        found = read_json(self._file(task))
        return None if found is None else msgspec.convert(found, Sealed)

    def _sealed_match(self, task: Task) -> bool:
        sealed = self._sealed(task)
        return sealed is None or sealed.matched

    def _attest(self, task: Task) -> None:
        sealed = self._sealed(task)
        if sealed is None:
            sealed = self._audit(task)
            if sealed.reason == WITHHELD and self.session.client.now() < self._give_up(task):
                # Not waited for here: whoever withholds data would keep this verifier from all its other tasks.
                raise BlobMissing("Data of a committed result can't be had yet.", interval=sealed.interval)
            # On disk before it is on the chain: a commitment whose salt is lost could never be opened.
            write_json(self._file(task), msgspec.to_builtins(sealed))
        self.session.market.attest(task.id, sealed.commitment)
        self.log.info("attested", task=task.id, matched=sealed.matched, step=sealed.step)

    def _give_up(self, task: Task) -> float:
        """When missing data count as withheld, not late: half of the time for attesting is over."""
        return task.deadline - self.session.market.record(task.id).terms.attest_for / 2

    def _prepared(self, task: Task) -> Runner:
        """The task ready to run; kept, since an audit may have to be begun again until all data are there."""
        if self._ready is None or self._ready[0] != task.spec:
            spec = self.session.spec(task.spec)
            self._ready = task.spec, self.session.runner(spec, self.session.program(spec))
        return self._ready[1]

    def _audit(self, task: Task) -> Sealed:
        session = self.session
        intervals = session.market.drawn_intervals(task.id, self._position(task))
        commitment = session.market.record(task.id).commitment
        assert commitment is not None, "verifiers are drawn after the commitment"
        if self._cheat and self._cheat.name == "echo":
            return echo(task.id, session.address, commitment.root, intervals)
        if self._cheat and self._cheat.name == "copy":
            return self._copied(task, intervals)
        if self._cheat and self._cheat.name == "collude" and session.settings.accomplice:
            return told(task.id, session.address, session.settings.accomplice, intervals)
        runner = self._prepared(task)
        spec = runner.spec

        def trajectory() -> Trajectory:
            if commitment.trajectory.size > trajectory_limit(spec):
                raise MismatchError("The announced trajectory is larger than any.", step=0)
            return read_trajectory(session.read(commitment.trajectory), commitment, spec, runner)

        session.board.post(task.id, "replaying", 0, len(intervals))
        return audit(
            task.id,
            session.address,
            runner,
            trajectory,
            session.read,
            intervals,
            lambda done, total: session.board.post(task.id, "replaying", done, total),
        )

    def _copied(self, task: Task, intervals: tuple[int, ...]) -> Sealed:
        """What another verifier has sealed: a cheat."""
        for position in self.session.attested(task):
            return Sealed(task.id, self.session.address, self.session.market.attestation(task.id, position), intervals)
        raise UnavailableError("Nobody has sealed anything to copy yet.", task=task.id)

    def _claim(self, task: Task) -> None:
        sealed = self._sealed(task)
        if sealed is None:
            raise UnavailableError("The sealed finding is gone.", task=task.id)
        self.session.market.claim_mismatch(
            task.id,
            interval=sealed.interval,
            step=sealed.step,
            found_root=sealed.found_root,
            reason=sealed.reason,
            salt=sealed.salt,
        )
        self.log.info("claimed", task=task.id, step=sealed.step, interval=sealed.interval)
