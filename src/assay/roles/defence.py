"""A solver's answers in disputes about its results, and what it does when its own machine turns out to be at fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from assay.chain import TaskRecord
from assay.dispute.defender import Defender
from assay.dispute.record import Game, Turn
from assay.dispute.showing import show_data, show_leaf
from assay.dispute.testimony import Liar, Testimony
from assay.engine import exact
from assay.errors import Reverted
from assay.proof import Runner, build_trajectory
from assay.solve import Journal
from assay.words import Kind, Task, Trajectory

from .cheats import Manner, cheat_of
from .disputes import Dispute, Disputes
from .memory import Memory
from .session import Session

__all__ = ["Defence"]

PLAYERS = 4
"""Disputes for which a replay is kept in memory: begun anew for each move, two at once would cost their clocks."""


class Defence:
    """What a solver says when it is challenged: what a replay says, if that is what it committed to.

    If it is not, a fault of the machine has spoilt the interval. An honest solver says so as soon as it knows, and before it
    has answered anything: then it loses the work only. A dishonest one stands by its checkpoint.
    """

    def __init__(self, session: Session, disputes: Disputes) -> None:
        self.session = session
        self.disputes = disputes
        self._cheat = cheat_of(session.settings.cheat, "solver")
        self._manner = Manner.parse(session.settings.manner)
        self._memory: tuple[str, Memory] | None = None
        self._players: dict[tuple[str, int, Kind], Defender] = {}
        self._insist: set[str] = set()

    def answer(self, record: TaskRecord) -> None:
        """Move in every dispute in which it is the solver's turn, and end those whose challenger is late."""
        if record.games == 0:
            return
        waiting = list(self.disputes.waiting_for(record.task.id, Turn.SOLVER))
        if waiting and self.concede(record, self._named(record)):
            return
        for dispute, game in waiting:
            now = self.session.client.now()
            if now > game.deadline or not self._manner.speaks(len(dispute.history), now, game.deadline):
                continue
            if dispute.kind in (Kind.LEAF, Kind.DATA):
                self._show(record, dispute, game)
            else:
                self.disputes.move(dispute, self._player(record.task, dispute).move(game), record)
        self.disputes.expire(record, against=Turn.CHALLENGER)

    def inspect(self, record: TaskRecord) -> bool:
        """Look at what a verifier may have found, if it did not attest to what was revealed; concede what is wrong.

        Before anybody disputes it: the submitter has its money back at once, nobody's bonds are tied up, and no other finding
        that is opened meanwhile can take away the right to concede. Returns whether a fault was conceded.
        """
        doubted = (k for j in sorted(record.revealed - record.matched) for k in record.drawn_intervals(j))
        return self.concede(record, doubted)

    def concede(self, record: TaskRecord, intervals: Iterator[int]) -> bool:
        """Concede the first of `intervals` that a replay shows to be wrong; whether that was done.

        Not if an answer was given already or the market has refused once: then there is no way back.
        """
        task = record.task.id
        honest = self._cheat is None or self._manner.manner == "concede"
        if not honest or task in self._insist or self.session.market.has_answered(task):
            return False
        wrong = next((k for k in intervals if self._memory_of(record.task).wrong(k)), None)
        if wrong is None:
            return False
        try:
            self.session.market.concede(task, wrong)
        except Reverted as refused:
            self._insist.add(task)
            self.session.log.warning("not conceded", task=task, interval=wrong, reason=refused.message)
            return False
        self.session.log.warning("conceded a fault", task=task, interval=wrong)
        return True

    def _named(self, record: TaskRecord) -> Iterator[int]:
        """The intervals that open disputes name; what a demand for data needs is the interval before that checkpoint, too."""
        for dispute in self.disputes.of(record.task.id):
            game = dispute.current()
            if game is not None and dispute.kind is not Kind.LEAF:
                yield dispute.interval
                if dispute.kind is Kind.DATA and game.mark:
                    yield game.mark - 1

    def _show(self, record: TaskRecord, dispute: Dispute, game: Game) -> None:
        memory = self._memory_of(record.task)
        if dispute.kind is Kind.LEAF:
            self.disputes.move(dispute, show_leaf(memory.trajectory, game), record)
            return
        program = memory.runner.executable.program
        self.disputes.move(dispute, show_data(program, memory.state(game.mark), game), record)

    def _player(self, task: Task, dispute: Dispute) -> Defender:
        """Who answers for an interval."""
        key = task.id, dispute.interval, dispute.kind
        if key not in self._players:
            memory, k = self._memory_of(task), dispute.interval
            runner, before = memory.runner, memory.state(k)
            start, stop = runner.spec.bounds(k)
            told = Testimony(runner, before, start, stop, exact.compile)
            if dispute.kind is Kind.INTERVAL and memory.wrong(k):
                # Nothing is left to say for it but what was committed. It ends sooner than by silence.
                told = Liar(runner, before, start, stop, exact.compile, claimed=dict(memory.state(k + 1)))
            for oldest in list(self._players)[: 1 - PLAYERS]:
                del self._players[oldest]
            self._players[key] = Defender(told)
        return self._players[key]

    def _memory_of(self, task: Task) -> Memory:
        if self._memory is None or self._memory[0] != task.id:
            spec = self.session.spec(task.spec)
            runner = self.session.runner(spec, self.session.program(spec))
            self._memory = task.id, Memory(runner, self._trajectory(task, runner), self.session.read)
        return self._memory[1]

    def _trajectory(self, task: Task, runner: Runner) -> Trajectory:
        journal = Journal(self._journal(task))
        trajectory = build_trajectory(runner.spec, (entry.checkpoint for entry in journal.entries))
        return self._cheat.forge(trajectory, runner.spec) if self._cheat else trajectory

    def _journal(self, task: Task) -> Path:
        return self.session.folder_of(task.id) / "journal.jsonl"
