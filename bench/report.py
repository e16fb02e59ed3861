"""The report of `scripts/bench engine`: means, the machine, the table."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from math import exp, log
from pathlib import Path
from typing import Any

from contenders import OTHERS

__all__ = ["geomeans", "machine", "print_report"]

Report = dict[str, Any]


def geomeans(workloads: dict[str, Report]) -> dict[str, float | None]:
    """Geometric means of the ratios over the training steps; a contender counts where it ran."""
    found: dict[str, float | None] = {}
    for name in (*OTHERS, "fastest"):
        ratios = [r["ratios"][name] for r in workloads.values() if r["training"] and r["ratios"][name] is not None]
        found[name] = round(exp(sum(map(log, ratios)) / len(ratios)), 3) if ratios else None
    return found


def machine(threads: int, repeat: int) -> Report:
    """What was measured on, and with what."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    packages = ("torch", "onnxruntime", "numpy", "llvmlite", "transformers")
    return {
        "cpu": cpu, "cores": os.cpu_count(), "threads": threads, "repeat": repeat,
        "load_average_before": round(os.getloadavg()[0], 2), "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }  # fmt: skip


def print_report(report: Report) -> None:
    """The tables."""
    if report["workloads"]:
        _print_workloads(report["workloads"])
    means = {name: value for name, value in report["geomean"].items() if value is not None}
    if means:
        print("geometric mean of their time over ours, training steps: " + _joined(means))
    for name, reason in report["refused"].items():
        print(f"{name} was not timed: {reason}")
    for part in ("product_1024", "compile"):
        if part in report:
            print(f"{part}: {_joined(report[part])}")
    print(f"machine: {_joined(report['machine'])}")


def _print_workloads(workloads: dict[str, Report]) -> None:
    heads = ("ms", "ours", "eager", "compile", "ort", "eager/ours", "compile/ours", "ort/ours", "fastest/ours")
    print(
        f"{heads[0]:<10}"
        + "".join(f"{head:>13}" for head in heads[1:])
        + f"{'scaling':>9}{'MiB ours, eager, ratio':>26}"
    )
    for name, r in workloads.items():
        times = "".join(_cell(r[f"{n}_ms"], r["threads"].get(n)) for n in ("ours", *OTHERS))
        ratios = "".join(_cell(r["ratios"][n]) for n in (*OTHERS, "fastest"))
        peak = r.get("peak_mib")
        memory = f"{peak['ours']:10.0f}{peak['torch_eager']:8.0f}{peak['ratio']:8.2f}" if peak else ""
        print(f"{name:<10}{times}{ratios}{r['scaling']:9.2f}{memory}")
    for name, r in workloads.items():
        for other, reason in r["reasons"].items():
            print(f"{name}: no {other}: {reason}")


def _cell(value: float | None, threads: int | None = None) -> str:
    if value is None:
        return f"{'-':>13}"
    suffix = f" ({threads})" if threads else ""
    return f"{f'{value:.2f}{suffix}':>13}"


def _joined(values: Report) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
