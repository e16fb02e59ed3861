"""`assay attack`: everything that we know how to try against the market, tried by real processes on a local network."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .network import JSON
from .output import answer, emit, escape, say

if TYPE_CHECKING:
    from assay.attack import Outcome, Summary

__all__ = ["attack"]


def attack(
    names: list[str] = typer.Argument(None, metavar="[NAME]...", help="Which ones; all without a name."),
    list_them: bool = typer.Option(False, "--list", help="Say what there is, and try nothing."),
    directory: Path | None = typer.Option(None, "--dir", help="Folder for the network; by default a temporary one."),
    as_json: bool = JSON,
) -> None:
    """Attack a local market in every way that is known, and balance everybody's books. Exit code 3 if one succeeds."""
    from assay.attack import chosen, run, summary
    from assay.observe import configure_log

    attacks = chosen(names or [])
    if list_them:
        for one in attacks:
            answer(f"{one.name:<18} {escape(one.sentence)}")
        return
    folder = (directory or Path(tempfile.mkdtemp(prefix="assay-attack-"))).resolve()
    configure_log(folder / "log.jsonl")
    started, outcomes = time.monotonic(), []
    say(f"{len(attacks)} attacks on a network in {escape(str(folder))}")
    for outcome in run(attacks, folder):
        outcomes.append(outcome)
        _show(outcome, as_json=as_json)
    total = summary(outcomes, started)
    _conclude(total, as_json=as_json)
    if total.failed:
        raise typer.Exit(3)


def _show(outcome: Outcome, *, as_json: bool) -> None:
    import msgspec

    from assay.words.units import amount

    if as_json:
        emit(msgspec.to_builtins(outcome))
        return
    word = "caught" if outcome.caught else "harmless" if outcome.harmless else "[red]succeeded[/]"
    sign = "" if outcome.repelled else "  [red]not repelled[/]"
    answer(
        f"{outcome.name:<18} {word:<9} attacker {amount(outcome.attacker_net):>14}  honest {amount(outcome.honest_min_net):>10}"
        f"  {outcome.rounds:>2} rounds {outcome.gas:>9} gas  {escape(outcome.by)}{sign}"
    )


def _conclude(total: Summary, *, as_json: bool) -> None:
    import msgspec

    if as_json:
        emit(msgspec.to_builtins(total))
        return
    say(f"{total.repelled} of {total.attacks} repelled in {total.seconds} s")
