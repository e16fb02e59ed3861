"""Where the contracts are: made by `deploy`, kept as a small JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ..contracts import artifact
from ..errors import ConfigError, MoneyError, NotFoundError
from ..observe import write_json
from .client import Call, Client
from .event import abi_of
from .market import Market
from .stakes import Stakes
from .token import Token

__all__ = ["Deployment", "deploy"]


class Deployment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses of the contracts, the chain's id, and the first block that can hold their events."""

    token: str
    stakes: str
    market: str
    game: str
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
        if not client.code(self.market):
            raise ConfigError(f"{client.url} has no market at {self.market}", market=self.market)
        _, stakes, market = self.connect(client)
        found = {"stakes": market.stakes(), "game": market.game(), "market": stakes.market()}
        wrong = [name for name, address in found.items() if address != getattr(self, name)]
        if wrong:
            raise ConfigError(f"The contracts do not know each other: {', '.join(wrong)}.", **found)

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
    """Create stakes, market and game, and the play money unless `token` names an ERC-20. Stakes in its smallest unit.

    Stakes, market and game know each other: where each will be follows from the nonce of its deployment. Raises MoneyError
    if another transaction of the same key came in between; what was created then is useless and holds no money.
    """
    block = client.head().number + 1
    token = token or _create(client, "token")
    stakes, market, game = (client.next_address(ahead) for ahead in range(3))
    minima = (solver_minimum, verifier_minimum, whistleblower_minimum)
    _create(client, "stakes", token, market, *minima, unbonding, expected=stakes)
    _create(client, "market", token, stakes, game, expected=market)
    return Deployment(token=token, stakes=stakes, market=market, game=game, chain_id=client.chain_id, block=block)


def _create(client: Client, name: str, *arguments: Any, expected: str = "") -> str:
    receipt = client.send(Call("", artifact(name).bytecode + abi_of(name).constructor(*arguments)))
    if not receipt.contract or receipt.contract != (expected or receipt.contract):
        where = receipt.contract or "an unknown place"
        raise MoneyError(f"the chain put {name} to {where}", transaction=receipt.hash, expected=expected)
    return receipt.contract
