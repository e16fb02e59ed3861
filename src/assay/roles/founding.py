"""The first minute of a local network: a founder deploys the contracts, once, and the network gets its description."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import httpx2

from assay.chain import Client, deploy

from .account import open_key
from .network import Network, tls

__all__ = ["found_network"]


class Ground(Protocol):
    """What the founder needs of a local network."""

    folder: Path

    @property
    def network_file(self) -> Path:
        """Where the description goes."""

    def url(self, name: str) -> str:
        """Where a member answers."""

    def wait_for(self, name: str, ready: Callable[[], bool]) -> None:
        """Return when the member is ready."""


def found_network(devnet: Ground) -> Network:
    """Wait for chain and depot, deploy what is missing, write and return the network's description."""
    devnet.wait_for("chain", lambda: _answers(devnet.url("chain"), rpc=True))
    devnet.wait_for("depot", lambda: _answers(devnet.url("depot") + "/healthz"))
    if devnet.network_file.exists():
        return Network.load(devnet.network_file)
    with Client(devnet.url("chain"), open_key(devnet.folder / "chain")) as founder:
        # Contracts of a founding that was interrupted hold no money and are never heard of again.
        network = Network(devnet.url("chain"), deploy(founder), (devnet.url("depot"),))
    network.save(devnet.network_file)
    return network


def _answers(url: str, *, rpc: bool = False) -> bool:
    try:
        with httpx2.Client(timeout=2, trust_env=False, verify=tls()) as client:
            if rpc:
                body = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
                return client.post(url, json=body).status_code == 200
            return client.get(url).status_code == 200
    except httpx2.HTTPError:
        return False
