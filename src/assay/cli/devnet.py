"""`assay devnet`: a local network that keeps running."""

from __future__ import annotations

from pathlib import Path

import typer

from .output import answer, console, emit, escape, say

__all__ = ["app"]

app = typer.Typer(
    help="A local network: chain, depot, solvers, verifiers and whistleblowers, each a process of its own.",
    no_args_is_help=True,
)

DIR = typer.Option(None, "--dir", help="Folder of the network; by default under ASSAY_HOME.")
JSON = typer.Option(False, "--json", help="Print one JSON object.")


@app.command()
def up(
    directory: Path | None = DIR,
    solvers: int = typer.Option(2, min=1, max=16, help="How many solvers."),
    verifiers: int = typer.Option(2, min=1, max=16, help="How many verifiers."),
    whistleblowers: int = typer.Option(0, min=0, max=16, help="How many whistleblowers."),
    as_json: bool = JSON,
) -> None:
    """Start the network, or whatever of it does not run."""
    from assay.roles.devnet import Devnet, members
    from assay.roles.home import default_devnet

    devnet = Devnet(directory or default_devnet())
    devnet.plan(members(solvers, verifiers, whistleblowers=whistleblowers))
    kinds = [member.kind for member in devnet.members]
    found = [kinds.count(kind) for kind in ("solver", "verifier", "whistleblower")]
    if found != [solvers, verifiers, whistleblowers]:
        say(
            f"[yellow]This network has {found[0]} solvers, {found[1]} verifiers and {found[2]} whistleblowers already.[/]"
        )
    try:
        with console.status("starting"):
            network = devnet.up()
            devnet.settle_in()
    except KeyboardInterrupt:
        say("stopping what was started")
        devnet.down()
        raise
    if as_json:
        emit(
            {
                "folder": str(devnet.folder),
                "rpc": network.rpc,
                "network": str(devnet.network_file),
                "members": devnet.status(),
            }
        )
    say(f"running: {', '.join(member.name for member in devnet.members)}")
    say(escape(f"chain at {network.rpc}, network described in {devnet.network_file}"))


@app.command()
def down(directory: Path | None = DIR, as_json: bool = JSON) -> None:
    """End every process of the network; its money and tasks stay on disk."""
    from assay.roles.devnet import Devnet
    from assay.roles.home import default_devnet

    ended = Devnet(directory or default_devnet()).down()
    if as_json:
        emit({"ended": ended})
    say(f"ended: {', '.join(ended) or 'nothing was running'}")


@app.command()
def status(directory: Path | None = DIR, as_json: bool = JSON) -> None:
    """Which processes of the network run."""
    from assay.roles.devnet import Devnet
    from assay.roles.home import default_devnet

    found = Devnet(directory or default_devnet()).status()
    if as_json:
        emit({"members": found})
        return
    if not found:
        say("there is no network here; `assay devnet up` makes one")
    for name, pid in found.items():
        answer(f"{name:<12} {'running, process ' + str(pid) if pid else '[red]not running[/]'}")
