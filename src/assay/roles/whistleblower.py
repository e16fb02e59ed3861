"""The whistleblower: replays what it likes, unasked, and shows the contract what solver and verifiers got wrong."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import ClassVar

from assay import chain
from assay.chain import TaskRecord
from assay.errors import BlobMissing, UnavailableError
from assay.verify import Sealed
from assay.words import Task, TaskState, Trajectory
from assay.words.units import amount, seconds

from .membership import Membership
from .patrol import Budget, Patrol, draw_lot
from .quarrel import BONDS
from .session import Session
from .verifier import DISPUTABLE, Auditor

__all__ = ["WhistleblowerRole"]

LOOK_EVERY = 30.0
"""Seconds between two looks at whether to join or to leave; a new task is a reason to look at once."""

PATROLLED = (TaskState.COMMITTED, TaskState.AUDITED)


class WhistleblowerRole(Auditor):
    """One whistleblower. One interval is replayed between two looks at all tasks: in a dispute, clocks run."""

    kind: ClassVar[str] = "whistleblower"
    number: ClassVar[chain.Role] = chain.Role.WHISTLEBLOWER

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.membership = Membership(session)
        self.budget = Budget(session.settings.folder / "budget.json", session.settings.replays)
        self._url, self._member, self._next_look = "", False, 0.0
        self._known: tuple[str, ...] = ()
        self._candidates: list[str] = []
        self._chosen = ""
        self._checked: tuple[str, Trajectory] | None = None

    def join(self, url: str) -> None:
        """Take the role, if it pays now; else later."""
        self._url = url
        self._review()

    def _review(self) -> None:
        self._member = self.membership.review(self._url)
        self._next_look = time.monotonic() + LOOK_EVERY

    def turn(self) -> None:
        """Look at every task, then replay one interval of one of those that want it."""
        self._candidates, self._chosen = [], ""
        super().turn()
        try:
            if self._url and (time.monotonic() > self._next_look or not set(self.watchlist.tasks) <= set(self._known)):
                self._review()
            self._known = self.watchlist.tasks
            if self._candidates:
                self._chosen = secrets.choice(self._candidates)
                self.look(self._chosen)
        except UnavailableError as error:
            self.log.warning("waiting", code=error.code, message=error.message)

    def act(self, record: TaskRecord) -> None:
        """Stand by what was sealed; else patrol while that is possible. Push what nobody else pushes."""
        task, sealed = record.task, self.sealed(record)
        if sealed is not None and self._on_chain(task):
            if task.state in DISPUTABLE:
                self.stand_by(record)
        elif (
            task.state in PATROLLED
            and record.result.published
            and self.session.address not in (task.solver, *task.verifiers)
        ):
            self._watch(record, sealed)
        self.push(record, mine=False)

    def finished(self, record: TaskRecord) -> None:
        """Collect, free what was locked, and say so if there was no time for a task."""
        super().finished(record)
        plan, sealed = Patrol.read(self._plan(record.task)), self.sealed(record)
        over = record.result.committed_at and self.session.client.now() > self._until(record)
        if over and sealed is None and not (plan and plan.ended):
            self._end(record, plan, self._why_late(record, plan, None))

    def show(self, task: Task, done: int, total: int) -> None:
        """Nothing: nobody is to know what a whistleblower looks at."""

    def trajectory(self, record: TaskRecord) -> Trajectory:
        """The trajectory that was committed to, checked once for all intervals that are looked at."""
        if self._checked is None or self._checked[0] != record.result.root:
            self._checked = record.result.root, super().trajectory(record)
        return self._checked[1]

    # -- before anything is found --------------------------------------------------------------------------------

    def _watch(self, record: TaskRecord, sealed: Sealed | None) -> None:
        """Replay the next interval if this task's turn has come, else say whether it wants one."""
        plan = Patrol.read(self._plan(record.task))
        if plan is not None and plan.ended:
            return
        if self.session.client.now() > self._until(record):
            self._end(record, plan, self._why_late(record, plan, sealed))
        elif sealed is not None:
            self._accuse(record, sealed)
        elif plan is None:
            self._draw_lot(record)
        elif record.task.id == self._chosen:
            self._replay_next(record, plan)
        elif hurdle := self._hurdle(record):
            if hurdle != plan.hurdle:
                plan.but(hurdle=hurdle).write(self._plan(record.task))
        elif plan.drawn or (plan.others and self.budget.spare):
            self._candidates.append(record.task.id)

    def _draw_lot(self, record: TaskRecord) -> None:
        if not record.preview.drawn:
            return
        drawn = [k for j in range(record.terms.verifiers) for k in record.drawn_intervals(j)]
        plan = draw_lot(self.session.settings.share, drawn, record.task.intervals)
        plan.but(ended=not plan.picked).write(self._plan(record.task))
        if plan.picked:
            self.log.info("patrolling", task=record.task.id, intervals=len(plan.drawn) + len(plan.others))

    def _replay_next(self, record: TaskRecord, plan: Patrol) -> None:
        interval = (plan.drawn or plan.others)[0]
        try:
            found = self.audit(record, (interval,))
        except UnavailableError as error:
            plan.but(hurdle=error.message).write(self._plan(record.task))
            raise
        if not found.withheld:
            self.budget.spend()
        if found.matched:
            plan.after(interval).write(self._plan(record.task))
        elif found.withheld and self.session.client.now() < self._give_up(record):
            missing = "data of the result can't be had yet"
            plan.but(hurdle=missing).write(self._plan(record.task))
            raise BlobMissing(missing, interval=interval)
        else:
            self.log.info("found", task=record.task.id, kind=found.kind.name.lower(), interval=found.interval)
            self.keep(record, found)
            self._accuse(record, found)

    def _accuse(self, record: TaskRecord, sealed: Sealed) -> None:
        """Seal the finding on the chain. It is on disk already, so that this can be done again after a crash."""
        market, task = self.session.market, record.task.id
        if not market.result(task).drawn:
            market.draw(task)
        market.accuse(task, sealed.commitment)
        self.log.info("accused", task=task, kind=sealed.kind.name.lower(), interval=sealed.interval)

    # -- what stands in the way ----------------------------------------------------------------------------------

    def _hurdle(self, record: TaskRecord) -> str:
        """Why nothing can be replayed for this task now; empty if it can."""
        session = self.session
        if not self._member:
            return "this whistleblower has no stake in now"
        if not self.budget.left:
            return f"all {session.settings.replays} replays of this hour were used"
        if session.stakes.free_of(session.address, self.number) < session.market.whistleblower_lock():
            return "all of the stake is locked by accusations"
        bonds, balance = BONDS * record.work.bond, session.token.balance_of(session.address)
        if balance < bonds:
            return f"a dispute may take bonds of {amount(bonds)}, and {amount(balance)} are there"
        return ""

    def _why_late(self, record: TaskRecord, plan: Patrol | None, sealed: Sealed | None) -> str:
        late = self.session.client.now() - self._until(record)
        if sealed is not None:
            return f"interval {sealed.interval} is wrong, but it was found {seconds(late)} after the patrol had ended"
        if plan is None:
            return f"it was first seen {seconds(late)} after the patrol had ended"
        if not plan.drawn:
            return ""
        return f"{plan.done} of {plan.done + len(plan.drawn)} intervals were replayed in time" + (
            f": {plan.hurdle}" if plan.hurdle else ""
        )

    def _end(self, record: TaskRecord, plan: Patrol | None, reason: str) -> None:
        (plan or Patrol(picked=False)).but(ended=True).write(self._plan(record.task))
        if reason:
            self.log.info("too late", task=record.task.id, reason=reason)

    def _until(self, record: TaskRecord) -> int:
        """The last second in which an accusation can be sealed."""
        return record.result.committed_at + record.terms.patrol_for

    def _give_up(self, record: TaskRecord) -> float:
        """When missing data count as withheld, not late: half of the patrol is over."""
        return record.result.committed_at + record.terms.patrol_for / 2

    def _on_chain(self, task: Task) -> bool:
        return int(self.session.market.sealed(task.id, self.session.address), 16) != 0

    def _plan(self, task: Task) -> Path:
        return self.session.folder_of(task.id) / "patrol.json"
