"""A market whose currency is hostile: it calls the contracts while they move money, or keeps a part of what it moves."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from assay.chain import Call, Client, Market, Role, Stakes, deploy
from assay.chain.abi import Abi
from assay.errors import Reverted
from assay.market import quote
from assay.market.terms import terms, work

from .arena import WINDOWS, Arena
from .balance import balance
from .outcome import Outcome

__all__ = ["HostileToken"]

GIFT = 10**10
"""What a hostile token gives to whoever asks, in its smallest unit."""


@cache
def _artifact(name: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(files(__package__).joinpath("tokens", f"{name}.json").read_bytes())
    return found


class _Token:
    """A hostile currency on the chain, in the hands of whoever deployed it."""

    def __init__(self, client: Client, name: str) -> None:
        artifact = _artifact(name)
        self.client, self.abi = client, Abi(artifact["abi"])
        self.address = client.send(Call("", bytes.fromhex(artifact["bytecode"]))).contract

    def send(self, name: str, *arguments: Any) -> None:
        self.client.send(Call(self.address, self.abi.encode(name, *arguments)))

    def view(self, name: str, *arguments: Any) -> Any:
        return self.abi.decode(name, self.client.call(Call(self.address, self.abi.encode(name, *arguments))))


@dataclass
class _Count:
    """What was tried, and what went through that should not have."""

    tried: int = 0
    breaches: list[str] = field(default_factory=list)

    def refused(self, what: str, attempt: Any) -> None:
        """Try something that has to revert."""
        self.tried += 1
        try:
            attempt()
        except Reverted:
            return
        self.breaches.append(what)

    def holds(self, what: str, condition: bool) -> None:
        """Check something that has to be so."""
        self.tried += 1
        if not condition:
            self.breaches.append(what)


@dataclass(frozen=True)
class HostileToken:
    """Deploys a market of its own on the network's chain: the real contracts, with a currency that attacks them."""

    name: str = "hostile_token"
    sentence: str = "whoever deploys the currency lets it call back, or keep a part of every transfer"

    def prepare(self, arena: Arena) -> None:
        """Nothing."""

    def run(self, arena: Arena) -> Outcome:
        """Try both currencies against market and stakes; the network's own money is not touched."""
        started, block = time.monotonic(), arena.client.head().number
        stranger = arena.stranger(self.name)
        before, count = arena.books(), _Count()
        client = stranger.session.client
        _keeps_a_part(arena, client, count)
        _calls_back(arena, client, count)
        outcome = balance(self.name, arena, before, arena.books(), block, [], [self.name], started)
        by = "the contracts: " + (", ".join(count.breaches) or f"{count.tried} checks held")
        good = not count.breaches
        return msgspec.structs.replace(outcome, caught=good, by=by, harmless=good)


def _keeps_a_part(arena: Arena, client: Client, count: _Count) -> None:
    """Money that did not arrive is not booked."""
    token = _Token(client, "taxed")
    found = deploy(client, token=token.address)
    market, stakes = Market(client, found.market, found.block), Stakes(client, found.stakes)
    token.send("faucet")
    for contract in (market.address, stakes.address):
        token.send("approve", contract, GIFT)
    count.refused("a taxed escrow", lambda: _post(arena, market))
    count.refused("a taxed deposit", lambda: market.deposit(10**6))
    count.refused("a taxed stake", lambda: stakes.register(Role.SOLVER, stakes.minimum(Role.SOLVER), "http://x"))
    count.holds("booked", market.owed(client.address) == 0 and token.view("balanceOf", market.address) == 0)


def _calls_back(arena: Arena, client: Client, count: _Count) -> None:
    """A call from within a transfer is refused, and every coin that is owed is there."""
    token = _Token(client, "calling")
    found = deploy(client, token=token.address)
    market, stakes = Market(client, found.market, found.block), Stakes(client, found.stakes)
    token.send("faucet")
    token.send("transfer", token.address, GIFT // 2)
    for contract in (market.address, stakes.address):
        token.send("approve", contract, GIFT)
    # Something is owed to the token itself, so that a second withdrawal in its name would be worth something.
    token.send("act", token.address, token.abi.encode("approve", market.address, GIFT))
    token.send("act", market.address, market.abi.encode("deposit", 10**6))
    withdrawal = market.abi.encode("withdraw")
    with_call: dict[str, Callable[[], object]] = {
        "post": lambda: _post(arena, market),
        "deposit": lambda: market.deposit(10**6),
        "withdraw": market.withdraw,
        "register": lambda: stakes.register(Role.VERIFIER, stakes.minimum(Role.VERIFIER), "http://x"),
        "its own withdrawal": lambda: token.send("act", market.address, withdrawal),
    }
    for name, call in with_call.items():
        planted = (market.address, withdrawal)
        if name == "register":
            # The market is not busy then, and may pay; what must not happen is a second registration for one payment.
            planted = (stakes.address, stakes.abi.encode("register", Role.VERIFIER, 0, "http://x"))
        token.send("plant", *planted)
        call()
        count.holds(f"{name} is not re-entered", token.view("attempts") == 1 and not token.view("went_through"))
        held = token.view("balanceOf", market.address)
        owed = market.owed(client.address) + market.owed(token.address)
        count.holds(f"{name} books what is there", held == owed + _escrow(arena, market))


def _task(arena: Arena, market: Market) -> tuple[Any, Any]:
    package = arena.package(arena.submitter.session.store, "hostile_token")
    price = quote(package.program, package.spec, 10**12)
    return terms(package, price, WINDOWS), work(package, price, WINDOWS)


def _post(arena: Arena, market: Market) -> str:
    return market.post(secrets.token_hex(32), *_task(arena, market))


def _escrow(arena: Arena, market: Market) -> int:
    return market.escrow_of(_task(arena, market)[0])
