"""Where the contracts are: made by `deploy`, kept as a small JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import rlp
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from ..contracts import artifact
from ..errors import ConfigError, MoneyError, NotFoundError
from ..observe import write_json
from .client import Call, Client
from .contract import Token
from .event import abi_of
from .market import Market
from .stakes import Stakes

__all__ = ["Deployment", "created_address", "deploy"]


class Deployment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses of the contracts, the chain's id, and the first block that can hold their events."""

    token: str
    stakes: str
    market: str
    game: str
    evidence: str
    trajectory: str
    referee: str
    arithmetic: str
    rules: str
    jackpot: str
    chain_id: int
    block: int

    def save(self, path: Path) -> None:
        """Write the deployment to `path`."""
        write_json(path, msgspec.to_builtins(self), mode=0o644)

    @classmethod
    def load(cls, path: Path) -> Deployment:
        """Read a deployment. Raises NotFoundError or ConfigError."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError as error:
            raise NotFoundError(f"no deployment at {path}", path=str(path)) from error
        except msgspec.DecodeError as error:
            raise ConfigError(f"{path} is not a deployment: {error}", path=str(path)) from error

    def check(self, client: Client) -> None:
        """Raises ConfigError if the client's chain is another one, or does not have the contracts."""
        if client.chain_id != self.chain_id:
            why = f"the deployment is for chain {self.chain_id}, {client.url} is chain {client.chain_id}"
            raise ConfigError(why, expected=self.chain_id, found=client.chain_id)
        for name in ("market", "game"):
            address = getattr(self, name)
            if not client.code(address):
                raise ConfigError(f"{client.url} has no {name} at {address}", contract=name, address=address)
        _, stakes, market = self.connect(client)
        found = {"stakes": market.stakes(), "game": market.game(), "market": stakes.market()}
        wrong = sorted(name for name, address in found.items() if address != getattr(self, name))
        if wrong:
            raise ConfigError(f"the contracts do not know each other: {', '.join(wrong)}", **found)

    def connect(self, client: Client) -> tuple[Token, Stakes, Market]:
        """The contracts, as `client`."""
        return Token(client, self.token), Stakes(client, self.stakes), Market(client, self.market, self.block)


def deploy(
    client: Client,
    *,
    solver_minimum: int = 100 * 10**6,
    verifier_minimum: int = 50 * 10**6,
    whistleblower_minimum: int = 50 * 10**6,
    unbonding: int = 3600,
    token: str | None = None,
) -> Deployment:
    """Create all contracts, and the play money unless `token` names an ERC-20. Stakes in its smallest unit.

    Stakes, market, game and jackpot need each other's addresses, which follow from the deployer's address and count of
    transactions: nobody may send with this key meanwhile. Raises MoneyError if a contract is not where the others look for it.
    """
    block = client.head().number + 1
    token = token or _create(client, "token")
    arithmetic = _create(client, "arithmetic")
    referee = _create(client, "referee", arithmetic)
    evidence, trajectory = _create(client, "evidence", referee), _create(client, "trajectory")
    rules = _create(client, "rules")
    count = client.transaction_count()
    stakes, market, game, jackpot = (created_address(client.address, count + n) for n in range(4))
    minima = (solver_minimum, verifier_minimum, whistleblower_minimum)
    made = (
        _create(client, "stakes", token, market, *minima, unbonding),
        _create(client, "market", token, stakes, rules, game, jackpot),
        _create(client, "game", token, market, evidence, trajectory),
        _create(client, "jackpot", token, market),
    )
    if made != (stakes, market, game, jackpot):
        raise MoneyError(
            "the contracts are not where they look for each other", hint="Deploy again, with nothing between."
        )
    found = (token, stakes, market, game, evidence, trajectory, referee, arithmetic, rules, jackpot)
    return Deployment(*found, chain_id=client.chain_id, block=block)


def created_address(deployer: str, count: int) -> str:
    """Where the contract of an account's transaction number `count` will be (Ethereum yellow paper, section 7)."""
    encoded: bytes = rlp.encode([bytes.fromhex(deployer[2:]), count])
    return str(to_checksum_address(keccak(encoded)[12:]))


def _create(client: Client, name: str, *arguments: Any) -> str:
    receipt = client.send(Call("", artifact(name).bytecode + abi_of(name).constructor(*arguments)))
    if not receipt.contract:
        raise MoneyError(f"the chain did not say where it put {name}", transaction=receipt.hash)
    return receipt.contract
