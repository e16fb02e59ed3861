"""A solver's answers in disputes about its results, and what it does when its own machine turns out to be at fault."""

from __future__ import annotations

from assay.chain import TaskRecord
from assay.dispute.defender import Defender
from assay.dispute.record import Game, Turn
from assay.dispute.showing import show_data, show_leaf
from assay.dispute.testimony import Liar, Testimony
from assay.engine import exact
from assay.proof import Runner, State, build_trajectory, decode_state, state_root
from assay.solve import Journal
from assay.words import Kind, Task, Trajectory

from .cheats import Manner, cheat_of
from .disputes import Dispute, Disputes
from .session import Session

__all__ = ["Defence"]


class Defence:
    """What a solver says when it is challenged: what a replay says, if that is what it committed to.

    If it is not, a fault of the machine has spoilt the interval: an honest solver says so before it has answered, and loses
    the work only. A dishonest one stands by its checkpoint.
    """

    def __init__(self, session: Session, disputes: Disputes) -> None:
        self.session = session
        self.disputes = disputes
        self._cheat = cheat_of(session.settings.cheat, "solver")
        self._manner = Manner.parse(session.settings.manner)
        self._runner: tuple[str, Runner] | None = None
        self._players: dict[tuple[str, int], Defender] = {}

    def answer(self, record: TaskRecord) -> None:
        """Move in every dispute in which it is the solver's turn, and end those whose challenger is late."""
        for dispute, game in list(self.disputes.waiting_for(record.task.id, Turn.SOLVER)):
            now = self.session.client.now()
            if now > game.deadline or not self._manner.speaks(len(dispute.history), now, game.deadline):
                continue
            if dispute.kind in (Kind.LEAF, Kind.DATA):
                self._show(record, dispute, game)
                continue
            player = self._player(record.task, dispute)
            if player is None:
                self.session.market.concede(record.task.id, dispute.interval)
                self.session.log.warning("conceded a fault", task=record.task.id, interval=dispute.interval)
                return
            self.disputes.move(dispute, player.move(game), record)
        self.disputes.expire(record, against=Turn.CHALLENGER)

    def _show(self, record: TaskRecord, dispute: Dispute, game: Game) -> None:
        trajectory = self._trajectory(record.task)
        if dispute.kind is Kind.LEAF:
            self.disputes.move(dispute, show_leaf(trajectory, game), record)
            return
        runner = self._prepared(record.task)
        state = self._state(runner, trajectory, game.mark)
        self.disputes.move(dispute, show_data(runner.executable.program, state, game), record)

    def _player(self, task: Task, dispute: Dispute) -> Defender | None:
        """Who answers for an interval; None if it was computed wrongly, by no intent of this solver's."""
        key = task.id, dispute.interval
        if key not in self._players:
            runner, trajectory, k = self._prepared(task), self._trajectory(task), dispute.interval
            start, stop = runner.spec.bounds(k)
            before = self._state(runner, trajectory, k)
            honest = Testimony(runner, before, start, stop, exact.compile)
            committed = trajectory.checkpoints[k + 1].state_root
            told: Testimony = honest
            if dispute.kind is Kind.INTERVAL and state_root(honest.state_at(stop)).hex() != committed:
                if self._cheat is None or self._manner.manner == "concede":
                    return None
                claimed = dict(self._state(runner, trajectory, k + 1))
                told = Liar(runner, before, start, stop, exact.compile, claimed=claimed)
            self._players = {key: Defender(told)}
        return self._players[key]

    def _prepared(self, task: Task) -> Runner:
        if self._runner is None or self._runner[0] != task.spec:
            spec = self.session.spec(task.spec)
            self._runner = task.spec, self.session.runner(spec, self.session.program(spec))
        return self._runner[1]

    def _trajectory(self, task: Task) -> Trajectory:
        journal = Journal(self.session.folder_of(task.id) / "journal.jsonl")
        spec = self.session.spec(task.spec)
        trajectory = build_trajectory(spec, (entry.checkpoint for entry in journal.entries))
        return self._cheat.forge(trajectory, spec) if self._cheat else trajectory

    def _state(self, runner: Runner, trajectory: Trajectory, checkpoint: int) -> State:
        return decode_state(self.session.read(trajectory.checkpoints[checkpoint].blob), runner.ports)
