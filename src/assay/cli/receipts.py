"""A receipt as a table."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.table import Table
from rich.text import Text

from assay.words import Receipt
from assay.words.units import amount

from .output import console

__all__ = ["describe", "proof_line", "show_receipt"]


def show_receipt(receipt: Receipt, symbol: str, more: Mapping[str, str] | None = None) -> None:
    """Print who was paid, refunded and caught; `more` are further lines."""
    table = Table(title="Receipt", show_header=False, title_justify="left")
    table.add_column()
    table.add_column(overflow="fold")  # roots and ids are for copying: never cut
    colour = "green" if receipt.outcome == "settled" else "yellow"
    table.add_row("outcome", Text(f"{receipt.outcome}: {receipt.reason}", style=colour))
    table.add_row("task", receipt.task)
    table.add_row("escrow", amount(receipt.escrow, symbol))
    names = {receipt.solver: "solver", receipt.submitter: "submitter"} | dict.fromkeys(receipt.verifiers, "verifier")
    for account, value in receipt.payments.items():
        verb = "back to" if account == receipt.submitter else "paid to"
        table.add_row(f"{verb} {names.get(account, 'account')}", f"{amount(value, symbol)}  {account}")
    for caught in receipt.caught:
        table.add_row(
            "caught", Text(f"{caught.role} {caught.who}\nat step {caught.step}: {caught.reason}\nby {caught.by}")
        )
    for account, value in receipt.slashed.items():
        table.add_row(f"slashed {names.get(account, 'account')}", f"{amount(value, symbol)}  {account}")
    if receipt.ruling:
        table.add_row("ruling", receipt.ruling)
    if receipt.state_root and receipt.outcome == "settled":
        table.add_row("final state", receipt.state_root)
    for name, line in (more or {}).items():
        table.add_row(name, Text(line))
    console.print(table)


def describe(judged: Mapping[str, float | None]) -> dict[str, str]:
    """The submitter's own judgement as lines of a receipt."""
    lines: dict[str, str] = {}
    if judged["loss_first"] is not None:
        lines["loss"] = f"{judged['loss_first']:.4f} → {judged['loss_last']:.4f}"
    if judged["accuracy"] is not None:
        lines["accuracy"] = f"{judged['accuracy']:.2%} on held-out rows"
    return lines


def proof_line(bundle: str) -> str:
    """Where the proof is, and the command that checks it, ready to be pasted."""
    command = "assay" if Path(sys.argv[0]).parent == Path() else shlex.quote(sys.argv[0])
    return f"{bundle}\ncheck it with: {command} replay {shlex.quote(bundle)}"
