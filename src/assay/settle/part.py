"""An account's part in one task, as the market's events tell it: what it was, what it is owed for, and what it missed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from assay.chain import Event

__all__ = ["Part"]


class Part:
    """What `me` did in a task. The sentences are for people."""

    def __init__(self, me: str) -> None:
        self.me = me
        self.submitter = self.solver = ""
        self.drawn: tuple[str, ...] = ()
        self.price = 0
        self.attested = self.accused = self.committed = self.conceded = self.lost = False
        self.matched: bool | None = None
        self.disputed: set[str] = set()
        self.ruled: tuple[str, int] | None = None
        self.reason = ""
        self.ended = self.settled = False
        self.paid: set[str] = set()

    @property
    def role(self) -> str:
        """What this account is in the task."""
        if self.me == self.submitter:
            return "submitter"
        if self.me == self.solver:
            return "solver"
        if self.me in self.drawn:
            return "verifier"
        return "whistleblower" if self.accused else ""

    @property
    def locked(self) -> bool:
        """Whether a part of its stake depended on the task, and was not lost."""
        return (self.me == self.solver or self.attested or self.accused) and not self.lost

    def take(self, event: Event) -> None:
        """Go on to the next of the market's events."""
        args = event.args
        match event.name:
            case "Posted":
                self.submitter, self.price = args["submitter"], args["terms"]["price"]
            case "Accepted":
                self.solver = args["solver"]
            case "Committed":
                self.committed = True
            case "Drawn":
                self.drawn = tuple(args["verifiers"])
            case "Attested":
                self.attested |= args["verifier"] == self.me
            case "Accused":
                self.accused |= args["accuser"] == self.me
            case "Revealed" if args["verifier"] == self.me:
                self.matched = args["matched"]
            case "Disputed":
                self.disputed.add(args["challenger"])
            case "Ruled" if args["upheld"]:
                self.ruled = args["challenger"], args["interval"]
            case "Fault":
                self.conceded = True
            case "Condemned":
                self.lost |= args["account"] == self.me
            case "Settled":
                self.ended = self.settled = True
            case "Refunded":
                self.ended, self.reason = True, args["reason"]

    # -- what came ------------------------------------------------------------------------------------------------

    def credited(self, account: str) -> tuple[str, str]:
        """What the market credits `account` with, and why, where no stake was lost for it."""
        if account == self.submitter:
            return "refund", "what of the escrow was not needed, or all of it"
        if account == self.solver:
            return "price", "your result held"
        return "fee", "your attestation matched"

    def shown(self, args: dict[str, Any]) -> str:
        """Why somebody has a part of a lost stake."""
        who = "the solver" if args["role"] == 1 else "a verifier who had sworn to it"
        return f"you showed that interval {self.ruled[1] if self.ruled else '?'} is wrong; {who} lost its stake"

    def compensated(self, args: dict[str, Any]) -> str:
        """Why the submitter has a part of a lost stake."""
        return f"interval {self.ruled[1]} is wrong" if self.ruled else "the solver did not open its traces"

    # -- what went ------------------------------------------------------------------------------------------------

    def slashed(self, args: dict[str, Any]) -> str:
        """Why this account lost a part of its stake."""
        if args["role"] == 1:
            return (
                f"your interval {self.ruled[1]} was ruled to be wrong" if self.ruled else "you did not open your traces"
            )
        if self.ended:
            return "you never opened what you had sealed"
        return f"you had sworn to interval {self.ruled[1] if self.ruled else '?'}, which was ruled to be wrong"

    # -- what did not come ----------------------------------------------------------------------------------------

    def missed(self) -> Iterator[tuple[str, str]]:
        """What this account might have had from the task and has not, and why. The task has ended."""
        if self.me == self.solver and "price" not in self.paid:
            yield "no price", self._no_price()
        if self.me in self.drawn and "fee" not in self.paid:
            yield "no fee", self._no_fee()
        if (self.accused or self.me in self.disputed) and "reward" not in self.paid:
            yield "no reward", self._no_reward()

    def _no_price(self) -> str:
        if self.conceded:
            return "you conceded a fault of your machine; your stake is whole"
        if self.ruled:
            return "your result was ruled to be wrong"
        return {
            "not solved": "you did not commit to a result in time",
            "no match": "no verifier attested to your result",
            "not attested": "no verifier attested in time",
            "not drawn": "nobody drew verifiers in time",
            "not revealed": "you did not open your traces in time",
        }.get(self.reason, self.reason)

    def _no_fee(self) -> str:
        if not self.attested:
            return "you did not attest in time"
        if self.settled:
            return "the result held, and your attestation did not match"
        if self.conceded:
            return "the solver conceded a fault"
        if self.ruled:
            return "the result was ruled to be wrong: nobody has a fee"
        return f"the task was refunded: {self.reason}"

    def _no_reward(self) -> str:
        if self.conceded:
            return "the solver conceded a fault: nobody lost a stake"
        if self.ruled and self.ruled[0] != self.me:
            return "somebody else showed first that the result is wrong"
        if self.settled:
            opened = self.me in self.disputed
            return "you did not show that the result is wrong" if opened else "you did not open what you had sealed"
        return f"the task was refunded: {self.reason}"
