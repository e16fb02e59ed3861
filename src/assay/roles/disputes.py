"""The disputes of a task as the chain tells them, and the hands that move in them.

A dispute is read from the game's events every time, so whoever was killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from assay.chain import Call, Event, Games
from assay.dispute import Game, Revealed
from assay.dispute.calls import Matter, call_of
from assay.dispute.moves import Divide, Expand, Expire, Moot, Move, Show
from assay.dispute.record import Kind, Level, Turn

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
    ended: dict[str, Any] | None = None

    @property
    def open(self) -> bool:
        """Whether somebody has to move."""
        return self.ended is None and self.record is not None

    def take(self, event: Event) -> None:
        """Go on to the next event of this game."""
        match event.name:
            case "Moved":
                self.record = Game.of(event.args["game"])
            case "Revealed" if self.record:
                words = tuple(bytes.fromhex(word) for word in event.args["words"])
                divided = self.record.level in (Level.STEPS, Level.FOLD)
                self.history.append((self.record, Divide(words) if divided else Expand(words)))
            case "Shown" if self.record:
                self.history.append((self.record, Show(bytes(event.args["data"]))))
            case "Ended":
                self.ended = event.args


class Disputes:
    """All disputes that a role can see, and its moves in them."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.games = Games(session.client, session.network.contracts)

    def of(self, task: str) -> list[Dispute]:
        """The disputes of a task, in the order in which they were opened."""
        found: dict[str, Dispute] = {}
        for event in self.games.events(task):
            if event.name == "Opened":
                args = event.args
                id_, kind = bytes.fromhex(args["id"]), Kind(args["kind"])
                found[args["id"]] = Dispute(id_, args["challenger"], kind, args["interval"])
            elif event.args["id"] in found:
                found[event.args["id"]].take(event)
        return list(found.values())

    def overdue(self, task: str) -> Iterator[Dispute]:
        """Those in which somebody's clock has run out."""
        now = self.session.client.now()
        yield from (one for one in self.of(task) if one.open and one.record and now > one.record.deadline)

    def move(self, dispute: Dispute, move: Move, matter: Matter) -> None:
        """Send a move, with the bond that it asks for."""
        assert dispute.record is not None, "a game without a record has ended"
        call = call_of(dispute.id, dispute.record, move, matter)
        self.games.send(call.contract, call.function, *call.arguments)
