"""How commands find the network and open a submitter's session on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from assay.roles.submitter import Submitter

__all__ = ["DIR", "JSON", "NETWORK", "submitter"]

NETWORK = typer.Option(None, "--network", help="The network's description; by default that of the local network.")
DIR = typer.Option(None, "--dir", help="Folder of this role: key, store, log.")
JSON = typer.Option(False, "--json", help="Print one JSON object as the last line.")


def network_file(network: Path | None) -> Path:
    """The description that the user named, or the local network's."""
    from assay.roles.home import default_devnet

    return network or default_devnet() / "network.json"


def submitter(network: Path | None, directory: Path | None) -> Submitter:
    """A submitter on the network; its key is made on first use."""
    from assay.observe import configure_log
    from assay.roles.session import Session
    from assay.roles.settings import read_settings
    from assay.roles.submitter import Submitter

    described = network_file(network)
    folder = (directory or described.parent / "submitter").resolve()
    configure_log(folder / "log.jsonl")
    return Submitter(Session.open("submitter", read_settings(folder=folder, network=described)))
