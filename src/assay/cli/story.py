"""`assay demo`: the whole story on this machine, from a network of six processes to the receipt."""

from __future__ import annotations

import shlex
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from assay.errors import UsageError

from .output import console, emit, say

if TYPE_CHECKING:
    from assay.market import Package, Quote
    from assay.roles.devnet import Devnet
    from assay.roles.submitter import Submitter
    from assay.words import Receipt

__all__ = ["demo"]

LABEL = "demo"
PATROL = 3
"""Seconds in which whistleblowers may accuse: they watch a demo as they watch anything, and are quick on one machine."""


def demo(
    directory: Path | None = typer.Option(
        None, "--dir", help="Folder of the network; a demo that was killed goes on there."
    ),
    cheat: str | None = typer.Option(
        None, "--cheat", help="Somebody cheats: weights, steps, order, rate, echo, or another of `assay attack`'s."
    ),
    threads: int = typer.Option(1, "--threads", min=1, help="Threads of each solver and verifier."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object as the last line."),
) -> None:
    """Train a real model in a market of six processes on this machine, replay it bit for bit, and pay or refund."""
    from assay.observe import configure_log
    from assay.roles.cheats import CHEATS
    from assay.roles.devnet import Devnet, members

    started = time.monotonic()
    if cheat is not None and cheat not in CHEATS:
        raise UsageError(f"There is no cheat {cheat!r}.", hint=f"Known: {', '.join(CHEATS)}.")
    folder = (directory or Path(tempfile.mkdtemp(prefix="assay-demo-"))).resolve()
    configure_log(folder / "demo.jsonl")
    devnet = Devnet(folder, attached=True)
    devnet.plan(members(cheat=cheat, threads=threads))
    if cheat != next((member.options["cheat"] for member in devnet.members if "cheat" in member.options), None):
        raise UsageError(f"The demo in {folder} was begun with another cheat, or none.", hint="Choose another folder.")
    say(
        f"[bold]assay demo[/]  in {folder}"
        + (f"\n[yellow]{CHEATS[cheat].role} {CHEATS[cheat].sentence}[/]" if cheat else "")
    )
    try:
        with console.status("starting chain, depot, 2 solvers and 2 verifiers"):
            devnet.up()
        receipt, result = _story(devnet, threads, cheat)
    except KeyboardInterrupt:
        say(f"stopping; go on with: assay demo --dir {shlex.quote(str(folder))}")
        raise
    finally:
        devnet.down()
    result["seconds"] = round(time.monotonic() - started, 1)
    _render(receipt, result)
    if as_json:
        emit(result)


def _story(devnet: Devnet, threads: int, cheat: str | None) -> tuple[Receipt, dict[str, Any]]:
    from assay.market import quote, read_task
    from assay.roles.digits import digits
    from assay.roles.session import Session
    from assay.roles.settings import read_settings
    from assay.roles.submitter import Submitter

    from .view import LiveView

    settings = read_settings(folder=devnet.folder / "submitter", network=devnet.network_file, threads=threads)
    submitter = Submitter(Session.open("submitter", settings))
    package = read_task(digits(), submitter.session.store)
    price = quote(package.program, package.spec)
    task = submitter.submit(package, price, _windows(lazy=cheat == "echo"), LABEL)
    say(f"task {task}")
    with LiveView(price, symbol="PLAY", program=lambda: package.program) as view:
        for snapshot in submitter.follow(task, on_wait=view.wait):
            view.show(snapshot)
    submitter.collect()
    receipt = submitter.receipt(task)
    return receipt, _result(submitter, package, price, receipt, devnet.folder / "result")


def _windows(*, lazy: bool) -> Any:
    from assay.market import Windows

    # Long enough for roles that are killed and started again on a busy machine. Only a verifier that neither matched nor
    # claims anything makes everybody wait for the last of these deadlines.
    return Windows(
        open_for=900,
        work_for=900,
        patrol_for=PATROL,
        attest_for=900,
        reveal_for=20 if lazy else 300,
        clock=600,
        extension=120,
    )


def _result(submitter: Submitter, package: Package, price: Quote, receipt: Receipt, folder: Path) -> dict[str, Any]:
    import msgspec

    from assay.roles.judge import judge

    task = receipt.task
    cheater = receipt.caught[0].who if receipt.caught else receipt.solver
    result: dict[str, Any] = {
        "outcome": receipt.outcome,
        "task": task,
        "steps": package.spec.steps,
        "state_root": receipt.state_root,
        "escrow": receipt.escrow,
        # Under a cheat, what the cheater got; else what the market paid for the work.
        "paid": receipt.payments.get(cheater, 0) if receipt.caught else receipt.paid,
        "refunded": receipt.refunded,
        "payments": receipt.payments,
        "reason": receipt.reason,
        "slashed": receipt.slashed,
        "ruling": receipt.ruling,
        "caught": msgspec.to_builtins(receipt.caught[0]) if receipt.caught else None,
        "quote": msgspec.to_builtins(price),
    }
    if receipt.outcome == "settled":
        fetched = submitter.fetch(task, folder)
        result |= judge(submitter.session, package, submitter.trajectory(task))
        result |= {"model": fetched.model, "receipt": fetched.receipt, "proof": fetched.bundle}
    return result


def _render(receipt: Receipt, result: dict[str, Any]) -> None:
    from .receipts import describe, proof_line, show_receipt

    more = {}
    if receipt.outcome == "settled":
        more = describe(result) | {"model": result["model"], "proof": proof_line(result["proof"])}
    show_receipt(receipt, "PLAY", more | {"time": f"{result['seconds']} s"})
