"""The loop that solvers and verifiers share: join, look at every unfinished task, do what it asks for, leave in order."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter
from typing import ClassVar

from assay import chain
from assay.chain import EventReader, TaskRecord
from assay.errors import AssayError, ChainUnavailable, MoneyError, NotFoundError, Reverted, UnavailableError
from assay.settle import Push, due
from assay.words import TaskState
from assay.words.units import amount, seconds

from .disputes import Disputes
from .session import Session
from .settings import RoleSettings
from .watchlist import Watchlist

__all__ = ["Role"]

ATTEMPTS = 3
"""How often a role tries again after an unexpected error in one task."""

PAUSE = 1.0
"""Seconds before a role looks again at a task for which the contract refused what it tried."""

LONGEST_PAUSE = 30.0
"""Seconds to which that pause grows, doubling, while a task lacks what somebody else has to provide."""

IDLE = 4
"""How many times longer a role sleeps while there is no task to look after."""

PATIENCE = 5.0
"""Seconds before a role does a push that another role should have done."""


class Role(ABC):
    """A long-running participant. All that it decides follows from the chain and its folder, so it can be killed anywhere."""

    kind: ClassVar[str]
    number: ClassVar[chain.Role]

    def __init__(self, session: Session) -> None:
        self.session = session
        self.log = session.log
        reader = EventReader(session.client, session.network.contracts, session.settings.folder / "cursor.json")
        self.disputes = Disputes(session)
        self.watchlist = Watchlist(session.settings.folder / "watchlist.json", reader)
        self._not_before: dict[str, float] = {}
        self._failures: Counter[str] = Counter()
        self._waits: Counter[str] = Counter()
        self._first_seen: dict[tuple[str, TaskState, Push], float] = {}

    @classmethod
    def open(cls, settings: RoleSettings) -> Role:
        """The role in `settings.folder`."""
        return cls(Session.open(cls.kind, settings))

    def run(self) -> None:
        """Serve the market until the process is asked to stop."""
        with self.session.serving() as url:
            self.join(url)
            self.log.info("ready", url=url)
            while True:
                self.turn()
                # A market without tasks is asked less often: six idle roles should not keep a laptop warm.
                time.sleep(self.session.settings.poll * (1 if self.watchlist.tasks else IDLE))

    def join(self, url: str) -> None:
        """Register and stake, unless that is done already. On the local network the faucet provides the stake."""
        stakes, token, me = self.session.stakes, self.session.token, self.session.address
        unlocks = stakes.member(me, self.number).unlocks
        if unlocks:  # it has left, or was slashed below the least stake: what is left has to come back first
            wait = unlocks - self.session.client.now()
            if wait > 0 or not stakes.free_of(me, self.number):
                self.log.warning("not a member", kind=self.kind, unlocks_in=seconds(max(0, wait)))
                return
            stakes.withdraw(self.number)
        if not stakes.is_active(me, self.number):
            needed = stakes.minimum(self.number)
            if token.balance_of(me) < needed:
                token.faucet()
            token.approve(stakes.address, needed)
            stakes.register(self.number, needed, url)
            self.log.info("staked", amount=amount(needed, token.symbol()), account=me)
        elif stakes.endpoint_of(me, self.number) != url:
            stakes.set_endpoint(self.number, url)

    def leave(self) -> str:
        """Give up the role, or take back the stake when it has unlocked; returns a sentence about what happened."""
        stakes, me = self.session.stakes, self.session.address
        if stakes.is_active(me, self.number):
            stakes.leave(self.number)
        member = stakes.member(me, self.number)
        staked = amount(member.stake, self.session.token.symbol())
        if member.stake == 0:
            return f"This {self.kind} has no stake on this network."
        wait = member.unlocks - self.session.client.now()
        if wait >= 0:
            return f"This {self.kind} gets no new tasks. Its stake of {staked} unlocks in {seconds(wait)}: call this again then."
        stakes.withdraw(self.number)
        return f"The stake of {staked} is back."

    def turn(self) -> None:
        """Look at every unfinished task once."""
        try:
            for task_id in self.watchlist.refresh():
                self.look(task_id)
        except UnavailableError as error:
            self.log.warning("waiting", code=error.code, message=error.message)

    def look(self, task_id: str) -> None:
        """Do whatever `task_id` asks of this role now; a refusal by chain or input ends the attempt, not the role."""
        if time.monotonic() < self._not_before.get(task_id, 0):
            return
        try:
            self._attend(task_id)
            self._waits.pop(task_id, None)
        except Reverted as error:
            # Somebody else was faster, or the deadline passed: a later turn sees the new state.
            self._not_before[task_id] = time.monotonic() + PAUSE
            self.log.info("reverted", task=task_id, reason=error.message)
        except (MoneyError, ChainUnavailable):
            raise
        except (UnavailableError, OSError) as error:
            # A blob that nobody gives, a depot that is away, a full disk. It may pass, and the other tasks must not wait:
            # a task that names data which do not exist would stop the whole market.
            pause = min(LONGEST_PAUSE, PAUSE * 2 ** self._waits[task_id])
            self._waits[task_id] += 1
            self._not_before[task_id] = time.monotonic() + pause
            self.log.warning("waiting", task=task_id, error=type(error).__name__, message=str(error), pause=pause)
        except AssayError as error:
            self.log.warning("refused", task=task_id, code=error.code, message=error.message)
            self.watchlist.drop(task_id)
        except Exception:
            # A bug that one task brings to light must not stop the work on others, nor be tried for ever.
            self._failures[task_id] += 1
            self.log.exception("failed", task=task_id, times=self._failures[task_id])
            if self._failures[task_id] >= ATTEMPTS:
                self.watchlist.drop(task_id)

    def _attend(self, task_id: str) -> None:
        try:
            record = self.session.market.record(task_id)
        except NotFoundError as gone:
            # The chain went back behind its posting, which mostly comes again; who has sealed something must be there then.
            raise UnavailableError("The chain does not know this task any more.", task=task_id) from gone
        if record.task.state.final:
            self.finished(record)
            self.watchlist.drop(task_id)
        else:
            self.act(record)

    def finished(self, record: TaskRecord) -> None:
        """Collect what a finished task left to this role."""
        market, token, me, task = self.session.market, self.session.token, self.session.address, record.task
        self.disputes.close(record)
        owed = market.owed(me)
        if owed:
            market.withdraw()
            symbol = token.symbol()
            self.log.info(
                "paid", task=task.id, amount=amount(owed, symbol), balance=amount(token.balance_of(me), symbol)
            )

    @abstractmethod
    def act(self, record: TaskRecord) -> None:
        """Do the next thing for an unfinished task."""

    def push(self, record: TaskRecord, *, mine: bool) -> bool:
        """Send the push that a task is due, at once if it is `mine` to send, else when nobody has for a while."""
        task = record.task
        may_settle = task.state is TaskState.AUDITED and self.session.may_settle(record)
        step = due(task, self.session.client.now(), revealed=may_settle)
        if step is None:
            return False
        since = self._first_seen.setdefault((task.id, task.state, step), time.monotonic())
        if not mine and time.monotonic() - since < PATIENCE:
            return False
        getattr(self.session.market, step.value)(task.id)
        self.log.info("pushed", task=task.id, push=step.value)
        return True
