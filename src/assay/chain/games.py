"""The contracts of disputes as one Python object: `game` holds the records, `evidence` and `trajectory` hear contradictions."""

from __future__ import annotations

from typing import Any

from .client import Call, Client, TransactionReceipt
from .contract import Contract
from .deployment import Deployment
from .event import Event, abi_of, decode_event

__all__ = ["Games"]


class Games(Contract):
    """All disputes of a market. Ids of games and tasks are 64 hex digits."""

    kind = "game"

    def __init__(self, client: Client, deployment: Deployment) -> None:
        super().__init__(client, deployment.game)
        self._deployment = deployment
        self._at = ""
        self._events: dict[str, list[Event]] = {}

    def make(self, contract: str, function: str, *arguments: Any) -> TransactionReceipt:
        """Call a function of game, evidence or trajectory."""
        address = getattr(self._deployment, contract)
        return self.client.send(Call(address, abi_of(contract).encode(function, *arguments)))

    def withdraw(self, account: str) -> TransactionReceipt:
        """Pay an account all that it is owed here."""
        return self._send("withdraw", account)

    def owed(self, account: str) -> int:
        """What `account` may withdraw here."""
        return int(self._view("owed", account))

    def game(self, id_: str) -> str:
        """The hash of a game's record; zeros if there is none, 1 once it is over."""
        return str(self._view("games", id_))

    def events(self, task: str) -> list[Event]:
        """All that happened in the disputes about a task, in order, with what the referee executed.

        It is read once for each head of the chain, as `Market.record` is.
        """
        head = self.client.head()
        if head.hash != self._at:
            self._at, self._events = head.hash, {}
        if task not in self._events:
            opened = self._logs(head.number, [self.abi.topic("Opened"), None, "0x" + task])
            ids = ["0x" + event.args["id"] for event in opened]
            found = self._logs(head.number, [None, ids]) if ids else []
            if self.client.head().hash != head.hash:
                return found
            self._events[task] = found
        return self._events[task]

    def _logs(self, head: int, topics: list[Any]) -> list[Event]:
        names = {self.address: self.kind, self._deployment.evidence: "evidence"}
        logs = self.client.logs(self._deployment.block, head, list(names), topics)
        decoded = (decode_event(names, log) for log in logs)
        return [event for event in decoded if event is not None]
