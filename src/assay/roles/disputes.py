"""The disputes of a task as the chain tells them, and the hands that move in them.

A dispute is read from the game's events every time, so whoever was killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from assay.chain import Event, Games, TaskRecord
from assay.dispute.calls import Matter, call_of
from assay.dispute.challenger import Revealed
from assay.dispute.moves import Divide, Expand, Expire, Moot, Move, Show
from assay.dispute.record import Game, Level, Turn
from assay.words import Kind

from .session import Session

__all__ = ["Dispute", "Disputes"]


@dataclass
class Dispute:
    """One game so far. `ended` has the arguments of the event `Ended` once it is over."""

    id: bytes
    challenger: str
    kind: Kind
    interval: int
    record: Game | None = None
    history: list[Revealed] = field(default_factory=list)
    executed: dict[str, Any] | None = None
    """What the referee got: the arguments of the event `Executed`."""
    ended: dict[str, Any] | None = None
    moves: int = 0
    _heard: tuple[str, dict[str, Any]] | None = None

    def current(self) -> Game | None:
        """The record while somebody has to move."""
        return self.record if self.ended is None else None

    def take(self, event: Event) -> None:
        """Go on to the next event of this game."""
        match event.name:
            case "Moved":
                self.record, self.moves = Game.of(event.args["game"]), self.moves + 1
            case "Revealed" if self.record:
                words = tuple(bytes.fromhex(word) for word in event.args["words"])
                divided = self.record.level in (Level.STEPS, Level.FOLD)
                self.history.append((self.record, Divide(words) if divided else Expand(words)))
            case "Shown" if self.record:
                self.history.append((self.record, Show(bytes(event.args["data"]))))
            case "Executed":
                self._heard = event.transaction, event.args
            case "Ended":
                self.ended = event.args
                # Anybody may have the referee execute something in a game's name; what counts is what ended it.
                if self._heard and self._heard[0] == event.transaction:
                    self.executed = self._heard[1]


class Disputes:
    """All disputes that a role can see, and its moves in them."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.games = Games(session.client, session.network.contracts)

    def of(self, task: str) -> list[Dispute]:
        """The disputes of a task, in the order in which they were opened."""
        found: dict[str, Dispute] = {}
        for event in self.games.events(task):
            args = event.args
            if event.name == "Opened":
                found[args["id"]] = Dispute(
                    bytes.fromhex(args["id"]), args["challenger"], Kind(args["kind"]), args["interval"]
                )
            elif args["id"] in found:
                found[args["id"]].take(event)
        return list(found.values())

    def waiting_for(self, task: str, turn: Turn) -> Iterator[tuple[Dispute, Game]]:
        """Games in which this side has to move."""
        for dispute in self.of(task):
            record = dispute.current()
            if record is not None and record.turn is turn:
                yield dispute, record

    def matter(self, record: TaskRecord) -> Matter:
        """What ending moves bring."""
        key, result, work = record.words()
        return Matter(self.games.address, key, result, work)

    def move(self, dispute: Dispute, move: Move, record: TaskRecord) -> None:
        """Send a move."""
        assert dispute.record is not None, "a game without a record has ended"
        call = call_of(dispute.id, dispute.record, move, self.matter(record))
        self.games.make(call.contract, call.function, *call.arguments)
        self.session.log.info(
            "moved",
            task=record.task.id,
            dispute=dispute.id.hex()[:16],
            move=type(move).__name__.lower(),
            level=dispute.record.level.name.lower(),
        )

    def expire(self, record: TaskRecord, against: Turn) -> bool:
        """End the games in which the other side's clock has run out; whether there was one."""
        waiting, ended = list(self.waiting_for(record.task.id, against)), False
        now = self.session.client.now() if waiting else 0
        for dispute, game in waiting:
            if now > game.deadline:
                self.move(dispute, Expire(), record)
                ended = True
        return ended

    def close(self, record: TaskRecord) -> None:
        """After the task's end: take back the bonds of games that have nothing to decide any more, and what is owed here."""
        me = self.session.address
        for dispute in self.of(record.task.id):
            if dispute.challenger == me and dispute.current() is not None:
                self.move(dispute, Moot(), record)
        if self.games.owed(me):
            self.games.withdraw(me)
