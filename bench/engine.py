"""Speed and memory of the exact engine beside ONNX Runtime, torch eager and torch.compile, measured in one run.

    scripts/bench engine [--json] [--only NAME,...] [--without NAME,...] [--repeat N] [--threads N]

Whole training steps of several models, and two inferences. A short pre-run picks each contender's best setting (one
thread or all of them; for torch eager also the optimizer and the layout of images); then the contenders take turns, and
a figure is the median of its turns. Results are compared before anything is timed. A ratio is their time over ours:
above 1, ours is faster. --only names workloads, `product_1024` and `compile`; --without names contenders and `memory`.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from statistics import median
from typing import Any

import torch
from checks import Disagreement, same_first, same_outputs
from compiling import compile_times
from contenders import OTHERS, Case, Contender, candidates, fastest
from memory import peaks
from products import measure_product
from report import geomeans, machine, print_report
from workloads import WORKLOADS

from assay.program import load

PARTS = ("product_1024", "compile")
LEAST_TURNS = 10
PRE_RUN = 3
"""Turns of each setting in the pre-run."""

Report = dict[str, Any]


def say(text: str) -> None:
    """Progress."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def measure(name: str, options: argparse.Namespace) -> Report:
    """The report of one workload. Raises Disagreement."""
    workload, start = WORKLOADS[name](), time.perf_counter()
    source = workload.onnx()
    captured = time.perf_counter()
    case = Case(workload, load(source), workload.inputs())
    seconds = {"capture_s": round(captured - start, 3), "load_s": round(time.perf_counter() - captured, 3)}
    field, ours, about = prepare(name, case, options)
    everyone = [*ours, *(contender for other, contender in field.items() if other != "ours")]
    for contender in everyone:
        contender.seconds, contender.first = [], None
    gc.collect()
    say(f"{name}: {options.repeat} turns of {len(everyone)} contenders")
    for _ in range(options.repeat):
        for contender in everyone:
            contender.turn()
    report = {"training": workload.training, **figures(field, ours), **about, **seconds}
    if "memory" not in options.without and "torch_eager" in field:
        say(f"{name}: peak memory")
        report["peak_mib"] = peaks(name, source, case.inputs, field["ours"].settings, field["torch_eager"].settings)
    return report


def prepare(
    name: str, case: Case, options: argparse.Namespace
) -> tuple[dict[str, Contender], list[Contender], dict[str, Report]]:
    """The contenders in their best settings, all settings of ours, and what was found. Raises Disagreement."""
    reasons: dict[str, str] = {}
    differences: dict[str, float] = {}
    ours = tried(name, "ours", case, options.threads, [])
    field, eager = {"ours": fastest(ours)}, list[Contender]()
    outputs = field["ours"].first
    result = outputs["metric/loss" if case.workload.training else next(iter(outputs))]
    for other in OTHERS:
        if other in options.without:
            reasons[other] = "left out by --without"
            continue
        try:
            found = tried(name, other, case, options.threads, eager)
        except Exception as error:  # what keeps another engine from running is a finding, not a failure of the bench
            reasons[other] = f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:200]}"
            say(f"{name}: {other} does not run: {reasons[other]}")
            continue
        for contender in found:
            first = contender.first
            error = same_outputs(outputs, first) if other == "onnxruntime" else same_first(result, first, other)
            differences[other] = float(f"{max(error, differences.get(other, 0.0)):.2g}")
        field[other] = fastest(found)
        eager = found if other == "torch_eager" else eager
    return field, ours, {"reasons": reasons, "differences": differences}


def tried(workload: str, name: str, case: Case, cores: int, eager: list[Contender]) -> list[Contender]:
    """The contender in each of its settings, after the pre-run."""
    found = []
    for contender in candidates(name, case, cores, eager):
        for _ in range(PRE_RUN):
            contender.turn()
        found.append(contender)
        say(f"{workload}: {name} {contender.settings} {1e3 * median(contender.seconds):.2f} ms")
    return found


def figures(field: dict[str, Contender], ours: list[Contender]) -> Report:
    """Times in milliseconds, ratios, settings, and how ours scales: its time on one thread over that on all."""
    times = {name: 1e3 * median(contender.seconds) for name, contender in field.items()}
    report: Report = {f"{name}_ms": round(times[name], 4) if name in times else None for name in ("ours", *OTHERS)}
    ratios = {name: times[name] / times["ours"] for name in OTHERS if name in times}
    ratios |= {"fastest": min(ratios.values())} if ratios else {}
    report["ratios"] = {n: round(ratios[n], 3) if n in ratios else None for n in (*OTHERS, "fastest")}
    report["min_ms"] = {name: round(1e3 * min(contender.seconds), 4) for name, contender in field.items()}
    report["threads"] = {name: contender.threads for name, contender in field.items()}
    report["settings"] = {name: contender.settings for name, contender in field.items()}
    report["compile_s"] = {name: round(c.compile_s, 3) for name, c in field.items() if name != "torch_eager"}
    by_threads = {c.threads: 1e3 * median(c.seconds) for c in ours}
    report["ours_by_threads_ms"] = {str(n): round(t, 4) for n, t in by_threads.items()}
    report["scaling"] = round(by_threads[1] / by_threads[max(by_threads)], 3)
    return report


def parse() -> argparse.Namespace:
    """The options, checked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known, parts = {*WORKLOADS, *PARTS}, {*OTHERS, "memory"}
    parser.add_argument("--only", default=[*WORKLOADS, *PARTS], type=lambda text: text.split(","))
    parser.add_argument("--without", default=[], type=lambda text: text.split(","))
    parser.add_argument("--repeat", type=int, default=LEAST_TURNS, help=f"turns, at least {LEAST_TURNS}")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="the cores to use at most")
    parser.add_argument("--json", action="store_true", help="the last line is one object")
    options = parser.parse_args()
    for given, names in ((options.only, known), (options.without, parts)):
        if unknown := [name for name in given if name not in names]:
            parser.error(f"there is no {unknown[0]!r}; known: {', '.join(sorted(names))}")
    if options.repeat < LEAST_TURNS or options.threads < 1:
        parser.error(f"--repeat must be at least {LEAST_TURNS}, --threads at least 1")
    return options


def main() -> None:
    """Measure and print. Exits with 1 if a workload was refused because results differ."""
    options = parse()
    report: Report = {"workloads": {}, "refused": {}, "machine": machine(options.threads, options.repeat)}
    for name in (name for name in WORKLOADS if name in options.only):
        try:
            found = report["workloads"][name] = measure(name, options)
            say(f"{name}: " + ", ".join(f"{n} {found[f'{n}_ms']} ms" for n in ("ours", *OTHERS)))
        except Disagreement as error:
            say(f"{name}: not timed: {error}")
            report["refused"][name] = str(error)
        gc.collect()
        torch._dynamo.reset()
    report["geomean"] = geomeans(report["workloads"])
    if "product_1024" in options.only:
        say("product_1024")
        report["product_1024"] = measure_product(1024, options.repeat)
    if "compile" in options.only:
        say("compile")
        report["compile"] = {"program": "gpt", **compile_times(WORKLOADS["gpt"]().onnx())}
    print_report(report)
    if options.json:
        print(json.dumps(report))
    sys.exit(bool(report["refused"]))


if __name__ == "__main__":
    main()
