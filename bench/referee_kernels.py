"""Engine against arbiter against contract, one element of one kernel at a time: `scripts/bench referee_kernels [--elements N]`.

Half of the elements are of random kernels (tests/support/random_kernels.py), a quarter of random programs, a quarter of the
golden tasks' first steps. The arbiter executes all pieces of an element, the contracts up to three of them, and all agree with
the engine's clear version on the stored bits. A difference is printed with its seed, and the exit code is 1. The last line is
JSON. `--gas` measures instead what a piece of a matrix product costs.

py-evm executes some tens of pieces a second; with pyrevm (`pip install pyrevm`) it is hundreds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

import random_programs
from kernel_steps import Step, check_element, golden_step, kernel_step, program_step
from random_kernels import random_kernel
from referee_contract import FAST, Referee, transaction

from assay.dispute.arbiter.openings import openings
from assay.errors import AssayError
from assay.program import Axis, DType, Kernel, Order, Read
from assay.roles.digits import digits

GOLDEN = ROOT / "tests" / "golden"
TASKS = {"digits": digits()} | {name: GOLDEN / name / "task.toml" for name in ("mlp", "gpt", "gpt-bfloat16")}
LONGEST = 20_000
"""Terms of an element that is worth the arbiter's time."""


def drawn(source: str, seed: int, golden: list[Step]) -> Step:
    """The step of a seed."""
    random = Random(seed)
    if source == "golden":
        return random.choice(golden)
    if source == "kernel":
        return kernel_step(*random_kernel(random))
    graph = random_programs.draw(random, None, 14)
    return program_step(graph.program(), graph.inputs)


def compare(contract: Referee, count: int, seed: int) -> Counter[str]:
    """Counts of what was compared, and of differences."""
    report: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        golden = [golden_step(task, Path(folder) / name) for name, task in TASKS.items()]
    while report["elements"] < count:
        seed += 1
        source = ("kernel", "golden", "kernel", "program")[seed % 4]
        step, random = drawn(source, seed, golden), Random(seed)
        for _ in range(8):
            at = random.randrange(len(step.kernels))
            code = step.coded(at)
            if not code.elements or code.terms > LONGEST:
                continue
            try:
                report["pieces"] += check_element(step, at, random.randrange(code.elements), contract, random, 3)
            except (AssertionError, AssayError) as error:
                report["differences"] += 1
                print(f"{source}, seed {seed}: {error}", file=sys.stderr, flush=True)
            report["elements"] += 1
            report[source] += 1
            report["scatter" if code.kernel.scatter else code.kernel.order.value] += 1
    return report


def gas(contract: Referee) -> dict[str, int]:
    """Eight terms of a product of two matrices of 4 MB each, the second read down a column."""
    size = 1024
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((size, size)).astype(np.float32) for _ in range(2))
    kernel = Kernel(
        "fma",
        "out",
        DType.FLOAT32,
        (size, size),
        (size, size),
        (
            Read("a", (size, size), (Axis((1, 0), (0,)), Axis((0, 0), (1,)))),
            Read("b", (size, size), (Axis((0, 0), (1,)), Axis((0, 1), (0,)))),
        ),
        (size,),
        Order.CHAIN,
    )
    step = kernel_step(kernel, {"a": a, "b": b}, others=508, output=np.zeros((size, size), np.float32))
    code = step.coded(0)
    found = {}
    for name, first, last in (("piece", 504, 512), ("term", 504, 505)):
        opened = openings(code, 300_000, first, last, step.data, step.roots)
        contract.execute(code.encode(), 300_000, first, last, [0], step.root, step.depth, opened)
        found[f"{name}_execution"], found[f"{name}_openings_bytes"] = contract.gas, len(opened)
        found[f"{name}_calldata"] = transaction(opened) - 21_000
    found["kernel_bytes"] = len(code.encode())
    return found


def main() -> int:
    """See the module's text."""
    parser = argparse.ArgumentParser(description="Engine against arbiter against contract, per element.")
    parser.add_argument("--elements", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gas", action="store_true", help="measure gas instead")
    options = parser.parse_args()
    contract = Referee()
    if options.gas:
        print(json.dumps(gas(contract)))
        return 0
    begun = time.monotonic()
    report = compare(contract, options.elements, options.seed)
    seconds = round(time.monotonic() - begun, 1)
    print(json.dumps({"evm": "revm" if FAST else "py-evm", "seconds": seconds, "differences": 0} | report))
    return int(report["differences"] > 0)


if __name__ == "__main__":
    sys.exit(main())
