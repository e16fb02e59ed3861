"""What a challenger does about a finding that it has sealed: open the dispute when nobody can seal any more, and play it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from assay.chain import TaskRecord
from assay.dispute.calls import opening_words
from assay.dispute.challenger import Challenger
from assay.dispute.record import Turn
from assay.dispute.testimony import Testimony
from assay.engine import exact
from assay.errors import UsageError
from assay.program import Program
from assay.program.program import STATE
from assay.proof import Runner, State, decode_state, merkle, opening
from assay.proof.code import code_leaves, code_shape, entries
from assay.verify import Sealed
from assay.words import Kind, Trajectory

from .cheats import Manner
from .disputes import Dispute, Disputes
from .session import Session

__all__ = ["Quarrel"]

BONDS = 6
"""Levels that a game may enter at most, each for a bond."""

PLAYERS = 4
"""Disputes for which a replay is kept in memory."""


class Quarrel:
    """One challenger's dealings with all its findings."""

    def __init__(self, session: Session, player: type[Challenger] = Challenger) -> None:
        self.session = session
        self._player, self._manner = player, Manner.parse(session.settings.manner)
        self.disputes = Disputes(session)
        self._players: dict[str, Challenger] = {}

    def pursue(
        self, record: TaskRecord, sealed: Sealed, runner: Callable[[], Runner], trajectory: Callable[[], Trajectory]
    ) -> None:
        """Do the next thing about `sealed`: `runner` and `trajectory` are only asked for when they are needed."""
        mine = next((d for d in self.disputes.of(record.task.id) if d.id.hex() == sealed.commitment), None)
        if mine is None:
            self._open(record, sealed, runner, trajectory)
            return
        game = mine.current()
        if game is None or self.disputes.expire(record, against=Turn.SOLVER):
            return
        now = self.session.client.now()
        speaks = self._manner.speaks(len(mine.history), now, game.deadline)
        if game.turn is Turn.CHALLENGER and now <= game.deadline and speaks:
            self._move(record, sealed, mine, runner, trajectory)

    def _open(
        self, record: TaskRecord, sealed: Sealed, runner: Callable[[], Runner], trajectory: Callable[[], Trajectory]
    ) -> None:
        now, result = self.session.client.now(), record.result
        if not result.committed_at + record.terms.patrol_for < now <= record.task.deadline:
            return
        self._allow(record)
        key, words, work = record.words()
        if sealed.kind is Kind.LEAF:
            self.disputes.games.make("game", "open_leaf", key, words, work, sealed.interval, sealed.salt)
        elif sealed.kind is Kind.DATA:
            self._demand(record, sealed, runner().executable.program, trajectory())
        else:
            program, listed, k = runner().executable.program, trajectory(), sealed.interval
            leaves = [opening_words(opening(listed, index)) for index in (k, k + 1)]
            arguments = (int(sealed.kind), key, words, work, k, sealed.salt, *_code(program), *leaves)
            self.disputes.games.make("game", "open", *arguments)
        self.session.log.info("disputed", task=record.task.id, kind=sealed.kind.name.lower(), interval=sealed.interval)

    def _demand(self, record: TaskRecord, sealed: Sealed, program: Program, trajectory: Trajectory) -> None:
        """Demand a KiB of a checkpoint: one of the largest tensor, picked by the salt that nobody else knew."""
        key, words, work = record.words()
        states = {n: port for n, port in enumerate(program.inputs) if port.name.startswith(STATE)}
        number = max(states, key=lambda n: states[n].nbytes)
        k = sealed.checkpoint
        chunk = int(sealed.salt, 16) % max(1, -(-states[number].nbytes // merkle.CHUNK))
        tree = merkle.Tree(code_leaves(program))
        leaf = opening_words(opening(trajectory, k))
        head = (key, words, work, sealed.interval, k, sealed.salt, *_code(program))
        arguments = (*head, leaf, number, entries(program)[number], tree.prove(number), chunk)
        self.disputes.games.make("game", "open_data", *arguments)

    def _move(
        self,
        record: TaskRecord,
        sealed: Sealed,
        dispute: Dispute,
        runner: Callable[[], Runner],
        trajectory: Callable[[], Trajectory],
    ) -> None:
        player = self._players.get(sealed.commitment)
        if player is None:
            player = self._player(self._testimony(runner(), trajectory(), sealed))
            for oldest in list(self._players)[: 1 - PLAYERS]:
                del self._players[oldest]
            self._players[sealed.commitment] = player
        assert dispute.record is not None
        try:
            move = player.move(dispute.record, dispute.history)
        except UsageError as error:
            self.session.log.warning("nothing to challenge", task=record.task.id, message=error.message)
            return
        self._allow(record)
        note = player.claim(dispute.record)
        self.session.board.post(record.task.id, "disputing", dispute.moves, dispute.moves + 1, note=note)
        self.disputes.move(dispute, move, record)

    def _allow(self, record: TaskRecord) -> None:
        """Let the game take the bond of the next level. Several games share one allowance, so it is looked at each time."""
        session, games, bond = self.session, self.disputes.games.address, record.work.bond
        if bond and session.token.allowance(session.address, games) < bond:
            session.token.approve(games, BONDS * bond)

    def _testimony(self, runner: Runner, trajectory: Trajectory, sealed: Sealed) -> Testimony:
        state: State = {}
        if sealed.kind is not Kind.BATCHES:  # which rows are drawn can be said without any checkpoint
            state = decode_state(self.session.read(trajectory.checkpoints[sealed.interval].blob), runner.ports)
        return Testimony(runner, state, *runner.spec.bounds(sealed.interval), exact.compile)


def _code(program: Program) -> tuple[Any, ...]:
    """Counts and entries root, as `open` takes them."""
    return int.from_bytes(code_shape(program), "big"), merkle.root(code_leaves(program))
