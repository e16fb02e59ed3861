"""The submitter: escrow once, follow the task, push it when it is stuck, fetch the result and check it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from assay.chain import Jackpot, Role, TaskRecord, events
from assay.dispute.record import Turn
from assay.errors import InsufficientFunds, MismatchError, NotFoundError, Reverted, UnavailableError
from assay.market import Package, Quote, Windows, terms, work
from assay.observe import Progress, read_json, write_json
from assay.proof import write_bundle
from assay.settle import due, receipt
from assay.store.blobs import copy_out
from assay.store.fetch import cut_off
from assay.words import Receipt, Record, Task, TaskState, Trajectory, canonical, parse
from assay.words.units import amount

from .disputes import Dispute, Disputes
from .network import tls
from .session import Session

__all__ = ["Fetched", "Snapshot", "Submitter", "read_progress"]

PAGE_BYTES, PAGE_SECONDS = 64 << 10, 2.0


class Snapshot(msgspec.Struct, frozen=True):
    """A task and what its solver and verifiers say about their progress."""

    task: Task
    progress: tuple[Progress, ...]
    now: int
    waits_for: tuple[str, ...] = ()
    """Addresses of those who must act next, where they are known."""
    disputes: tuple[Dispute, ...] = ()
    """The games about it, as far as they have come."""


class Fetched(Record, frozen=True):
    """Where the pieces of a finished task are."""

    model: str
    receipt: str
    bundle: str


class Submitter:
    """Everything a submitter does, on top of its session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.disputes = Disputes(session)
        self._stuck: dict[Any, float] = {}
        self._pages: dict[str, tuple[float, str]] = {}

    @property
    def _submissions(self) -> Path:
        return self.session.settings.folder / "submissions"

    def unfinished(self, package: Package) -> str | None:
        """The label of a submission of this very task that was begun and has not ended: who was killed goes on with it."""
        for journal in sorted(self._submissions.glob("*.json")):
            noted = read_json(journal, {})
            if noted.get("spec") == package.blob.sha256:
                market = self.session.market
                if not market.state(noted["task"]).final:
                    return journal.stem
        return None

    def submit(self, package: Package, quote: Quote, windows: Windows, label: str, forced: int = 0) -> str:
        """Publish the blobs, pay the escrow, post. Called again with the same label after a crash it posts nothing twice.

        `forced` is the chance of a forced error, in parts per million: then the quote's tax is put down as well.
        """
        market, token, me = self.session.market, self.session.token, self.session.address
        posted, described = terms(package, quote, windows, forced), work(package, quote, windows)
        journal = self._submissions / f"{label}.json"
        noted = read_json(journal)
        if noted is None:
            salt = secrets.token_hex(32)
            noted = {"salt": salt, "spec": package.blob.sha256, "task": market.task_id(me, salt, posted)}
            write_json(journal, noted)
        if noted["spec"] != package.blob.sha256:
            raise MismatchError(
                f"The submission {label!r} was of another task.", hint="Choose another folder or label."
            )
        task = str(noted["task"])
        if market.state(task) is not TaskState.NONE:
            self._reserve(task, quote.tax)
            return task
        if task != market.task_id(me, noted["salt"], posted):
            why = f"The submission {label!r} was begun under other terms and not posted."
            raise MismatchError(why, hint=f"Delete {journal}, or go on with the price and the windows that it had.")
        if token.balance_of(me) < quote.escrow and not token.granted(me):
            token.faucet()
        balance = token.balance_of(me)
        if balance < quote.escrow:
            why = f"The escrow is {amount(quote.escrow)}, the account {me} has {amount(balance)}."
            raise InsufficientFunds(why, escrow=quote.escrow, balance=balance, account=me)
        for blob in package.blobs:
            self.session.publish(blob)
        token.approve(market.address, quote.escrow)
        market.post(noted["salt"], posted, described)
        self.session.log.info("posted", task=task, escrow=quote.escrow)
        self._reserve(task, quote.tax)
        return task

    def _reserve(self, task: str, tax: int) -> None:
        """Put down the tax of a task with forced errors, once, while it can be done."""
        record = self.session.market.record(task)
        if not record.terms.forced or not tax or record.task.state is not TaskState.OPEN:
            return
        jackpot = Jackpot(self.session.client, self.session.network.contracts.jackpot)
        missing = tax - jackpot.reserved(task)
        if missing > 0:
            self.session.token.approve(jackpot.address, missing)
            jackpot.reserve(record, missing)

    def snapshot(self, task_id: str) -> Snapshot:
        """How the task stands now. Raises NotFoundError."""
        record = self.session.market.record(task_id)
        task = record.task
        disputes: tuple[Dispute, ...] = ()
        if record.games or task.state is TaskState.REFUNDED:
            disputes = tuple(self.disputes.of(task_id))
        waits = self._waits_for(record, disputes)
        return Snapshot(task, tuple(self._progress(task)), self.session.client.now(), waits, disputes)

    def _waits_for(self, record: TaskRecord, disputes: tuple[Dispute, ...]) -> tuple[str, ...]:
        task = record.task
        if task.state is TaskState.DISPUTED:
            games = [game for dispute in disputes if (game := dispute.current())]
            return tuple(game.solver if game.turn is Turn.SOLVER else game.challenger for game in games)
        if task.state is TaskState.COMMITTED:
            done = self.session.attested(record)
            return tuple(verifier for j, verifier in enumerate(task.verifiers) if j not in done)
        return (task.solver,) if task.solver and not task.state.final else ()

    def follow(
        self, task_id: str, poll: float = 0.2, on_wait: Callable[[str], None] = lambda reason: None
    ) -> Iterator[Snapshot]:
        """Snapshots until the task has ended; pushes it when it is overdue.

        Survives an outage of the chain; `on_wait` is told why nothing comes.
        """
        while True:
            try:
                snapshot = self.snapshot(task_id)
                yield snapshot
                if snapshot.task.state.final:
                    return
                self._push(snapshot)
            except UnavailableError as error:
                self.session.log.warning("waiting", code=error.code, message=error.message)
                on_wait(error.message)
            time.sleep(poll)

    def receipt(self, task_id: str) -> Receipt:
        """The receipt of a finished task, from the chain's events."""
        task = self.session.market.task(task_id)
        if not task.state.final:
            raise NotFoundError(
                f"Task {task_id} has not ended: {task.state.sentence}", hint="`assay watch` follows it."
            )
        found = events(self.session.client, self.session.network.contracts, task_id)
        return receipt(self.session.market.record(task_id), [(event.name, event.args) for event in found])

    def trajectory(self, task_id: str) -> Trajectory:
        """The trajectory that the solver committed to."""
        commitment = self.session.market.record(task_id).commitment
        if commitment is None:
            raise NotFoundError(f"Nobody has committed to a result of task {task_id}.")
        return parse(Trajectory, self.session.wait_for(commitment.trajectory).read_bytes())

    def collect(self) -> int:
        """Withdraw what the market owes this submitter; returns the amount."""
        owed = self.session.market.owed(self.session.address)
        if owed:
            self.session.market.withdraw()
        return owed

    def fetch(self, task_id: str, folder: Path) -> Fetched:
        """Write model.safetensors, receipt.json and the proof bundle of a settled task into `folder`."""
        found = self.receipt(task_id)
        folder.mkdir(parents=True, exist_ok=True)
        receipt_file = folder / "receipt.json"
        receipt_file.write_bytes(msgspec.json.format(canonical(found), indent=2) + b"\n")
        if found.outcome != "settled":
            raise NotFoundError(
                f"Task {task_id} was refunded: there is no model to fetch. Its receipt is in {receipt_file}.",
                receipt=str(receipt_file),
            )
        spec = self.session.spec(found.spec)
        trajectory = self.trajectory(task_id)
        # The model first: that a checkpoint which nobody drew is gone takes the proof away, not what was paid for.
        model = folder / "model.safetensors"
        self.session.wait_for(trajectory.checkpoints[-1].blob)
        copy_out(self.session.store, trajectory.checkpoints[-1].blob, model)
        bundle = folder / "proof"
        write_bundle(bundle, spec, trajectory, self.session.wait_for, found)
        return Fetched(str(model), str(receipt_file), str(bundle))

    def _push(self, snapshot: Snapshot) -> None:
        step = due(snapshot.task, snapshot.now)
        if step is None:
            return
        since = self._stuck.setdefault((snapshot.task.state, step), time.monotonic())
        if time.monotonic() - since > 5:
            try:
                getattr(self.session.market, step.value)(snapshot.task.id)
            except Reverted as error:
                self.session.log.info("reverted", push=step.value, reason=error.message)

    def _progress(self, task: Task) -> Iterator[Progress]:
        places = [(task.solver, Role.SOLVER), *((verifier, Role.VERIFIER) for verifier in task.verifiers)]
        for address, role in places:
            if not address:
                continue
            lines = read_progress(self._page(address, role))
            yield from (line for line in lines if line.task == task.id)

    def _page(self, address: str, role: Role) -> str:
        """Where somebody's progress is shown; a role that starts again somewhere else is found there after a moment."""
        asked, url = self._pages.get(address, (float("-inf"), ""))
        if time.monotonic() - asked > PAGE_SECONDS:
            url = self.session.stakes.endpoint_of(address, role)
            self._pages[address] = time.monotonic(), url
        return url


def read_progress(url: str) -> list[Progress]:
    """What the role at `url` says of its work; nothing if it is silent, slow, wordy or talks nonsense.

    A role that does not show its progress may still do its work, and a stranger's page is not worth waiting for.
    """
    data = b""
    try:
        with (
            cut_off(PAGE_SECONDS) as watched,
            httpx2.Client(timeout=1, trust_env=False, verify=tls()) as client,
            client.stream("GET", f"{url}/progress", extensions=watched) as answer,
        ):
            for piece in answer.iter_raw():
                data += piece
                if len(data) > PAGE_BYTES:
                    return []
        return msgspec.json.decode(data, type=list[Progress])
    except (httpx2.HTTPError, httpx2.InvalidURL, UnavailableError, ValueError, RecursionError):
        return []
