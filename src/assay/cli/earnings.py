"""`assay earnings`: what an account earned, lost and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from assay.errors import NotFoundError, UsageError

from .network import JSON, NETWORK, network_file
from .output import answer, emit, escape

if TYPE_CHECKING:
    from assay.settle import Earnings

__all__ = ["earnings"]


def earnings(
    directory: Path | None = typer.Option(None, "--dir", help="Folder of a role, whose account is meant."),
    account: str | None = typer.Option(None, "--account", help="An account's address instead."),
    network: Path | None = NETWORK,
    rpc: str | None = typer.Option(None, "--rpc", help="Another RPC endpoint of the network's chain."),
    as_json: bool = JSON,
) -> None:
    """Tell what a solver, verifier, whistleblower or submitter earned and lost, task by task, and why not more."""
    import msgspec

    from assay.chain import Client, statement
    from assay.roles.network import Network
    from assay.settle import earnings as lines_of

    me = _account(directory, account)
    beside = directory.resolve().parent / "network.json" if directory else None
    described = Network.load(network or (beside if beside and beside.exists() else network_file(None)))
    with Client(rpc or described.rpc) as client:
        made = lines_of(statement(client, described.contracts, me))
        symbol = described.contracts.connect(client)[0].symbol()
    if as_json:
        emit(msgspec.to_builtins(made) | {"net": made.net, "worth": made.worth})
        return
    _show(made, symbol)


def _account(directory: Path | None, account: str | None) -> str:
    """The address that is meant. Raises UsageError or NotFoundError."""
    from eth_utils.address import is_address, to_checksum_address

    from assay.observe import read_json

    if (directory is None) == (account is None):
        raise UsageError("Give either --dir or --account.")
    if directory is not None:
        key = read_json(directory / "key.json")
        if key is None:
            raise NotFoundError(f"There is no key in {directory}.", hint="Give the folder of a role, as to its --dir.")
        account = "0x" + str(key["address"]).removeprefix("0x")
    if account is None or not is_address(account):
        raise UsageError(f"{account} is not an address.")
    return str(to_checksum_address(account))


def _show(made: Earnings, symbol: str) -> None:
    from rich.table import Table

    from assay.words.units import amount

    table = Table("task", "role", "what", "amount", "why")
    table.columns[3].justify = "right"
    for line in made.lines:
        value = amount(line.amount) if line.amount else ""
        table.add_row(line.task[:12], line.role, line.what, value, escape(line.why))
    answer(table if made.lines else "nothing yet")
    answer(
        f"earned {amount(made.earned, symbol)}, lost {amount(made.lost, symbol)}, net {amount(made.net, symbol)}; "
        f"gas {made.gas} wei; {amount(made.worth, symbol)} in all"
    )
