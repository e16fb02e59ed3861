"""`assay doctor`: what this machine can do for the market, measured."""

from __future__ import annotations

import os
import platform
import shutil
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import typer

from .output import answer, emit, escape

__all__ = ["doctor"]


def doctor(as_json: bool = typer.Option(False, "--json", help="Print one JSON object.")) -> None:
    """Check the installation and measure this machine."""
    report = examine()
    if as_json:
        emit(report)
        return
    for name, value in report.items():
        shown = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        answer(f"[dim]{name:>12}[/]  {escape(str(shown))}")
    missing = [name for name, found in report["packages"].items() if found == "MISSING"]
    answer(f"[red]missing: {', '.join(missing)}[/]" if missing else "[green]everything that a solver needs is there[/]")


def examine() -> dict[str, Any]:
    """The report: versions, memory (GiB), disk (GiB) and the engine's speed on the digits program (operations/s)."""
    from assay.roles.home import default_home

    packages = {}
    for name in ("llvmlite", "numpy", "onnx", "py-evm", "coincurve", "torch"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "absent (only capture needs it)" if name == "torch" else "MISSING"
    home = default_home()
    existing = next(p for p in (home, *home.parents) if p.exists())
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
    return {
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} threads",
        "memory_gib": round(pages / 2**30, 1),
        "disk_gib": round(shutil.disk_usage(existing).free / 2**30, 1),
        "home": str(home),
        "packages": packages,
        "engine": _measure(),
    }


def _measure() -> dict[str, Any]:
    """Compile the digits program and time a hundred of its steps on one thread."""
    import tempfile

    from assay.engine import exact
    from assay.market import read_task
    from assay.proof import Dataset, Runner, decode_state
    from assay.roles.digits import digits
    from assay.store import Store

    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        task = read_task(digits(), store)
        started = time.perf_counter()
        executable = exact.compile(task.program)
        compiled = time.perf_counter() - started
        runner = Runner(executable, task.spec, Dataset.parse(store.get(task.spec.dataset)))
        state = decode_state(store.get(task.spec.initial), task.program.state)
        runner.interval(state, 0, 5)
        started = time.perf_counter()
        runner.interval(state, 0, 100)
        taken = time.perf_counter() - started
    speed = task.program.cost.operations * 100 / taken
    return {
        "compile_s": round(compiled, 6),  # a program from the cache takes a few milliseconds
        "steps_per_s": round(100 / taken, 1),
        "giga_operations_per_s": round(speed / 1e9, 2),
    }
