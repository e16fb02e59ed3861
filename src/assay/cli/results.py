"""`assay tasks`, `watch`, `fetch` and `replay`: what became of a task, and whether it holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from assay.errors import NotFoundError

from .network import DIR, JSON, NETWORK, submitter
from .output import console, emit, escape, say

if TYPE_CHECKING:
    from assay.market import Quote
    from assay.roles.submitter import Submitter

__all__ = ["conclude", "fetch", "follow", "replay", "tasks", "watch"]


def tasks(network: Path | None = NETWORK, directory: Path | None = DIR, as_json: bool = JSON) -> None:
    """List every task of the network with its state and who must act next."""
    import msgspec
    from rich.table import Table

    from assay.words.units import amount, seconds

    session = submitter(network, directory).session
    found = [session.market.task(session.market.task_at(i)) for i in range(session.market.task_count())]
    if as_json:
        emit({"tasks": [msgspec.to_builtins(task) | {"state": task.state.name.lower()} for task in found]})
        return
    now = session.client.now()
    table = Table("task", "state", "price", "waits for", "within")
    for task in found:
        due = "" if task.state.final else seconds(task.deadline - now)
        table.add_row(task.id, task.state.name.lower(), amount(task.price), task.state.waits_for, due)
    console.print(table if found else "no tasks yet")


def watch(
    task: str = typer.Argument(..., help="The task's id, or its first digits."),
    network: Path | None = NETWORK,
    directory: Path | None = DIR,
    as_json: bool = JSON,
) -> None:
    """Follow a task until it has ended, then print its receipt."""
    hands = submitter(network, directory)
    task = resolve(hands, task)
    follow(hands, task)
    conclude(hands, task, None, as_json=as_json)


def fetch(
    task: str = typer.Argument(..., help="The task's id, or its first digits."),
    out: Path = typer.Option(..., "-o", "--out", help="Folder for model, receipt and proof."),
    network: Path | None = NETWORK,
    directory: Path | None = DIR,
    as_json: bool = JSON,
) -> None:
    """Write a settled task's model.safetensors, receipt.json and proof bundle into a folder."""
    hands = submitter(network, directory)
    conclude(hands, resolve(hands, task), out, as_json=as_json)


def replay(
    bundle: Path = typer.Argument(..., help="A proof bundle: the folder `proof` that fetch writes."),
    interval: list[int] | None = typer.Option(None, "--interval", help="Replay only this interval; may be repeated."),
    threads: int = typer.Option(1, "--threads", min=1, help="Threads; the bits do not depend on it."),
    as_json: bool = JSON,
) -> None:
    """Check a proof offline by computing it again. Exit code 3: it does not hold, first at the step that is printed."""
    import msgspec

    from assay.engine import exact
    from assay.proof import check

    if not bundle.is_dir():
        raise NotFoundError(f"There is no proof bundle {bundle}.", hint="It is the folder `proof` that fetch writes.")
    with console.status("replaying"):
        found = check(bundle, lambda program: exact.compile(program, threads=threads), interval)
    if as_json:
        emit({"outcome": "holds"} | msgspec.to_builtins(found))
    say(f"[green]holds[/]: {found.steps} of {found.of} steps replayed bit for bit, final state {found.final_root}")


def resolve(hands: Submitter, prefix: str) -> str:
    """The id of the one task that starts with `prefix`. Raises NotFoundError if it is none or several."""
    wanted = prefix.removeprefix("0x").lower()
    market = hands.session.market
    found = [task for i in range(market.task_count()) if (task := market.task_at(i)).startswith(wanted)]
    if len(found) != 1:
        raise NotFoundError(f"{len(found) or 'No'} tasks start with {prefix}.", matches=found)
    return found[0]


def follow(hands: Submitter, task: str, price: Quote | None = None) -> None:
    """Show the task until it has ended."""
    from .view import LiveView

    with LiveView(price) as view:
        for snapshot in hands.follow(task):
            view.show(snapshot)


def conclude(hands: Submitter, task: str, out: Path | None, *, as_json: bool) -> None:
    """Print the receipt of an ended task; with `out` fetch its result; collect what the submitter is owed."""
    import msgspec

    from .receipts import show_receipt

    found = hands.receipt(task)
    result = msgspec.to_builtins(found)
    if found.submitter == hands.session.address:
        hands.collect()
    show_receipt(found)
    if out is not None:
        fetched = hands.fetch(task, out)
        result |= msgspec.to_builtins(fetched)
        say(escape(f"model    {fetched.model}\nreceipt  {fetched.receipt}\nproof    {fetched.bundle}"))
    if as_json:
        emit(result)
