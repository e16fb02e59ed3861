"""All that the chain says about one account: what `assay earnings` is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .client import Client
from .deployment import Deployment
from .event import Event, abi_of, decode_event
from .market import Market

__all__ = ["Statement", "statement"]

_TASKS_AT_ONCE = 50

_LEAST_SEAL = 2**128  # smaller words say that a seal was opened


@dataclass(frozen=True, slots=True)
class Statement:
    """The events of all tasks in which `account` had a part, of their disputes, of its stakes and its money, in order.

    `costs` has for each of their transactions who sent it and the wei that it cost. `contracts` are the addresses that hold
    money for others, `held` the ended tasks that still lock a part of the account's stake, until a `release`.
    """

    account: str
    events: tuple[Event, ...]
    costs: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    contracts: frozenset[str] = frozenset()
    held: frozenset[str] = frozenset()


def statement(client: Client, deployment: Deployment, account: str) -> Statement:
    """Read it. Asks for the account's own events, then for those of its tasks."""
    names = {getattr(deployment, name): name for name in ("token", "stakes", "market", "game")}
    me, head = "0x" + "00" * 12 + account[2:].lower(), client.head().number
    found: dict[tuple[int, int], Event] = {}

    def read(contract: str, *topics: str | list[str] | None) -> list[Event]:
        address = getattr(deployment, contract)
        logs = client.logs(deployment.block, head, [address], topics)
        return [event for log in logs if (event := decode_event(names, log)) is not None]

    def keep(events: Iterable[Event]) -> None:
        found.update({(event.block, event.log_index): event for event in events})

    own = read("market", None, None, me)
    drawn = (e for e in read("market", abi_of("market").topic("Drawn")) if account in e.args["verifiers"])
    ids = list(dict.fromkeys("0x" + event.task for event in (*own, *drawn)))
    for at in range(0, len(ids), _TASKS_AT_ONCE):
        some = ids[at : at + _TASKS_AT_ONCE]
        keep(read("market", None, some))
        keep(read("game", None, None, some))
    keep(read("market", None, me))
    keep(read("stakes", None, me))
    for topics in ((None, me), (None, None, me)):
        keep(read("token", *topics))
    events = tuple(found[place] for place in sorted(found))
    costs = client.costs(dict.fromkeys(event.transaction for event in events))
    held = _held(Market(client, deployment.market, deployment.block), account, events)
    return Statement(account, events, costs, frozenset(names) - {deployment.token}, held)


def _held(market: Market, account: str, events: Iterable[Event]) -> frozenset[str]:
    sealed = {e.task for e in events if e.name in ("Attested", "Accused") and account in e.args.values()}
    return frozenset(task for task in sealed if _locks(market, task, account))


def _locks(market: Market, task: str, account: str) -> bool:
    if market.accusing(task, account):
        return True
    return int(market.sealed(task, account), 16) >= _LEAST_SEAL and market.condemned_at(task) > 0
