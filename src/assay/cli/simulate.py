"""`assay simulate`: what each way of taking part earns, by playing thousands of tasks under the protocol's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from assay.errors import UsageError

from .output import answer, emit, escape

if TYPE_CHECKING:
    from assay.economics.simulation import Estimate, Report

__all__ = ["simulate"]


def simulate(
    tasks: Annotated[int, typer.Option(help="Tasks that each strategy is played over.")] = 3000,
    seed: Annotated[int, typer.Option(help="What all chance is drawn from.")] = 1,
    population: Annotated[str, typer.Option(help="first (one solver, one verifier), local or main.")] = "local",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Play honest, lazy, cheating, colluding, Sybil and griefing strategies at the derived terms: what does each return?"""
    import msgspec

    from assay.economics import simulation

    if population not in simulation.POPULATIONS:
        raise UsageError(f"There is no population {population!r}.", hint=f"Known: {', '.join(simulation.POPULATIONS)}.")
    if not 100 <= tasks <= 1_000_000 or seed < 0:
        raise UsageError("At least 100 and at most 1,000,000 tasks are played, and a seed is not negative.")
    report = simulation.simulate(simulation.POPULATIONS[population], tasks, seed)
    if as_json:
        emit(msgspec.to_builtins(report))
    else:
        _show(report, simulation.POPULATIONS[population].sentence)


def _show(report: Report, sentence: str) -> None:
    from rich.table import Table

    from assay.words.units import amount

    def shown(found: Estimate) -> str:
        return f"{amount(round(found.mean))} ± {amount(round((found.high - found.low) / 2))}"

    table = Table(
        "strategy",
        "returns per task",
        "more than honesty",
        "loses",
        "what it does",
        title=f"{report.population}: {sentence}",
    )
    for name, found in report.honest.items():
        table.add_row(f"[green]honest {escape(name)}[/]", shown(found), "", "", "")
    for outcome in report.outcomes:
        verdict = "[green]yes[/]" if outcome.loses else "[red]NO[/]"
        table.add_row(
            escape(outcome.name), shown(outcome.returned), shown(outcome.advantage), verdict, escape(outcome.sentence)
        )
    for outcome in report.beyond:
        name, what = f"[dim]{escape(outcome.name)}[/]", f"{escape(outcome.sentence)} (beyond the assumptions)"
        table.add_row(name, shown(outcome.returned), shown(outcome.advantage), "yes" if outcome.loses else "no", what)
    answer(table)
    for line in report.patrols:
        mark = "  <- as many join" if line.number == report.whistleblowers else ""
        answer(f"[dim]whistleblowers[/] {line.number}: each earns {shown(line.income)} per task{mark}")
    levels = ", ".join(f"{level} {ratio:.2f}" for level, ratio in report.griefing.items())
    answer(f"[dim]griefing[/] the attacker pays, for each unit that the defender pays, when it leaves after {levels}")
    verdicts = {
        "dishonesty loses": report.dishonesty_loses,
        "honesty pays": report.honesty_pays,
        "money is conserved": report.conserved,
    }
    answer("  ".join(f"{name}: [{'green]yes' if held else 'red]NO'}[/]" for name, held in verdicts.items()))
