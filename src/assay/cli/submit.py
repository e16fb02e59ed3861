"""`assay submit`: quote, confirm, pay the escrow, watch."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from assay.errors import UsageError

from .network import DIR, JSON, NETWORK, submitter
from .output import console, emit, escape, say

if TYPE_CHECKING:
    from assay.market import Package, Quote
    from assay.store import Store

__all__ = ["read_submission", "submit"]


def submit(
    source: str = typer.Argument(
        ..., metavar="FILE.py[:function] | TASK.toml", help="Your PyTorch code, or a task file."
    ),
    yes: bool = typer.Option(False, "--yes", "-y", help="Pay the quoted escrow without asking."),
    rate: int = typer.Option(1_000_000, "--rate", min=1, help="Offer, in smallest units per 10^12 scalar operations."),
    out: Path | None = typer.Option(None, "-o", "--out", help="Fetch the result into this folder when it is there."),
    detach: bool = typer.Option(False, "--detach", help="Return as soon as the task is posted."),
    network: Path | None = NETWORK,
    directory: Path | None = DIR,
    as_json: bool = JSON,
) -> None:
    """Quote a task, pay its escrow, and watch it being solved and checked."""
    import msgspec

    from assay.chain import Role
    from assay.market import DEFAULT_RATE, Windows, quote

    from .results import conclude, follow

    hands = submitter(network, directory)
    package = read_submission(source, hands.session.store)
    price = quote(package.program, package.spec, rate)
    _show_quote(package, price, hands.session.token.symbol())
    if rate < DEFAULT_RATE:
        say(
            f"[yellow]Solvers ask {DEFAULT_RATE} by default: at {rate} nobody may take it.[/] `assay cancel` takes it back."
        )
    if not yes and not _agreed():
        raise UsageError("Nothing was paid and nothing was posted.", hint="Use --yes to skip the question.")
    watched = hands.session.stakes.count(Role.WHISTLEBLOWER) > 0
    windows = Windows.fitting(price, package.spec, watched=watched)
    begun = hands.unfinished(package)
    if begun:
        say("this task was begun before and has not ended: going on with it, nothing is paid twice")
    task = hands.submit(package, price, windows, begun or secrets.token_hex(8))
    say(f"task {task}")
    if detach:
        say(f"watch it with: assay watch {task[:12]}")
        if as_json:
            emit({"task": task, "quote": msgspec.to_builtins(price)})
        return
    follow(hands, task, price)
    conclude(hands, task, out, as_json=as_json, package=package)


def _agreed() -> bool:
    try:
        return typer.confirm("Pay this into escrow?", err=True)
    except typer.Abort:  # nobody is there to answer
        return False


def read_submission(source: str, store: Store) -> Package:
    """The task that `source` names, packaged into `store`. A Python file is the user's own and is run as such."""
    from assay.market import read_task

    name, _, function = source.partition(":")
    path = Path(name)
    if path.suffix == ".toml":
        return read_task(path, store)
    if path.suffix == ".py":
        from assay.market.job import package_job, read_job

        with console.status("making a task of your code"):
            return package_job(read_job(path, function or "task"), store)
    raise UsageError(
        f"{source!r} is neither a Python file nor a task file.", hint="Give FILE.py[:function] or TASK.toml."
    )


def _show_quote(package: Package, price: Quote, symbol: str) -> None:
    from assay.words.units import amount, count

    spec = package.spec
    say(
        f"[bold]{escape(spec.name)}[/]: {spec.steps} steps of {count(package.program.cost.operations)} operations, "
        f"{spec.intervals} intervals, each verifier replays {spec.audit.intervals}"
    )
    say(
        f"price {amount(price.price)} + {price.verifiers} verifiers × {amount(price.fee)} = "
        f"[bold]escrow {amount(price.escrow, symbol)}[/]; it is never exceeded"
    )
