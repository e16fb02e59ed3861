"""What an account earned, lost and why: one line for each thing that happened to its money, or that it missed.

Made from what the contracts logged, and nothing else. The amounts of all lines add up to what the account has: in its
wallet, in its stakes, and what market and game owe it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from assay.chain import ZERO_ADDRESS, Event, Statement
from assay.words import Kind, Record
from assay.words.units import amount as written

from .part import Part

__all__ = ["Earnings", "Line", "earnings"]

ROLES = {1: "solver", 2: "verifier", 3: "whistleblower"}

OUTSIDE = ("grant", "received", "sent")
"""Money that came or went without anything being earned or lost."""


class Line(Record, frozen=True):
    """One thing that happened. `amount` is what the account has more or less of, in the currency's smallest unit."""

    task: str
    role: str
    what: str
    amount: int
    why: str


class Earnings(Record, frozen=True):
    """An account's lines, oldest first. `earned` is from tasks of which it has more than before, `lost` in all others; money
    that came from outside or went there counts for neither. `gas` is in wei."""

    account: str
    lines: tuple[Line, ...]
    totals: dict[str, int]
    earned: int
    lost: int
    gas: int

    @property
    def worth(self) -> int:
        """What the account has, wherever it is: all lines together."""
        return sum(line.amount for line in self.lines)

    @property
    def net(self) -> int:
        """Earned less lost."""
        return self.earned - self.lost


def earnings(statement: Statement) -> Earnings:
    """The lines of an account."""
    book = _Book(statement)
    for event in statement.events:
        book.take(event)
    book.close()
    lines = tuple(book.lines)
    totals: Counter[str] = Counter()
    tasks: Counter[str] = Counter()
    for line in lines:
        totals[line.what] += line.amount
        if line.what not in OUTSIDE:
            tasks[line.task] += line.amount
    gas = sum(wei for sender, wei in statement.costs.values() if sender == statement.account)
    gained, spent = (sum(max(0, sign * net) for net in tasks.values()) for sign in (1, -1))
    return Earnings(statement.account, lines, dict(totals), gained, spent, gas)


class _Book:
    """Takes one event after the other."""

    def __init__(self, statement: Statement) -> None:
        self.me, self._statement = statement.account, statement
        self.lines: list[Line] = []
        self._parts: dict[str, Part] = {}
        self._bonds: dict[str, dict[str, Any]] = {}
        self._due: list[tuple[str, str]] = []

    def take(self, event: Event) -> None:
        """Go on to the next event."""
        match event.contract:
            case "market":
                self._market(event)
            case "game":
                self._game(event)
            case "token" if event.name == "Transfer":
                self._transfer(event)

    def close(self) -> None:
        """Bonds that are down in games which go on."""
        for bond in self._bonds.values():
            self._line(bond["task"], "bond", -bond["paid"], "put down in a dispute that goes on")

    def _part(self, task: str) -> Part:
        return self._parts.setdefault(task, Part(self.me))

    def _line(self, task: str, what: str, amount: int, why: str) -> None:
        role = self._parts[task].role if task in self._parts else ""
        self.lines.append(Line(task, role, what, amount, why))

    # -- the market's ---------------------------------------------------------------------------------------------

    def _market(self, event: Event) -> None:
        task, args = event.task, event.args
        if not task:
            return  # deposits and withdrawals only change the place
        part = self._part(task)
        part.take(event)
        match event.name:
            case "Posted" if args["submitter"] == self.me:
                price, fees = part.price, args["escrow"] - part.price
                self._line(
                    task, "escrow", -args["escrow"], f"posted for {written(price)}, and {written(fees)} for verifiers"
                )
            case "Condemned":
                self._due = [("reward", part.shown(args)), ("compensation", part.compensated(args))]
                self._due = [due for due in self._due if args[due[0]]]
                if args["account"] == self.me:
                    self._line(task, "slash", -args["amount"], part.slashed(args))
            case "Credited":
                what, why = self._due.pop(0) if self._due else part.credited(args["account"])
                if args["account"] == self.me:
                    part.paid.add(what)
                    if args["amount"]:
                        self._line(task, what, args["amount"], why)
            case "Settled" | "Refunded":
                self._ended(task, part)

    def _ended(self, task: str, part: Part) -> None:
        """What was missed, and what is free again."""
        for what, why in part.missed():
            self._line(task, what, 0, why)
        if part.locked:
            still = "and is locked still" if task in self._statement.held else "and is free again"
            self._line(task, "lock", 0, f"a part of your stake stood behind this, {still}")

    # -- the game's -----------------------------------------------------------------------------------------------

    def _game(self, event: Event) -> None:
        args = event.args
        match event.name:
            case "Opened" if args["challenger"] == self.me:
                self._bonds[args["id"]] = {"task": args["task"], "paid": 0, "of": args}
            case "Moved" if args["id"] in self._bonds:
                self._bonds[args["id"]]["paid"] = args["game"]["paid"]
            case "Ended":
                self._game_over(event)

    def _game_over(self, event: Event) -> None:
        args, task = event.args, event.args["task"]
        reason, lost = args["reason"], not args["upheld"] and args["reason"] != "moot"
        mine = self._bonds.pop(args["id"], None)
        if mine is not None:
            kind, interval = Kind(mine["of"]["kind"]), mine["of"]["interval"]
            about = f"dispute: {kind.sentence} in interval {interval}"
            if lost:
                why = f"{about}; not shown ({reason}), three quarters were burned"
                self._line(task, "bond lost", -args["paid"], why)
            else:
                end = "the task had ended" if reason == "moot" else f"you were right ({reason})"
                self._line(task, "bond returned", 0, f"{about}; {end}, {written(args['paid'])} came back")
        quarter = args["paid"] // 4
        if lost and quarter and self._answered(event) == self.me:
            self._line(
                task, "bond won", quarter, f"a quarter of a challenger's bonds, who had not shown anything ({reason})"
            )

    def _answered(self, event: Event) -> str:
        """Who has the quarter: the solver if the challenger was silent, else whoever showed what was demanded."""
        if event.args["reason"] == "silence":
            return self._part(event.args["task"]).solver
        return self._statement.costs.get(event.transaction, ("", 0))[0]

    # -- the currency's -------------------------------------------------------------------------------------------

    def _transfer(self, event: Event) -> None:
        sender, receiver, value = (event.args[name] for name in ("sender", "receiver", "value"))
        if sender == receiver or {sender, receiver} & self._statement.contracts:
            return
        if sender == ZERO_ADDRESS:
            self._line("", "grant", value, "play money from the faucet")
        elif receiver == self.me:
            self._line("", "received", value, f"from {sender}")
        else:
            self._line("", "sent", -value, f"to {receiver}")
