"""A receipt as a table."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from assay.words import Receipt
from assay.words.units import amount

from .output import console

__all__ = ["show_receipt"]


def show_receipt(receipt: Receipt, more: Mapping[str, str] | None = None) -> None:
    """Print who was paid, refunded and caught; `more` are further lines."""
    table = Table(title="Receipt", show_header=False, title_justify="left")
    colour = "green" if receipt.outcome == "settled" else "yellow"
    table.add_row("outcome", f"[{colour}]{receipt.outcome}[/]: {receipt.reason}")
    table.add_row("task", receipt.task)
    table.add_row("escrow", amount(receipt.escrow))
    names = {receipt.solver: "solver", receipt.submitter: "submitter"} | dict.fromkeys(receipt.verifiers, "verifier")
    for account, value in receipt.payments.items():
        verb = "back to" if account == receipt.submitter else "paid to"
        table.add_row(f"{verb} {names.get(account, 'account')}", f"{amount(value)}  {account}")
    for caught in receipt.caught:
        table.add_row("caught", f"{caught.role} {caught.who}\nat step {caught.step}: {caught.reason}\nby {caught.by}")
    if receipt.state_root and receipt.outcome == "settled":
        table.add_row("final state", receipt.state_root)
    for name, value in (more or {}).items():
        table.add_row(name, value)
    console.print(table)
