"""When a whistleblower joins and when it leaves: as often as others leave it something to find, and no longer."""

from __future__ import annotations

from assay import chain
from assay.chain import Event, Member
from assay.chain.event import abi_of, decode_event
from assay.economics import Seen, room
from assay.words.units import amount, seconds

from .session import Session

__all__ = ["RECENT", "WINDOW", "Membership", "seen_of"]

RECENT = 50
"""How many tasks are tasks of late."""

WINDOW = 50_000
"""Blocks in which they are looked for."""

REWARD = 25
"""What of a lost collateral goes to whoever has shown why it is lost, in percent (market.vy)."""

ROLE = chain.Role.WHISTLEBLOWER
PERCENT = 10_000
"""Parts per million."""


class Membership:
    """One whistleblower's place in the stakes' list, or the lack of one."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._said = ""

    def review(self, url: str) -> bool:
        """Join, leave, or take back what has unlocked; returns whether this whistleblower is a member now.

        Of too many, those leave that stand behind the others in the list: if all did, there would be none the next moment.
        """
        session = self.session
        member = session.stakes.member(session.address, ROLE)
        active, number = bool(member.stake) and not member.unlocks, session.stakes.count(ROLE)
        if member.unlocks:
            self._take_back(member)
            return False
        places = self.places()
        if active and member.index >= places:
            session.stakes.leave(ROLE)
            session.log.info("left", reason=f"{number} whistleblowers, and the tasks of late feed {places}")
            return False
        if active:
            self._answer_at(url)
            return True
        if number >= places:
            self._say(f"{number} whistleblowers patrol, and the tasks of late feed {places}")
            return False
        return self._join(url)

    def places(self) -> int:
        """How many whistleblowers the tasks of late feed, or as many as this one wants beside it and itself."""
        settings, seen = self.session.settings, self.seen()
        if seen is None:
            return 0
        return min(settings.others + 1, room(seen, settings.share * PERCENT, settings.doubt * PERCENT))

    def seen(self) -> Seen | None:
        """The tasks of late; None if there were none."""
        client, contracts = self.session.client, self.session.network.contracts
        abi, head = abi_of("market"), client.head().number
        topics = [[abi.topic(name) for name in ("Posted", "Committed", "Ruled")]]
        logs = client.logs(max(contracts.block, head - WINDOW), head, [contracts.market], topics)
        decoded = (decode_event({contracts.market: "market"}, log) for log in logs)
        return seen_of([event for event in decoded if event is not None])

    def _join(self, url: str) -> bool:
        session, me = self.session, self.session.address
        stakes, token = session.stakes, session.token
        needed = stakes.minimum(ROLE)
        if token.balance_of(me) < needed and not token.granted(me):
            token.faucet()
        balance = token.balance_of(me)
        if balance < needed:
            self._say(f"the stake is {amount(needed)}, and {me} has {amount(balance)}")
            return False
        token.approve(stakes.address, needed)
        stakes.register(ROLE, needed, url)
        session.log.info("staked", amount=amount(needed, token.symbol()), account=me)
        return True

    def _take_back(self, member: Member) -> None:
        now = self.session.client.now()
        if now < member.unlocks:
            self._say(f"leaving: the stake unlocks in {seconds(member.unlocks - now)}")
        elif member.locked == 0 or member.locked < member.stake:
            self.session.stakes.withdraw(ROLE)
            self.session.log.info("unstaked", amount=amount(member.stake - member.locked, self.session.token.symbol()))

    def _answer_at(self, url: str) -> None:
        if self.session.stakes.endpoint_of(self.session.address, ROLE) != url:
            self.session.stakes.set_endpoint(ROLE, url)

    def _say(self, what: str) -> None:
        """Once, not at every look."""
        kind = what.split(":")[0] if what.startswith("leaving") else what
        if kind != self._said:
            self._said = kind
            self.session.log.info("not a member", reason=what)


def seen_of(events: list[Event]) -> Seen | None:
    """What the market's events Posted, Committed and Ruled say of the last RECENT tasks; None if there is no task."""
    posted = {event.task: event.args["terms"] for event in events if event.name == "Posted"}
    recent = list(posted)[-RECENT:]
    if not recent:
        return None
    committed = {event.task for event in events if event.name == "Committed"} & set(recent)
    wrong = {event.task for event in events if event.name == "Ruled" and event.args["upheld"]} & committed

    def mean(name: str) -> int:
        return sum(int(posted[task][name]) for task in recent) // len(recent)

    steps, interval = max(1, mean("steps")), max(1, mean("interval"))
    return Seen(
        committed=len(committed),
        wrong=len(wrong),
        price=mean("price"),
        steps=steps,
        intervals=-(-steps // interval),
        verifiers=max(1, mean("verifiers")),
        audit_intervals=max(1, mean("audit_intervals")),
        reward=mean("collateral") * REWARD // 100,
    )
