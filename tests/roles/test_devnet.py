"""A local network goes down and comes up again with everybody's keys and money."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from assay.chain import Client, Role
from assay.errors import UsageError
from assay.roles.devnet import Devnet, members
from assay.roles.network import Network
from assay.roles.occupancy import occupant


def books(folder) -> dict[str, tuple[str, int, int]]:
    """(address, balance, stake) of every role, as the chain has it."""
    network = Network.load(folder / "network.json")
    found = {}
    with Client(network.rpc) as client:
        token, stakes, market = network.contracts.connect(client)
        for home in sorted(folder.glob("*-[0-9]")):
            address = "0x" + json.loads((home / "key.json").read_text())["address"]
            role = Role.SOLVER if home.name.startswith("solver") else Role.VERIFIER
            found[home.name] = (address, token.balance_of(address), stakes.stake_of(address, role))
        assert market.posted() == []
    return found


def endpoints(folder) -> list[str]:
    network = Network.load(folder / "network.json")
    with Client(network.rpc) as client:
        _, stakes, _ = network.contracts.connect(client)
        return [stakes.endpoint_of(address, Role.SOLVER) for address in stakes.active(Role.SOLVER)]


def check_privacy(network) -> None:
    """Folders and keys are the owner's alone."""
    assert network.stat().st_mode & 0o777 == 0o700
    for home in network.glob("*-[0-9]"):
        for secret in ("key.json", "passphrase"):
            assert (home / secret).stat().st_mode & 0o777 == 0o600, secret


def test_down_and_up_keeps_keys_money_and_stakes(tmp_path):
    network = tmp_path / "network"
    first = Devnet(network, attached=True)
    first.plan(members())
    try:
        first.up()
        first.settle_in()
        before, described = books(network), (network / "network.json").read_bytes()
        assert len(before) == 4
        assert all(stake > 0 for _, _, stake in before.values())
        pids = first.status()
        check_privacy(network)
    except BaseException:
        first.down()
        raise
    assert all(pids.values())
    assert sorted(first.down()) == sorted(pids)
    assert set(Devnet(network).status().values()) == {None}
    assert Devnet(network).down() == []

    again = Devnet(network, attached=True)
    try:
        again.plan(members(solvers=7))  # it has a plan already
        again.up()
        again.settle_in()
        assert set(again.status()) == set(pids)
        assert all(pid not in pids.values() for pid in again.status().values())
        assert books(network) == before, "nobody stakes twice, nobody draws from the faucet again"
        assert (network / "network.json").read_bytes() == described, "the contracts are not deployed again"
        assert len(set(endpoints(network))) == 2

        # Whoever dies is started again, with the same key.
        victim = again.status()["solver-1"]
        os.kill(victim, signal.SIGKILL)
        until = time.monotonic() + 60
        while (now := occupant(network / "solver-1")) in (None, victim) and time.monotonic() < until:
            time.sleep(0.05)
        assert now not in (None, victim)
        again.settle_in()
        assert books(network) == before
    finally:
        again.down()


@pytest.mark.parametrize(
    ("cheat", "dishonest"),
    [(None, []), ("weights", ["solver-1", "solver-2"]), ("echo", ["verifier-1"])],
)
def test_who_is_in_the_network(cheat, dishonest):
    found = members(cheat=cheat, threads=3)
    assert [m.name for m in found] == ["chain", "depot", "solver-1", "solver-2", "verifier-1", "verifier-2"]
    assert [m.name for m in found if "cheat" in m.options] == dishonest
    assert {m.options.get("threads") for m in found if m.kind in ("solver", "verifier")} == {"3"}


def test_an_empty_folder_is_no_network(tmp_path):
    devnet = Devnet(tmp_path / "nothing")
    assert devnet.members == []
    assert devnet.status() == {}
    assert devnet.down() == []
    assert not (tmp_path / "nothing").exists()


def test_a_cheat_that_nobody_knows():
    with pytest.raises((UsageError, KeyError)):
        members(cheat="bribery")


def test_the_users_own_settings_are_not_the_members(monkeypatch):
    from assay.roles.devnet import _environment

    monkeypatch.setenv("ASSAY_PASSPHRASE", "mine")
    monkeypatch.setenv("ASSAY_NETWORK", "/elsewhere/network.json")
    monkeypatch.setenv("ASSAY_HOME", "/home/of/mine")
    found = _environment()
    assert "ASSAY_PASSPHRASE" not in found
    assert "ASSAY_NETWORK" not in found
    assert found["ASSAY_HOME"] == "/home/of/mine"
    assert found["PATH"] == os.environ["PATH"]
