"""One local network of real processes, in which one attack after the other is carried out, and the clock that they share.

Nobody waits for a window: when all who are honest have done what they can, the chain's time is moved on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any

from assay.chain import Client, Role, TaskRecord, move_time, spent
from assay.dispute.record import Turn
from assay.errors import Reverted, UnavailableError
from assay.market import Package, Windows, quote
from assay.roles.account import open_key
from assay.roles.cheats.manner import LAST_SECONDS
from assay.roles.devnet import CHAIN, DEPOT, Devnet, Member
from assay.roles.disputes import Disputes
from assay.roles.network import Network
from assay.roles.session import Session
from assay.roles.settings import read_settings
from assay.roles.submitter import Submitter
from assay.settle import due
from assay.store import Store
from assay.words import Receipt, Task, TaskState

from .books import Books, read_books
from .toy import toy

__all__ = ["RATE", "Arena"]

RATE = 4 * 10**12
"""What honest solvers ask here, per tera-operation: the toy then costs about a coin."""

POLL = "0.15"

PATIENCE, LATE = 2.0, 10.0
"""Seconds without any change after which an attacker is taken to keep silent, and after which somebody honest is."""

LONGEST = 120.0
"""Seconds after which an attack that has not ended is given up: something is broken."""

HOUR = 3600
WINDOWS = Windows(
    open_for=HOUR,
    work_for=HOUR,
    patrol_for=HOUR // 4,
    attest_for=HOUR,
    reveal_for=HOUR,
    clock=HOUR,
    extension=HOUR // 6,
)


def residents(solvers: int = 1, verifiers: int = 2) -> list[Member]:
    """The honest members, who stay for the whole suite."""
    found = [Member(CHAIN, CHAIN, {"dev": ""}), Member(DEPOT, DEPOT)]
    for kind, number in (("solver", solvers), ("verifier", verifiers)):
        options = {"poll": POLL} | ({"rate": str(RATE)} if kind == "solver" else {})
        found += [Member(f"{kind}-{n}", kind, options) for n in range(1, number + 1)]
    return found


class Arena:
    """A network with honest members in `folder`; attackers join and leave. A context manager."""

    def __init__(self, folder: Path) -> None:
        self.devnet = Devnet(folder, attached=True)
        self.accounts: dict[str, str] = {}
        """The address of everybody who ever had money here, by name of the member."""
        self._sessions: list[Session] = []
        self._since: dict[str, int] = {}
        self._idle: set[str] = set()
        """Solvers that accept a task and do nothing."""

    def __enter__(self) -> Arena:
        try:
            self.devnet.plan(residents())
            self.network: Network = self.devnet.up()
            self.client = Client(self.network.rpc)
            self.devnet.settle_in()
            for member in self.devnet.members:
                if member.kind not in (CHAIN, DEPOT):
                    self.accounts[member.name] = open_key(self.devnet.folder / member.name).address
            self.residents = frozenset(self.accounts)
        except BaseException:
            self.devnet.down()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for session in self._sessions:
            session.client.close()
            session.fetcher.close()
        with suppress(AttributeError):
            self.client.close()
        self.devnet.down()

    def session(self, kind: str, name: str) -> Session:
        """The hands of a member, in this process, until the arena is left."""
        found = Session.open(kind, read_settings(folder=self.devnet.folder / name))
        self._sessions.append(found)
        return found

    @cached_property
    def submitter(self) -> Submitter:
        """Who posts the tasks, with a gift from the faucet."""
        made = Submitter(self.session("submitter", "submitter"))
        if not made.session.token.granted(made.session.address):
            made.session.token.faucet()
        self.accounts["submitter"] = made.session.address
        return made

    # -- who is there ---------------------------------------------------------------------------------------------

    def summon(self, *members: Member) -> None:
        """Let attackers start; they are waited for by `enter`."""
        for member in members:
            # The key is made here, so that its money is in the books from its first coin.
            self.accounts[member.name] = open_key(self.devnet.folder / member.name).address
        self._idle |= {self.accounts[member.name] for member in members if member.options.get("cheat") == "absent"}
        self._since |= {member.name: self.client.head().number for member in members}
        self.devnet.join(*members)

    def enter(self, *members: Member) -> None:
        """Let attackers in, unless they were summoned, and wait until they have staked."""
        self.summon(*(member for member in members if member.name not in self.devnet.status()))
        self.devnet.settle_in(*(member.name for member in members))

    def gas_of(self, block: int, *names: str) -> int:
        """The gas that these members have paid after `block`, or since they joined: for that too."""
        own = {self.accounts[name].lower() for name in names}
        first = min((self._since.get(name, block) for name in names), default=block) + 1
        return sum(each.gas for each in spent(self.client, first, self.client.head().number) if each.sender in own)

    def remove(self, *members: Member) -> None:
        """End attackers, and have them give up their roles, so that no later task draws them."""
        self.devnet.dismiss(*(member.name for member in members))
        for member in members:
            session = self.session(member.kind, member.name)
            role = Role[member.kind.upper()]
            if session.stakes.is_active(session.address, role):
                session.stakes.leave(role)

    def name_of(self, address: str) -> str:
        """The kind of whoever has this address: solver, verifier, ..., or the address itself."""
        names = {account: name for name, account in self.accounts.items()}
        return names.get(address, address).split("/")[-1].rstrip("-0123456789")

    def stranger(self, name: str) -> Submitter:
        """The hands of an attacker without a role, in this process, with a gift from the faucet."""
        found = Submitter(self.session("submitter", name))
        self.accounts[name], self._since[name] = found.session.address, self.client.head().number
        found.session.token.faucet()
        return found

    # -- tasks ----------------------------------------------------------------------------------------------------

    def package(self, store: Store, label: str, **changes: Any) -> Package:
        """The toy under the name `label`, with `changes` to its plan. Each name has a seed of its own: data of an earlier task
        must not do for those that somebody withholds."""
        seed = int.from_bytes(sha256(label.encode()).digest()[:4], "big")
        return toy(store, **({"name": label, "seed": seed} | changes))

    def post(self, label: str, *, rate: int = RATE, windows: Windows = WINDOWS, **changes: Any) -> tuple[str, Package]:
        """Post the toy under the name `label`; the id, and what was posted."""
        package = self.package(self.submitter.session.store, label, **changes)
        salt = f"{label}-{len(list(self.submitter.session.settings.folder.glob('submissions/*')))}"
        return self.submitter.submit(package, quote(package.program, package.spec, rate), windows, salt), package

    def see_through(self, *task_ids: str) -> list[Task]:
        """Wait until all these tasks have ended, moving time on where only a deadline is left to be waited for."""
        market, session = self.submitter.session.market, self.submitter.session
        given_up, last, since = time.monotonic() + LONGEST, None, time.monotonic()
        while True:
            records = [market.record(task) for task in task_ids]
            running = [record for record in records if not record.task.state.final]
            if not running:
                return [record.task for record in records]
            mark = [(record, session.attested(record), self.moves(record.task.id)) for record in records]
            if mark != last:
                last, since = mark, time.monotonic()
            elif self._skip(running, time.monotonic() - since):
                since = time.monotonic()
            for record in running:
                self._push(record)
            if time.monotonic() > given_up:
                stuck = running[0].task
                raise UnavailableError(f"Task {stuck.id} does not end: {stuck.state.sentence}", task=stuck.id)
            time.sleep(0.15)

    def _skip(self, running: list[TaskRecord], idle: float) -> bool:
        """Move time on to the next moment at which something can happen, if nobody honest is about to do something."""
        now, moments = self.client.now(), []
        for record in running:
            later = [(moment, patience) for moment, patience in self.moments(record) if moment > now]
            if not later:
                return False
            moments.append(min(later))
        moment, patience = min(moments)
        if idle < patience:
            return False
        move_time(self.client, moment - now)
        return True

    def moments(self, record: TaskRecord) -> Iterator[tuple[int, float]]:
        """When something can happen without anybody doing anything, in Unix seconds, and how many idle seconds show that nobody
        does: more where it may be somebody honest who is late. Nothing while somebody honest has to act for sure."""
        task, terms, attackers = record.task, record.terms, self.attackers
        if task.state is TaskState.ASSIGNED and task.solver in self._idle:
            yield task.deadline + 1, PATIENCE
        missing = {
            task.verifiers[j] for j in set(range(len(task.verifiers))) - set(self.submitter.session.attested(record))
        }
        if task.state is TaskState.COMMITTED and (task.solver in attackers or missing & attackers):
            yield task.deadline - terms.attest_for // 2 + 1, LATE  # from here on missing data count as withheld
            yield task.deadline + 1, LATE
        if task.state is TaskState.AUDITED:
            yield record.result.committed_at + terms.patrol_for + 1, PATIENCE
            yield task.deadline + 1, LATE
        if task.state is TaskState.DISPUTED:
            for dispute in self.disputes.of(task.id):
                game = dispute.current()
                if game is None:
                    continue
                if {Turn.SOLVER: game.solver, Turn.CHALLENGER: game.challenger}[game.turn] in attackers:
                    yield from ((game.deadline - LAST_SECONDS, PATIENCE), (game.deadline + 1, PATIENCE + LAST_SECONDS))

    @property
    def attackers(self) -> frozenset[str]:
        """The addresses of all attackers."""
        honest = self.residents | {"submitter"}
        return frozenset(account for name, account in self.accounts.items() if name not in honest)

    @cached_property
    def disputes(self) -> Disputes:
        """All disputes, as anybody sees them."""
        return Disputes(self.submitter.session)

    def moves(self, task_id: str) -> int:
        """How many moves were made in disputes about the task, opening them included."""
        return sum(dispute.moves for dispute in self.disputes.of(task_id))

    def _push(self, record: TaskRecord) -> None:
        task, session = record.task, self.submitter.session
        settled = task.state is TaskState.AUDITED and session.may_settle(record)
        step = due(task, self.client.now(), revealed=settled)
        if step is not None:
            with suppress(Reverted):  # somebody else was faster
                getattr(session.market, step.value)(task.id)

    @property
    def dispute_addresses(self) -> tuple[str, ...]:
        """The contracts in which disputes are played."""
        contracts = self.network.contracts
        return contracts.game, contracts.evidence, contracts.trajectory

    def receipt(self, task_id: str) -> Receipt:
        """The receipt of a task that has ended."""
        return self.submitter.receipt(task_id)

    # -- money ----------------------------------------------------------------------------------------------------

    def settle_books(self) -> None:
        """Wait until no money is under way: games that a task's end has made moot are closed by whoever has bonds in them."""
        until = time.monotonic() + LONGEST / 4
        while not self.books().balanced and time.monotonic() < until:
            time.sleep(0.1)

    def books(self) -> Books:
        """Everybody's money."""
        return read_books(self.client, self.network.contracts, self.accounts.values())
