"""`assay solver` and `assay verifier`: take part in a network from this machine."""

from __future__ import annotations

from pathlib import Path

import typer

from .network import NETWORK, network_file
from .output import escape, say

__all__ = ["solver", "verifier"]

DIR = typer.Option(None, "--dir", help="Folder of this role: key, stake, store, log. One process per folder.")
PORT = typer.Option(0, "--port", help="Port on 127.0.0.1 for progress and blobs; 0 takes a free one.")
THREADS = typer.Option(1, "--threads", min=1, help="Threads for the engine; the bits do not depend on it.")
RPC = typer.Option(None, "--rpc", help="Another RPC endpoint of the network's chain.")


def solver(
    rate: int = typer.Option(1_000_000, "--rate", min=1, help="What you ask, in smallest units per 10^12 operations."),
    network: Path | None = NETWORK,
    directory: Path | None = DIR,
    port: int = PORT,
    threads: int = THREADS,
    rpc: str | None = RPC,
    cheat: str | None = typer.Option(None, "--cheat", hidden=True),
) -> None:
    """Sell this machine's time: stake, take tasks, train, commit, and be paid. Ends with Ctrl-C."""
    _run("solver", network, directory, port=port, threads=threads, rpc=rpc, rate=rate, cheat=cheat)


def verifier(
    network: Path | None = NETWORK,
    directory: Path | None = DIR,
    port: int = PORT,
    threads: int = THREADS,
    rpc: str | None = RPC,
    cheat: str | None = typer.Option(None, "--cheat", hidden=True),
) -> None:
    """Check others' work: stake, replay the intervals that the lot draws, attest, and be paid. Ends with Ctrl-C."""
    _run("verifier", network, directory, port=port, threads=threads, rpc=rpc, cheat=cheat)


def _run(kind: str, network: Path | None, directory: Path | None, **options: object) -> None:
    from assay.observe import configure_log
    from assay.roles.home import default_home
    from assay.roles.occupancy import occupied
    from assay.roles.process import run_role

    folder = (directory or default_home() / kind).resolve()
    configure_log(folder / "log.jsonl")
    with occupied(folder):
        say(escape(f"{kind} in {folder}; log in {folder / 'log.jsonl'}"))
        run_role(kind, folder, network=network_file(network), **options)
