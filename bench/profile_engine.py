"""Where the exact engine's time goes: each step of a compiled program timed by itself, on one thread, at its quickest of N runs.

    scripts/bench profile_engine --only gpt [--repeat N] [--top N] [--steps] [--json]

Steps of equal form are one row. `Gop/s` counts 2 operations per multiply-add of a product and 1 per statement
elsewhere; `GB/s` counts each tensor of a step once. `alone` marks rows that one thread runs while the others wait
(too small to share, or not shareable), as the plan for two threads has it. The last line has the time of a whole run
through `Executable.run`, which also takes fresh memory for the outputs from the system.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np
from workloads import WORKLOADS

from assay.engine.exact import Executable, compile
from assay.engine.exact.form import Form
from assay.engine.exact.native import machine
from assay.engine.exact.plan import Plan, plan
from assay.engine.exact.product import match
from assay.program import Program, load

Array = np.ndarray[Any, Any]


@dataclass
class Row:
    """The steps of one form together; seconds are the least of each step, added up."""

    kind: str
    what: str
    steps: int
    seconds: float
    operations: float
    bytes: float
    shared: bool
    example: str


def step_times(engine: Executable, planned: Plan, inputs: dict[str, Array], repeat: int) -> list[float]:
    """Least seconds of each step, all run in order on this thread as a run does."""
    kind = ctypes.CFUNCTYPE(None, *([ctypes.c_void_p] * 2), *([ctypes.c_int64] * 2), ctypes.c_void_p)
    arrays = [np.ascontiguousarray(inputs[port.name], port.dtype.numpy) for port in engine.program.inputs]
    made = [np.empty(shape, dtype) for _, shape, dtype in engine._fresh]
    engine._tensors[engine._varying] = [array.ctypes.data for array in (*arrays, *made)]
    tensors, scratch = engine._tensors.ctypes.data, engine._scratch[0].ctypes.data
    calls = [
        (kind(int(row[0])), tensors, int(row[1]), 0, int(row[2]), scratch)
        for _, row in zip(planned.steps, engine._steps, strict=False)
    ]
    times: list[list[float]] = [[] for _ in calls]
    for n in range(repeat + 1):
        for (function, *args), taken in zip(calls, times, strict=True):
            start = time.perf_counter()
            function(*args)
            if n:
                taken.append(time.perf_counter() - start)
    return [min(taken) for taken in times]


def kind_of(form: Form) -> str:
    """What sort of loop nest the engine makes of a form."""
    if form.target:
        return "scatter"
    if match(form, machine()) is not None:
        return (
            "convolution" if any(getattr(arg, "checks", ()) for arg in form.args()) or len(form.fold) > 1 else "product"
        )
    if form.fold:
        return "fma fold" if form.statements[-1].op == "fma" else "fold"
    gathers = any(check.via is not None for arg in form.args() for check in getattr(arg, "checks", ()))
    return "gather" if gathers else "element-wise"


def describe(form: Form) -> str:
    """Domain, fold and operations, shortly."""
    ops = Counter(statement.op for statement in form.statements)
    names = " ".join(f"{op}·{n}" if n > 1 else op for op, n in ops.most_common(6)) + (" …" if len(ops) > 6 else "")
    extents = "x".join(map(str, form.domain)) or "1"
    folded = f" over {'x'.join(map(str, form.fold))}" if form.fold else ""
    return f"{extents}{folded}: {names}"


def whole_time(engine: Executable, inputs: dict[str, Array], repeat: int) -> float:
    """Least seconds of a run."""
    taken = []
    for _ in range(repeat + 1):
        start = time.perf_counter()
        engine.run(inputs)
        taken.append(time.perf_counter() - start)
    return min(taken[1:])


def table(program: Program, inputs: dict[str, Array], repeat: int, each: bool) -> tuple[list[Row], float]:
    """The rows, slowest first (one per step if `each`), and the seconds of a whole run."""
    planned, engine = plan(program), compile(program, threads=1)
    shared = compile(program, threads=2)._steps[:, 5]
    sizes = {port.name: port.nbytes for port in program.inputs}
    sizes |= {name: array.nbytes for name, array in program.constants.items()}
    sizes |= {kernel.output: prod(kernel.shape) * kernel.dtype.numpy.itemsize for kernel in program.kernels}
    rows: dict[int, Row] = {}
    times = step_times(engine, planned, inputs, repeat)
    for n, (step, seconds) in enumerate(zip(planned.steps, times, strict=True)):
        form = planned.forms[step.form]
        kind = kind_of(form)
        key = n if each else step.form
        row = rows.setdefault(key, Row(kind, describe(form), 0, 0.0, 0.0, 0.0, bool(shared[n]), step.tensors[0]))
        row.steps, row.seconds = row.steps + 1, row.seconds + seconds
        row.operations += 2 * prod(form.extents) if kind in ("product", "convolution", "fma fold") else form.points
        row.bytes += sum(sizes[tensor] for tensor in dict.fromkeys(step.tensors))
    return sorted(rows.values(), key=lambda row: -row.seconds), whole_time(engine, inputs, repeat)


def print_table(rows: list[Row], whole: float, top: int) -> None:
    """The slowest `top` rows, then the sums by kind."""
    total = sum(row.seconds for row in rows)
    print(f"{'ms':>9} {'%':>5} {'n':>4} {'Gop/s':>7} {'GB/s':>7}  kind          what, and a tensor that it makes")
    for row in rows[:top]:
        alone = "" if row.shared else " (alone)"
        print(f"{_figures(row, total)}  {row.kind + alone:<13} {row.what}  → {row.example}")
    print()
    for kind in dict.fromkeys(row.kind for row in rows):
        of = [row for row in rows if row.kind == kind]
        sums = [sum(getattr(row, name) for row in of) for name in ("steps", "seconds", "operations", "bytes")]
        print(f"{_figures(Row(kind, '', *sums, True, ''), total)}  {kind}")
    alone = sum(row.seconds for row in rows if not row.shared)
    count = sum(row.steps for row in rows)
    print(f"{1e3 * total:9.2f} ms in {count} steps, {1e3 * alone:.2f} ms of it alone; {1e3 * whole:.2f} ms a whole run")


def _figures(row: Row, total: float) -> str:
    seconds = max(row.seconds, 1e-9)
    return (
        f"{1e3 * row.seconds:9.3f} {100 * row.seconds / total:5.1f} {row.steps:4d} "
        f"{1e-9 * row.operations / seconds:7.1f} {1e-9 * row.bytes / seconds:7.1f}"
    )


def main() -> None:
    """Profile the named workloads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", required=True, help=f"one or more of {', '.join(WORKLOADS)}, by commas")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--top", type=int, default=30)
    parser.add_argument("--steps", action="store_true", help="a row per step, not per form")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {}
    for name in options.only.split(","):
        if name not in WORKLOADS:
            sys.exit(f"no workload {name!r}; there are {', '.join(WORKLOADS)}")
        workload = WORKLOADS[name]()
        found[name] = table(load(workload.onnx()), workload.inputs(), options.repeat, options.steps)
        if not options.json:
            print(f"\n{name}, one thread")
            print_table(*found[name], options.top)
    if options.json:
        rows = {name: [asdict(row) for row in rows] for name, (rows, _) in found.items()}
        print(json.dumps({n: {"run_s": whole, "steps": rows[n]} for n, (_, whole) in found.items()}))


if __name__ == "__main__":
    main()
