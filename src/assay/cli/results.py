"""`assay tasks`, `watch`, `fetch` and `replay`: what became of a task, and whether it holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from assay.errors import MismatchError, NotFoundError, UsageError

from .network import DIR, JSON, NETWORK, submitter
from .output import answer, console, emit, say

if TYPE_CHECKING:
    from assay.market import Package, Quote
    from assay.roles.submitter import Submitter

__all__ = ["cancel", "conclude", "fetch", "follow", "replay", "tasks", "watch"]


def tasks(network: Path | None = NETWORK, directory: Path | None = DIR, as_json: bool = JSON) -> None:
    """List every task of the network with its state and who must act next."""
    import msgspec
    from rich.table import Table

    from assay.words.units import amount, seconds

    session = submitter(network, directory).session
    found = [session.market.task(task) for task in session.market.posted()]
    if as_json:
        emit({"tasks": [msgspec.to_builtins(task) | {"state": task.state.name.lower()} for task in found]})
        return
    now = session.client.now()
    symbol = session.token.symbol()
    table = Table("task", "state", "price", "waits for", "within")
    for task in found:
        due = "" if task.state.final else seconds(task.deadline - now)
        waits_for = "" if task.state.final else task.state.waits_for
        table.add_row(task.id[:12], task.state.name.lower(), amount(task.price, symbol), waits_for, due)
    answer(table if found else "no tasks yet")


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
    from assay.proof import check, read_manifest

    if not bundle.is_dir():
        raise NotFoundError(f"There is no proof bundle {bundle}.", hint="It is the folder `proof` that fetch writes.")
    if not (bundle / "manifest.json").exists() and (bundle / "proof").is_dir():
        raise UsageError(f"{bundle} is not a proof bundle.", hint=f"Give {bundle / 'proof'}.")
    with console.status("replaying"):
        found = check(bundle, lambda program: exact.compile(program, threads=threads), interval)
    receipt = read_manifest(bundle).receipt
    if receipt is not None and (receipt.spec, receipt.state_root) != (found.spec, found.final_root):
        raise MismatchError("The receipt in this bundle is of another result.", step=-1, spec=receipt.spec)
    if as_json:
        emit({"outcome": "holds"} | msgspec.to_builtins(found))
        return
    answer(
        f"[green]holds[/]: {found.steps} of {found.of} steps replayed bit for bit\n"
        f"task        {receipt.task if receipt else 'not named'}\nspec        {found.spec}\n"
        f"commitment  {found.root}\nfinal state {found.final_root}\n"
        "Who was paid is not part of the proof: compare the commitment with the chain's."
    )


def resolve(hands: Submitter, prefix: str) -> str:
    """The id of the one task that starts with `prefix`. Raises NotFoundError if it is none or several."""
    wanted = prefix.removeprefix("0x").lower()
    found = [task for task in hands.session.market.posted() if task.startswith(wanted)]
    if len(found) != 1:
        raise NotFoundError(f"{len(found) or 'No'} tasks start with {prefix}.", matches=found)
    return found[0]


def follow(hands: Submitter, task: str, price: Quote | None = None) -> None:
    """Show the task until it has ended."""
    from .view import LiveView

    try:
        with LiveView(price, symbol=hands.session.token.symbol()) as view:
            for snapshot in hands.follow(task, on_wait=view.wait):
                view.show(snapshot)
    except KeyboardInterrupt:
        say(f"The task goes on without you. See it with: assay watch {task[:12]}")
        raise


def cancel(
    task: str = typer.Argument(..., help="The task's id, or its first digits."),
    network: Path | None = NETWORK,
    directory: Path | None = DIR,
    as_json: bool = JSON,
) -> None:
    """Take back a task of yours that no solver has accepted yet, with its whole escrow."""
    hands = submitter(network, directory)
    task = resolve(hands, task)
    hands.session.market.cancel(task)
    conclude(hands, task, None, as_json=as_json)


def conclude(hands: Submitter, task: str, out: Path | None, *, as_json: bool, package: Package | None = None) -> None:
    """Print the receipt of an ended task; with `out` fetch its result; collect what the submitter is owed.

    With a `package` the result is judged too: losses by an own replay, accuracy on the held-out rows.
    """
    import msgspec

    from assay.roles.judge import judge

    from .receipts import describe, proof_line, show_receipt

    found = hands.receipt(task)
    result = msgspec.to_builtins(found)
    if found.submitter == hands.session.address:
        hands.collect()
    more: dict[str, str] = {}
    settled = found.outcome == "settled"
    if package is not None and settled:
        with console.status("replaying the last interval, judging the model"):
            judged = judge(hands.session, package, hands.trajectory(task))
        result |= judged
        more |= describe(judged)
    if out is not None and (settled or package is None):
        fetched = hands.fetch(task, out)
        result |= msgspec.to_builtins(fetched)
        more |= {"model": fetched.model, "receipt": fetched.receipt, "proof": proof_line(fetched.bundle)}
    elif settled and found.submitter == hands.session.address:
        more["result"] = f"assay fetch {task[:12]} -o FOLDER"
    show_receipt(found, hands.session.token.symbol(), more)
    if as_json:
        emit(result)
