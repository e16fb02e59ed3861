"""What the chain of a demo says of everybody's money, to the last unit, while it runs or after it has ended."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from eth_utils.address import to_checksum_address

from assay.attack.books import BURN, Books, read_books
from assay.chain import Client, Games
from assay.chain.node import Node
from assay.roles.devnet import Devnet
from assay.roles.network import Network

MEMBERS = ("submitter", "solver-1", "solver-2", "verifier-1", "verifier-2")


@dataclass(frozen=True)
class Aftermath:
    """Addresses by member, the tasks that were posted, and where the money is."""

    accounts: dict[str, str]
    tasks: list[str]
    books: Books
    in_market: int
    """What the market holds: escrows, and what it owes."""
    in_games: int
    """What the game holds: bonds, and what it owes, but for what it owes to nobody because it is burned."""
    owed: int
    """What of both only has to be withdrawn by members."""

    @property
    def gained(self) -> dict[str, int]:
        """By member: what it owns beyond the grant that everybody began with."""
        return {name: self.books.owned[who] - self.books.grant for name, who in self.accounts.items()}

    @property
    def conserved(self) -> bool:
        """Whether all money that there is belongs to a member, was burned, or is held by a contract for one of them."""
        held = self.in_market + self.in_games - self.owed
        return held >= 0 and sum(self.books.owned.values()) + self.books.burned + held == self.books.supply

    @property
    def paid_out(self) -> bool:
        """Whether nothing is left for anybody to collect."""
        return self.in_market == self.in_games == 0

    def check_slash(self, solver: str, challenger: str, collateral: int) -> None:
        """The solver has lost its collateral: a quarter to the challenger, a quarter to the submitter, the rest is burned.

        Nobody else has lost anything but what another challenge, which this one has overtaken, still binds.
        """
        share, gained = collateral // 4, self.gained
        assert self.conserved
        assert len(self.tasks) == 1
        assert gained.pop(self.name(solver)) == -collateral
        assert gained.pop(self.name(challenger)) == gained.pop("submitter") == share
        assert self.books.burned == collateral - 2 * share
        assert sum(gained.values()) == -(self.in_market + self.in_games - self.owed)
        assert {name for name, gain in gained.items() if gain} <= {"verifier-1", "verifier-2"}

    def check_payment(self, quote: dict[str, int], solver: str, verifiers: list[str]) -> None:
        """The submitter has paid the quote, once, and exactly those who worked have it."""
        assert self.conserved
        assert len(self.tasks) == 1
        assert self.books.burned == 0
        earned = {self.name(solver): quote["price"]} | {self.name(verifier): quote["fee"] for verifier in verifiers}
        earned["submitter"] = -quote["escrow"]
        assert self.gained == {name: earned.get(name, 0) for name in MEMBERS}

    def name(self, address: str) -> str:
        """Which member has this address."""
        return next(name for name, who in self.accounts.items() if who == address)


def read(folder: Path, client: Client) -> Aftermath:
    """How things stand on the running chain of the demo in `folder`."""
    contracts = Network.load(folder / "network.json").contracts
    token, _, market = contracts.connect(client)
    games = Games(client, contracts)
    keys = {name: json.loads((folder / name / "key.json").read_text()) for name in MEMBERS}
    who = {name: to_checksum_address(key["address"]) for name, key in keys.items()}
    return Aftermath(
        who,
        market.posted(),
        read_books(client, contracts, who.values()),
        token.balance_of(market.address),
        token.balance_of(games.address) - games.owed(BURN),
        sum(market.owed(address) + games.owed(address) for address in who.values()),
    )


def paid_out(folder: Path, patience: float = 120) -> Aftermath:
    """How things stand when the members of the demo in `folder`, started once more, have taken all that is theirs."""
    devnet, until = Devnet(folder, attached=True), time.monotonic() + patience
    try:
        with Client(devnet.up().rpc) as client:
            while not (found := read(folder, client)).paid_out and time.monotonic() < until:
                time.sleep(0.3)
    finally:
        devnet.down()
    assert found.paid_out, found
    return found


def aftermath(folder: Path) -> Aftermath:
    """How things stand on the chain of the demo in `folder`, which has ended."""
    with Node(folder / "chain" / "chain.sqlite") as url, Client(url) as client:
        return read(folder, client)
