"""`assay conformance`: how much of ONNX the engine covers, by the standard's own node tests."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from assay.errors import MismatchError, NotFoundError, UsageError

from .output import answer, emit, escape, say

__all__ = ["conformance"]


def conformance(
    text: Annotated[str, typer.Option("--filter", help="Only tests whose name or operator contains this.")] = "",
    engine: Annotated[str, typer.Option(help="exact (through LLVM) or clear (the obvious interpreter).")] = "exact",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run ONNX's own node tests: per operator, how many pass, are not covered (and why), or are wrong.

    Exit code 3 if any is wrong.
    """
    if engine not in ("exact", "clear"):
        raise UsageError(f"no such engine: {engine}", hint="Engines are exact and clear.")
    import onnx

    from assay.engine.conformance import Tally, run

    started, tally = time.perf_counter(), Tally()
    wanted = text.lower()
    results = run(engine, lambda name, operator: wanted in name.lower() or wanted in operator.lower())
    for number, result in enumerate(results, 1):
        tally.add(result)
        if result.outcome == "wrong":
            say(f"[red]wrong[/] {escape(result.case)}: {escape(result.reason[:400])}")
        if number % 200 == 0:
            say(f"[dim]{number} tests, {time.perf_counter() - started:.0f} s[/]")
    if not tally.operators:
        raise NotFoundError(f"no test of ONNX {onnx.__version__} has {text!r} in its name", filter=text)
    counts = {"passed": tally.passed, "unsupported": tally.unsupported, "wrong": tally.wrong}
    seconds = round(time.perf_counter() - started, 1)
    report = {**counts, "operators": tally.operators, "onnx": onnx.__version__, "engine": engine, "seconds": seconds}
    if as_json:
        emit(report)
    else:
        _show(report)
    if tally.wrong:
        names = [name for entry in tally.operators.values() for name in entry["wrong"]]
        if as_json:  # the report is the one object on stdout
            say(f"[red]{tally.wrong} wrong[/]: {escape(', '.join(names[:5]))}")
            raise typer.Exit(MismatchError.exit_code)
        raise MismatchError(
            f"{tally.wrong} of ONNX's tests came out wrong: {', '.join(names[:5])}",
            hint="Run them alone with --filter; compare --engine clear.",
            wrong=names,
        )


def _show(report: dict[str, Any]) -> None:
    from rich.table import Table

    caption = f"ONNX {report['onnx']}, engine {report['engine']}, {report['seconds']} s"
    table = Table("operator", "passed", "unsupported", "wrong", "why unsupported", caption=caption)
    for operator, entry in sorted(report["operators"].items()):
        reasons = "\n".join(f"{count} x {escape(why)}" for why, count in entry["unsupported"].items())
        counts = (str(entry["passed"]), str(sum(entry["unsupported"].values())), str(len(entry["wrong"])))
        table.add_row(escape(operator), *counts, reasons)
    totals = (f"[bold]{report[name]}[/]" for name in ("passed", "unsupported", "wrong"))
    table.add_row("[bold]all[/]", *totals, "")
    answer(table)
