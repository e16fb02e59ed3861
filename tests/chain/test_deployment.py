"""Eight contracts that need each other's addresses: where they are, and what happens if somebody comes in between."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from assay.chain import Call, Client, Deployment, Games, Key, Market, Role, Stakes, deploy
from assay.chain.deployment import created_address
from assay.chain.node import Node
from assay.errors import ConfigError, MoneyError, NotFoundError


def test_a_contract_is_where_its_deployers_count_puts_it(client: Client) -> None:
    for _ in range(3):
        foretold = created_address(client.address, client.transaction_count())
        runtime = bytes.fromhex("600160005260206000f3")  # returns 1
        start = bytes([0x60, len(runtime), 0x80, 0x60, 0x0B, 0x60, 0x00, 0x39, 0x60, 0x00, 0xF3])
        assert client.send(Call("", start + runtime)).contract == foretold
        assert int.from_bytes(client.call(Call(foretold, b"")), "big") == 1


def test_the_address_of_the_yellow_paper() -> None:
    # Known from outside: the first three contracts of a well-known development key.
    deployer = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    assert created_address(deployer, 0) == "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    assert created_address(deployer, 1) == "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"
    assert created_address(deployer, 2) == "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0"


def test_the_contracts_know_each_other(client: Client) -> None:
    made = deploy(client)
    made.check(client)
    market, stakes, games = Market(client, made.market), Stakes(client, made.stakes), Games(client, made)
    assert (market.token(), stakes.token(), games._view("token")) == (made.token,) * 3
    assert (market.stakes(), market._view("game")) == (made.stakes, made.game)
    assert (stakes._view("market"), games._view("market")) == (made.market, made.market)
    assert (games._view("evidence"), games._view("trajectory")) == (made.evidence, made.trajectory)
    addresses = [getattr(made, name) for name in Deployment.__struct_fields__ if name not in ("chain_id", "block")]
    assert len({*addresses}) == 8
    assert all(client.code(address) for address in addresses)
    assert client.code(made.market) != client.code(made.game)


@pytest.mark.parametrize("after", [6, 7])
def test_a_transaction_in_between_is_noticed(url: str, connect: Callable[..., Client], after: int) -> None:
    """Money in a market whose game is somewhere else could never be disputed: it is not called a deployment."""
    client = connect(url)
    other, send, sent = connect(url, client._signer()), client.send, []

    def disturbed(call: Call) -> Any:
        sent.append(call)
        if len(sent) == after:
            other.send(Call(other.address, b""))
        return send(call)

    client.send = disturbed  # type: ignore[method-assign]
    with pytest.raises(MoneyError):
        deploy(client)
    client.send = send  # type: ignore[method-assign]
    deploy(client).check(client)


def test_a_deployment_is_kept_and_belongs_to_its_chain(
    url: str, connect: Callable[..., Client], tmp_path: Path, new_key: Callable[[], Key]
) -> None:
    client = connect(url)
    made = deploy(client, solver_minimum=5, verifier_minimum=6, whistleblower_minimum=7)
    made.save(tmp_path / "deployment.json")
    loaded = Deployment.load(tmp_path / "deployment.json")
    assert loaded == made
    stakes = loaded.connect(client)[1]
    assert [stakes.minimum(role) for role in Role] == [5, 6, 7]
    assert deploy(client, token=made.token).token == made.token
    with pytest.raises(NotFoundError):
        Deployment.load(tmp_path / "none.json")
    (tmp_path / "deployment.json").write_text('{"token": 1}')
    with pytest.raises(ConfigError, match="not a deployment"):
        Deployment.load(tmp_path / "deployment.json")
    for name in ("market", "game"):
        with pytest.raises(ConfigError, match=f"no {name}"):
            msgspec.structs.replace(made, **{name: new_key().address}).check(client)
    with Node(tmp_path / "chain.db", chain_id=99) as other, Client(other) as stranger:  # noqa: SIM117
        with pytest.raises(ConfigError, match="chain 31337"):
            made.check(stranger)
