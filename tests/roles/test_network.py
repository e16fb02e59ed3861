"""network.json: what a stranger needs to know, or a clear error."""

from __future__ import annotations

import json

import msgspec
import pytest

from assay.chain import Deployment
from assay.errors import ConfigError, NotFoundError
from assay.roles.network import Network
from assay.roles.session import Session
from assay.roles.settings import read_settings

FINE = Network("http://127.0.0.1:1", Deployment(*(f"0x{n}" for n in range(8)), 31337, 7), ("http://127.0.0.1:2",))


def test_round_trip(tmp_path):
    FINE.save(tmp_path / "network.json")
    assert Network.load(tmp_path / "network.json") == FINE
    assert (tmp_path / "network.json").stat().st_mode & 0o777 == 0o644, "it is made to be given away"


def test_no_network_says_how_to_start_one(tmp_path):
    with pytest.raises(NotFoundError, match=r"network\.json") as caught:
        Network.load(tmp_path / "network.json")
    assert "devnet up" in caught.value.hint


GOOD = msgspec.to_builtins(FINE)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'{"rpc": "\xff"}',
        json.dumps({name: value for name, value in GOOD.items() if name != "rpc"}).encode(),
        json.dumps(GOOD | {"more": 1}).encode(),
        json.dumps(GOOD | {"depots": "http://127.0.0.1:2"}).encode(),
        json.dumps(GOOD | {"contracts": GOOD["contracts"] | {"block": "7"}}).encode(),
    ],
    ids=["empty", "torn", "a list", "no text", "without rpc", "with more", "depots", "contracts"],
)
def test_what_is_wrong_names_the_file(tmp_path, data):
    (tmp_path / "network.json").write_bytes(data)
    with pytest.raises(ConfigError, match=r"network\.json") as caught:
        Network.load(tmp_path / "network.json")
    assert caught.value.evidence["path"] == str(tmp_path / "network.json")


def test_a_folder_is_no_network(tmp_path):
    with pytest.raises(NotFoundError):
        Network.load(tmp_path)


def test_a_session_is_not_opened_on_another_chain(tmp_path, chain):
    """A description that was left from another network must not lead to transactions on this one."""
    url, deployment = chain
    for contracts, told in (
        (msgspec.structs.replace(deployment, chain_id=1), "chain 1"),
        (msgspec.structs.replace(deployment, market="0x" + "12" * 20), "no market"),
        (msgspec.structs.replace(deployment, game="0x" + "12" * 20), "no game"),
    ):
        Network(url, contracts, ()).save(tmp_path / "network.json")
        with pytest.raises(ConfigError, match=told):
            Session.open("submitter", read_settings(folder=tmp_path / "submitter"))
    Network(url, deployment, ()).save(tmp_path / "network.json")
    session = Session.open("submitter", read_settings(folder=tmp_path / "submitter"))
    assert session.market.posted() == []
    session.client.close()
    session.fetcher.close()
