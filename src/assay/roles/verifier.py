"""The verifier: drawn by lot, replays its intervals, seals what it found, and shows a mismatch when the time comes."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import msgspec

from assay import chain
from assay.chain import TaskRecord
from assay.dispute.challenger import Challenger
from assay.errors import BlobMissing, MismatchError, UnavailableError
from assay.observe import read_json, write_json
from assay.proof import Runner
from assay.verify import Sealed, audit, echo, read_trajectory, trajectory_limit
from assay.words import Blob, Kind, Task, TaskState, Trajectory, parse

from .cheats import Griefer, cheat_of, slandered, told
from .quarrel import Quarrel
from .session import Session
from .worker import Role

__all__ = ["Auditor", "VerifierRole"]

DISPUTABLE = (TaskState.AUDITED, TaskState.DISPUTED)

LEAST_SEAL = 2**128
"""Smaller words in the place of a seal say that it was opened (market.vy)."""

REPLAYS = 3
"""How often an audit is begun again because this machine did not find the same thing wrong twice."""


class Auditor(Role):
    """What verifiers and whistleblowers have in common: they replay, seal, and stand by what they have sealed."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._cheat = cheat_of(session.settings.cheat, self.kind)
        griefs = self._cheat is not None and self._cheat.griefs
        self.quarrel = Quarrel(session, Griefer if griefs else Challenger)
        self._ready: tuple[str, Runner] | None = None

    def _file(self, record: TaskRecord) -> Path:
        """One for each result: where the chain goes back, the solver may swear to another one."""
        return self.session.folder_of(record.task.id) / f"sealed-{record.shown[:16]}.json"

    def sealed(self, record: TaskRecord) -> Sealed | None:
        """What this role has sealed about a task's result, or is about to seal."""
        found = read_json(self._file(record))
        return None if found is None else msgspec.convert(found, Sealed)

    def keep(self, record: TaskRecord, sealed: Sealed) -> None:
        """On disk before it is on the chain: a commitment whose salt is lost could never be opened."""
        write_json(self._file(record), msgspec.to_builtins(sealed))

    def prepared(self, record: TaskRecord) -> Runner:
        """The task ready to run; kept, since an audit may have to be begun again until all data are there."""
        task = record.task
        if self._ready is None or self._ready[0] != task.spec:
            spec = self.session.spec(task.spec)
            self._ready = task.spec, self.session.runner(spec, self.session.program(spec))
        return self._ready[1]

    def trajectory(self, record: TaskRecord) -> Trajectory:
        """The trajectory that was committed to, checked."""
        commitment, runner = record.result.commitment, self.prepared(record)
        if commitment.trajectory.size > trajectory_limit(runner.spec):
            raise MismatchError("The announced trajectory is larger than any.", step=0)
        return read_trajectory(self.read(commitment.trajectory), commitment, runner.spec, runner)

    def read(self, blob: Blob) -> bytes:
        """The bytes of a blob. Raises BlobMissing only if every depot says that it has it not.

        Where a depot is silent, this machine's own connection may be at fault, and nobody is accused for that.
        """
        try:
            return self.session.read(blob)
        except BlobMissing as missing:
            if missing.evidence.get("silent") or not missing.evidence.get("reasons"):
                raise UnavailableError(f"No depot answers: {missing.message}", **missing.evidence) from missing
            raise

    def audit(self, record: TaskRecord, intervals: tuple[int, ...]) -> Sealed:
        """Replay intervals of a task; what is found wrong is replayed again, since a fault of this machine costs bonds.

        Raises UnavailableError if it never finds the same twice.
        """
        for _ in range(REPLAYS):
            found = self._replay(record, intervals)
            if found.matched or found.withheld:
                return found
            again = self._replay(record, (found.interval,))
            if (again.kind, again.step, again.found_root) == (found.kind, found.step, found.found_root):
                return found
            self.log.warning("own fault", task=record.task.id, interval=found.interval, found=found.found_root)
        raise UnavailableError("This machine does not compute the same twice.", task=record.task.id)

    def _replay(self, record: TaskRecord, intervals: tuple[int, ...]) -> Sealed:
        self.show(record.task, 0, len(intervals))
        return audit(
            record.task.id,
            self.session.address,
            self.prepared(record),
            lambda: self.trajectory(record),
            self.read,
            intervals,
            lambda done, total: self.show(record.task, done, total),
        )

    def show(self, task: Task, done: int, total: int) -> None:
        """Tell on this role's page how far the replay is."""
        self.session.board.post(task.id, "replaying", done, total)

    def stand_by(self, record: TaskRecord) -> None:
        """Open and play the dispute about what this role has sealed."""
        sealed = self.sealed(record)
        if sealed is None:
            raise UnavailableError("The sealed finding is gone.", task=record.task.id)
        if record.terms.forced and self._was_forced(record, sealed):
            return
        self.quarrel.pursue(record, sealed, lambda: self.prepared(record), lambda: self._listed(record))

    def _was_forced(self, record: TaskRecord, sealed: Sealed) -> bool:
        """Whether there is no quarrel about a finding: it is of a forced error, or nobody knows yet. Claims what it is worth."""
        task, me = record.task.id, self.session.address
        if not record.unsealed:
            return True
        error = self.jackpot.error(task)
        if error is None or sealed.kind is not Kind.INTERVAL or sealed.interval not in (error, error + 1):
            return False
        if int(self.session.market.sealed(task, me), 16) < LEAST_SEAL:
            return True  # claimed
        if sealed.interval == error:
            self.jackpot.claim(record, me, sealed.found_root, sealed.blind)
        else:
            self.jackpot.excuse(record, me, sealed.salt)
        self.log.info("claimed", task=task, interval=sealed.interval)
        return True

    def finished(self, record: TaskRecord) -> None:
        """Collect what a finished task left to this role, and free what a finding of its has locked."""
        super().finished(record)
        sealed, market, me = self.sealed(record), self.session.market, self.session.address
        if sealed is None or sealed.matched:
            return
        task = record.task.id
        # A drawn verifier that was not revealed for has to show that it had sealed the finding.
        hidden = int(market.sealed(task, me), 16) >= LEAST_SEAL and market.condemned_at(task) > 0
        if market.accusing(task, me) or hidden:
            market.release(task, me, int(sealed.kind), sealed.interval, sealed.salt)
            self.log.info("released", task=task)

    def _listed(self, record: TaskRecord) -> Trajectory:
        """The trajectory as it was published, whether it keeps the rules or not: that is what the dispute is about."""
        return parse(Trajectory, self.session.read(record.result.commitment.trajectory))


