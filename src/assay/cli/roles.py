"""`assay solver`, `assay verifier` and `assay whistleblower`: take part in a network from this machine."""

from __future__ import annotations

import shlex
from pathlib import Path

import typer

from .network import NETWORK, network_file
from .output import escape, say

__all__ = ["solver", "verifier", "whistleblower"]

DIR = typer.Option(None, "--dir", help="Folder of this role: key, stake, store, log. One process per folder.")
PORT = typer.Option(0, "--port", help="Port on 127.0.0.1 for progress and blobs; 0 takes a free one.")
THREADS = typer.Option(1, "--threads", min=1, help="Threads for the engine; the bits do not depend on it.")
RPC = typer.Option(None, "--rpc", help="Another RPC endpoint of the network's chain.")
LEAVE = typer.Option(False, "--leave", help="Give up the role instead; later, call it again to take the stake back.")


def solver(
    rate: int = typer.Option(1_000_000, "--rate", min=1, help="What you ask, in smallest units per 10^12 operations."),
    network: Path | None = NETWORK,
    directory: Path | None = DIR,
    port: int = PORT,
    threads: int = THREADS,
    rpc: str | None = RPC,
    leave: bool = LEAVE,
    cheat: str | None = typer.Option(None, "--cheat", hidden=True),
) -> None:
    """Sell this machine's time: stake, take tasks, train, commit, and be paid. Ctrl-C stops it; the stake stays."""
    _run("solver", network, directory, leave, port=port, threads=threads, rpc=rpc, rate=rate, cheat=cheat)


def verifier(
    network: Path | None = NETWORK,
    directory: Path | None = DIR,
    port: int = PORT,
    threads: int = THREADS,
    rpc: str | None = RPC,
    leave: bool = LEAVE,
    cheat: str | None = typer.Option(None, "--cheat", hidden=True),
) -> None:
    """Check others' work: stake, replay what the lot draws, attest, and be paid. Ctrl-C stops it; the stake stays."""
    _run("verifier", network, directory, leave, port=port, threads=threads, rpc=rpc, cheat=cheat)


def whistleblower(
    share: int = typer.Option(25, "--share", min=1, max=100, help="Percent of all tasks to look at."),
    replays: int = typer.Option(240, "--replays", min=0, help="Intervals to replay in an hour at most."),
    others: int = typer.Option(16, "--others", min=0, help="Join beside so many other whistleblowers at most."),
    doubt: int = typer.Option(25, "--doubt", min=0, max=100, help="Percent of results to take for wrong at first."),
    network: Path | None = NETWORK,
    directory: Path | None = DIR,
    port: int = PORT,
    threads: int = THREADS,
    rpc: str | None = RPC,
    leave: bool = LEAVE,
) -> None:
    """Check solvers and verifiers unasked: replay tasks at random while that pays, prove what is wrong, be rewarded."""
    own = {"share": share, "replays": replays, "others": others, "doubt": doubt}
    _run("whistleblower", network, directory, leave, port=port, threads=threads, rpc=rpc, **own)


def _run(kind: str, network: Path | None, directory: Path | None, leave: bool, **options: object) -> None:
    from assay.observe import configure_log
    from assay.roles.home import default_home
    from assay.roles.occupancy import occupied
    from assay.roles.process import open_role, run_role

    folder = (directory or default_home() / kind).resolve()
    configure_log(folder / "log.jsonl", show=not leave)
    with occupied(folder):
        if leave:
            say(escape(open_role(kind, folder, network=network_file(network), **options).leave()))
            return
        say(escape(f"{kind} in {folder}; the whole log is in {folder / 'log.jsonl'}"))
        try:
            run_role(kind, folder, network=network_file(network), **options)
        finally:
            again = f"assay {kind} --leave" + (f" --dir {shlex.quote(str(folder))}" if directory else "")
            stays = f"Still staked: tasks may be given to this {kind}."
            if kind == "whistleblower":
                stays = "Its stake stays, and so do its accusations."
            say(escape(f"{stays} Start it again, or leave with: {again}"))
