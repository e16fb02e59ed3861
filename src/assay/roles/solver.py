"""The solver: takes tasks that it can do at its price, trains, commits, opens its traces, and is paid."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from assay import chain
from assay.chain import Opening, TaskRecord
from assay.engine import exact
from assay.engine.clear import Interpreter
from assay.errors import BlobMissing, BlobRefused, ChainUnavailable, NotFoundError, RefusedError
from assay.program import Port, Program
from assay.proof import Executable, Runner, State, build_trajectory, commitment_root, decode_state, opening, state_root
from assay.solve import Candidate, Journal, Worker, refusal, train
from assay.words import Blob, Commitment, Task, TaskSpec, TaskState, Trajectory, canonical
from assay.words.units import amount

from .cheats import Scene, cheat_of
from .defence import Defence
from .sealing import Sealing
from .session import SPEC_LIMIT, Session
from .worker import Role

__all__ = ["SolverRole"]


class SolverRole(Role):
    """One solver; it works on one task at a time."""

    kind: ClassVar[str] = "solver"
    number: ClassVar[chain.Role] = chain.Role.SOLVER

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._own: list[str] | None = None
        self._cheat = cheat_of(session.settings.cheat, self.kind)
        self.defence = Defence(session, self.disputes)
        self.sealing = Sealing(session)

    def act(self, record: TaskRecord) -> None:
        """Accept, work, draw, reveal, answer or settle: whatever the task's state asks of this solver."""
        mine = record.task.solver == self.session.address
        if self._cheat and mine and record.task.state.name == self._cheat.silent:
            return
        match record.task.state:
            case TaskState.OPEN if not self.push(record, mine=False):
                self._consider(record)
            case TaskState.ASSIGNED if mine:
                self._work(record)
            case TaskState.COMMITTED if mine and record.result.drawn and not record.result.published:
                self.sealing.publish(record, *self._done(record.task))
            case TaskState.COMMITTED if mine:
                self.push(record, mine=True)
            case TaskState.AUDITED if mine and not record.unsealed:
                self.sealing.unseal(record, *self._done(record.task))
            case TaskState.AUDITED | TaskState.DISPUTED if mine:
                self.defence.answer(record)
                self._reveal(record)
            case _:
                self.push(record, mine=False)

    def _engaged(self) -> bool:
        """Whether a task of ours has not ended: its traces must be opened in time, so nothing else is begun before.

        All tasks are looked at once after a start; from then on it is known what was accepted. Looking at all for each
        open one, a crowd of them would keep a solver from opening its traces in time.
        """
        if self._own is None:
            self._own = [task for task in self.watchlist.tasks if self._is_ours(task)]
        watched = set(self.watchlist.tasks)
        self._own = [task for task in self._own if task in watched and self._is_ours(task)]
        return bool(self._own)

    def _is_ours(self, task_id: str) -> bool:
        try:
            task = self.session.market.task(task_id)
        except NotFoundError:  # the chain went back behind its posting
            return False
        return task.solver == self.session.address and not task.state.final

    def _consider(self, record: TaskRecord) -> None:
        task = record.task
        if self._engaged():
            return
        spec = self.session.spec(task.spec)
        if self.session.settings.only not in (None, spec.name):
            self.watchlist.drop(task.id)
            return
        program = self.session.program(spec)
        reason = (
            refusal(Candidate(spec, program, record.terms, record.work, self.session.settings.rate))
            or self._short(record)
            or self._unforceable(record, program)
        )
        if reason:
            self.log.info("not taken", task=task.id, reason=reason)
            self.watchlist.drop(task.id)
            return
        self._check_data(spec, program)
        try:
            self.session.market.accept(task.id)
        except ChainUnavailable:
            self._own = None  # it may have arrived
            raise
        self._own = [task.id]
        self.log.info("accepted", task=task.id)

    def _short(self, record: TaskRecord) -> str | None:
        """Why the stake does not reach for the task's collateral."""
        stakes, me = self.session.stakes, self.session.address
        if not stakes.is_active(me, self.number):
            return "this solver has left, or was slashed: what is left of its stake is less than the least"
        free = stakes.free_of(me, self.number)
        if free < record.terms.collateral:
            return f"it locks a collateral of {amount(record.terms.collateral)}, of this solver's stake {amount(free)} is free"
        return None

    def _unforceable(self, record: TaskRecord, program: Program) -> str | None:
        """Why a task with forced errors is not taken."""
        if not record.terms.forced:
            return None
        if not any(port.nbytes for port in program.state.values()):
            return "it may force an error, and its state has nothing that could be wrong"
        return None

    def _check_data(self, spec: TaskSpec, program: Program) -> None:
        """Have all that the task needs, and see that it fits, before being bound to it: who accepts first and fetches
        then can be kept from all other work, at no cost, by somebody who withholds the data."""
        Runner(Interpreter(program), spec, self.session.dataset(spec))
        initial = state_root(decode_state(self.session.read(spec.initial), program.state)).hex()
        if initial != spec.initial_root:
            raise RefusedError("The initial state is not the one that the spec names.", found=initial)

    def _done(self, task: Task) -> tuple[Trajectory, Mapping[str, Port]]:
        """What this solver has computed for a task, and what a state of it looks like."""
        spec = self.session.spec(task.spec)
        entries = Journal(self._journal(task)).entries
        trajectory = build_trajectory(spec, (entry.checkpoint for entry in entries))
        trajectory = self._cheat.forge(trajectory, spec) if self._cheat else trajectory
        return trajectory, self.session.program(spec).state

    def _work(self, record: TaskRecord) -> None:
        task, forced = record.task, record.terms.forced > 0
        spec = self.session.spec(task.spec)
        trajectory = self._train(task, spec, quiet=forced)
        if forced:
            self.sealing.commit(task, trajectory)
            return
        blob = self.session.store.put(canonical(trajectory))
        # A depot may have lost what it once had, and the submitter what it has to provide: verifiers need all of it.
        named = Blob(task.spec, self.session.fetcher.named(task.spec, SPEC_LIMIT).stat().st_size)
        hidden = self._cheat.hides(trajectory) if self._cheat else frozenset()
        for needed in (named, spec.program, spec.dataset, *(c.blob for c in trajectory.checkpoints), blob):
            if needed not in hidden:
                self.session.publish(needed)
        root = commitment_root(trajectory).hex()
        self.session.market.commit(task.id, Commitment(root, blob, trajectory.checkpoints[-1].state_root))
        self.log.info("committed", task=task.id, root=root)

    def _train(self, task: Task, spec: TaskSpec, *, quiet: bool) -> Trajectory:
        session = self.session
        runner = session.runner(spec, session.program(spec))
        initial = decode_state(session.read(spec.initial), runner.ports)
        worker: Worker = runner
        if self._cheat:
            worker = self._cheat.work(Scene(runner, initial, _compile, lambda step: self._earlier(task, runner, step)))
        journal = Journal(self._journal(task))
        if journal.entries:
            session.read(journal.entries[-1].checkpoint.blob)  # from a depot, if the disk has lost or spoilt it
        found = train(
            spec,
            worker,
            runner.ports,
            initial,
            journal,
            session.store,
            # A cheat has not yet decided what to hide; where an error may be forced nobody is to see the truth first.
            (lambda blob: None) if self._cheat or quiet else session.publish,
            lambda done, loss: session.board.post(task.id, "training", done, spec.steps, loss),
        )
        return self._cheat.forge(found, spec) if self._cheat else found

    def _earlier(self, task: Task, runner: Runner, step: int) -> State | None:
        """The state at `step` of a task that this solver did before: what a cheat may hand in again."""
        for journal in sorted(self.session.settings.folder.glob("tasks/*/journal.jsonl")):
            if journal == self._journal(task):
                continue
            for entry in Journal(journal).entries:
                if entry.checkpoint.step == step:
                    with suppress(BlobRefused, BlobMissing):
                        return decode_state(self.session.store.get(entry.checkpoint.blob), runner.ports)
        return None

    def _journal(self, task: Task) -> Path:
        return self.session.folder_of(task.id) / "journal.jsonl"

    def _reveal(self, record: TaskRecord) -> None:
        market, task = self.session.market, record.task
        waiting = [j for j in self.session.attested(record) if j not in record.revealed]
        if waiting and self.session.client.now() <= task.deadline:
            trajectory, digests = self._done(task)[0], Journal(self._journal(task)).digests
            for j in waiting:
                openings = [_opened(trajectory, k, digests[k]) for k in record.drawn_intervals(j)]
                market.reveal(task.id, j, openings)
                self.log.info("revealed", task=task.id, position=j)
            record = market.record(task.id)
        if not self.defence.inspect(record):
            self.push(record, mine=True)


def _compile(program: Program) -> Executable:
    return exact.compile(program)


def _opened(trajectory: Trajectory, interval: int, digest: bytes) -> Opening:
    leaf = opening(trajectory, interval + 1)
    path = tuple(word.hex() for word in leaf.proof)
    return Opening(digest.hex(), leaf.prev_root.hex(), leaf.state_root.hex(), leaf.batches.hex(), path)