class VerifierRole(Auditor):
    """One verifier."""

    kind: ClassVar[str] = "verifier"
    number: ClassVar[chain.Role] = chain.Role.VERIFIER

    def act(self, record: TaskRecord) -> None:
        """Audit when drawn, dispute a mismatch when it can be opened, and push what nobody else pushes."""
        task, me = record.task, self.session.address
        if self._cheat and task.state.name == self._cheat.silent:
            return
        drawn = me in task.verifiers and record.result.published
        if task.state is TaskState.COMMITTED and drawn and self._in_time(task) and not self._attested(record):
            self._attest(record)
        elif task.state in DISPUTABLE and drawn and self._attested(record) and not self._sealed_match(record):
            self.stand_by(record)
            self.push(record, mine=False)
        else:
            self.push(record, mine=False)

    def _in_time(self, task: Task) -> bool:
        return self.session.client.now() <= task.deadline

    def _attested(self, record: TaskRecord) -> bool:
        task, me = record.task, self.session.address
        # Who has accused before it was drawn has sealed as well, and can't attest any more.
        return task.verifiers.index(me) in record.attested or int(self.session.market.sealed(task.id, me), 16) != 0

    def _sealed_match(self, record: TaskRecord) -> bool:
        sealed = self.sealed(record)
        return sealed is None or sealed.matched

    def _attest(self, record: TaskRecord) -> None:
        task, sealed = record.task, self.sealed(record)
        if sealed is None or (sealed.matched and sealed.intervals != self._drawn(record)):  # the chain drew anew
            sealed = self._audited(record)
            if sealed.withheld and self.session.client.now() < self._give_up(record):
                # Not waited for here: whoever withholds data would keep this verifier from all its other tasks.
                raise BlobMissing("Data of a committed result can't be had yet.", interval=sealed.interval)
            self.keep(record, sealed)
            if self.session.market.record(task.id).audit_seed != record.audit_seed:
                return  # drawn anew while this was replayed
        self.session.market.attest(task.id, sealed.commitment)
        self.log.info("attested", task=task.id, matched=sealed.matched, step=sealed.step, kind=sealed.kind.name.lower())

    def _drawn(self, record: TaskRecord) -> tuple[int, ...]:
        return record.drawn_intervals(record.task.verifiers.index(self.session.address))

    def _give_up(self, record: TaskRecord) -> float:
        """When missing data count as withheld, not late: half of the time for attesting is over."""
        return record.task.deadline - record.terms.attest_for / 2

    def _audited(self, record: TaskRecord) -> Sealed:
        session, task, intervals = self.session, record.task, self._drawn(record)
        match self._cheat.name if self._cheat else "":
            case "echo":
                return echo(task.id, session.address, record.result.root, intervals)
            case "copy":
                return self._copied(record, intervals)
            case "slander":
                return slandered(task.id, session.address, intervals)
            case "collude" if session.settings.accomplice:
                return told(task.id, session.address, session.settings.accomplice, intervals)
        return self.audit(record, intervals)

    def _copied(self, record: TaskRecord, intervals: tuple[int, ...]) -> Sealed:
        """What another verifier has sealed: a cheat."""
        for position in self.session.attested(record):
            sealed = self.session.market.sealed(record.task.id, record.task.verifiers[position])
            return Sealed(record.task.id, self.session.address, sealed, intervals)
        raise UnavailableError("Nobody has sealed anything to copy yet.", task=record.task.id)
