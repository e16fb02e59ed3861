"""What proving costs a solver: its training against bare training. `python bench/proof.py [--task TASK.toml] [--json]`.

Bare training runs the same compiled program on the same rows and carries the state, nothing else. The solver's
(assay.solve.train) also records traces, hashes and stores every checkpoint, and keeps its journal. The two alternate;
the overhead is the median over the pairs. A run lasts `--scale` times the task's steps, because the last checkpoint of a
run has no training to hide behind and the shipped task takes a third of a second. Checkpoints are at the default interval
(`assay.market.package.default_interval`); with `--own-interval` at the task's own, which in the shipped task is far shorter
so that a demo of a third of a second has ten of them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

import assay
from assay.engine import exact
from assay.market.package import default_interval, read_task
from assay.proof import Dataset, Runner, State, blob_of, decode_state, state_root, tensor_root
from assay.solve.journal import Journal
from assay.solve.train import train
from assay.store import Store

DIGITS = Path(assay.__file__).parent / "assets" / "digits" / "task.toml"


class Spent(NamedTuple):
    """Seconds on the clock, and seconds of processor time in all threads (which a busy machine disturbs less)."""

    wall: float
    cpu: float


def spent(work: Callable[[], object]) -> Spent:
    """What `work` takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def bare(runner: Runner, state: State) -> None:
    """All steps of the task, with nothing recorded."""
    for step in range(runner.spec.steps):
        state, _ = runner.step(state, step)


def proven(runner: Runner, state: State, folder: Path) -> None:
    """The same steps as a solver takes them, until the last checkpoint is on the disk."""
    store, journal = Store(folder / "store"), Journal(folder / "journal.json")
    train(runner.spec, runner, runner.ports, state, journal, store, lambda blob: None, lambda step, loss: None)


def hashing(state: State) -> dict[str, float]:
    """MB/s of a tensor root, and milliseconds for one checkpoint's root and blob."""
    big = np.random.default_rng(0).random(4 << 20, np.float32)
    return {
        "state_mb": sum(array.nbytes for array in state.values()) / 1e6,
        "root_ms": spent(lambda: state_root(state)).wall * 1e3,
        "blob_ms": spent(lambda: blob_of(state)).wall * 1e3,
        "tensor_root_mb_per_s": big.nbytes / 1e6 / spent(lambda: tensor_root("x", big)).wall,
    }


def measure(
    task: Path, threads: int, scale: int, count: int, progress: bool, by_default: bool
) -> dict[str, float | int | str]:
    """The figures for one task."""
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(Path(scratch) / "package")
        package = read_task(task, store)
        steps = package.spec.steps * scale
        interval = default_interval(package.program, steps) if by_default else package.spec.interval
        spec = msgspec.structs.replace(package.spec, steps=steps, interval=interval)
        executable = exact.compile(package.program, threads=threads)
        runner = Runner(executable, spec, Dataset.load(store.path(spec.dataset)))
        state = decode_state(store.get(spec.initial), package.program.state)
        bare(runner, state)
        pairs = []
        for n in range(count):
            folder = Path(scratch) / str(n)
            # Which one goes first alternates too: on a shared machine the second half of a pair meets other neighbours.
            if n % 2:
                solver, plain = spent(lambda f=folder: proven(runner, state, f)), spent(lambda: bare(runner, state))
            else:
                plain, solver = spent(lambda: bare(runner, state)), spent(lambda f=folder: proven(runner, state, f))
            pairs.append((plain, solver))
            if progress:
                print(
                    f"pair {n + 1}/{count}: bare {pairs[-1][0].wall:.3f} s, solver {pairs[-1][1].wall:.3f} s",
                    file=sys.stderr,
                )
    overheads = sorted(100 * (solver.wall / plain.wall - 1) for plain, solver in pairs)
    cpu = sorted(100 * (solver.cpu / plain.cpu - 1) for plain, solver in pairs)
    return {
        "task": spec.name,
        "threads": threads,
        "steps": spec.steps,
        "interval": spec.interval,
        "pairs": count,
        "bare_ms_per_step": statistics.median(plain.wall for plain, _ in pairs) / spec.steps * 1e3,
        "overhead_percent": statistics.median(overheads),
        "overhead_percent_range": f"{overheads[0]:.1f}..{overheads[-1]:.1f}",
        "processor_overhead_percent": statistics.median(cpu),
        **hashing(state),
    }


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", type=Path, action="append", help="a TASK.toml (default: the digits task)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--scale", type=int, default=4, help="run this many times the task's steps")
    parser.add_argument("--pairs", type=int, default=21)
    parser.add_argument("--own-interval", action="store_true", help="the task's interval instead of the default one")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    for task in given.task or [DIGITS]:
        by_default = not given.own_interval
        figures = measure(task, given.threads, given.scale, given.pairs, not given.json, by_default)
        if given.json:
            print(json.dumps(figures))
        else:
            for name, value in figures.items():
                print(f"{name:28}{value:.3f}" if isinstance(value, float) else f"{name:28}{value}")


if __name__ == "__main__":
    main()
