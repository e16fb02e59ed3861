"""Speed of the exact engine: compile time, the digits training step, matrix products beside numpy and torch.

    scripts/bench engine [--threads N] [--repeat N] [--json]

Each figure is a median of runs that alternate between the contenders. Times are wall times; run it on a quiet machine.
Torch is measured where it is installed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from importlib.resources import files
from statistics import median
from typing import Any

import numpy as np
from safetensors.numpy import load as load_tensors

from assay.engine.exact import compile
from assay.program import load
from assay.program.kernel import Axis, Kernel, Order, Read
from assay.program.program import Cost, Program
from assay.program.types import DType, Port

Runner = Callable[[], object]


def alternate(contenders: dict[str, Runner], repeat: int) -> dict[str, float]:
    """Median seconds of each, after one warm-up."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for n in range(repeat + 1):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            if n:
                times[name].append(time.perf_counter() - start)
    return {name: median(t) for name, t in times.items()}


def product(n: int) -> Program:
    """y = x·wᵀ for square matrices, as a linear layer computes it."""
    f32 = DType.FLOAT32
    row, column, term = Axis((1, 0), (0,)), Axis((0, 1), (0,)), Axis((0, 0), (1,))
    operands = (Read("x", (n, n), (row, term)), Read("w", (n, n), (column, term)))
    kernel = Kernel("fma", "y", f32, (n, n), (n, n), operands, (n,), Order.CHAIN, 0)
    ports = (Port("x", f32, (n, n)), Port("w", f32, (n, n)))
    return Program(b"", ports, ((Port("y", f32, (n, n)), "y"),), {}, (kernel,), Cost(0, 0, 0))


def products(n: int, threads: int, repeat: int) -> dict[str, Any]:
    """Billions of operations (2·n³ each) per second."""
    rng = np.random.default_rng(0)
    x, w = (rng.normal(size=(n, n)).astype(np.float32) for _ in range(2))
    engine = compile(product(n), threads=threads)
    contenders: dict[str, Runner] = {"exact": lambda: engine.run({"x": x, "w": w}), "numpy": lambda: x @ w.T}
    try:
        import torch
    except ModuleNotFoundError:
        pass
    else:
        torch.set_num_threads(threads)
        tx, tw = torch.from_numpy(x), torch.from_numpy(w)
        contenders["torch"] = lambda: tx @ tw.T
    return {name: round(2e-9 * n**3 / t, 1) for name, t in alternate(contenders, repeat).items()}


def digits(threads: int, repeat: int) -> dict[str, Any]:
    """The digits training step: seconds to load and to compile, milliseconds per step."""
    folder = files("assay") / "assets" / "digits"
    start = time.perf_counter()
    program = load((folder / "program.onnx").read_bytes())
    loaded = time.perf_counter()
    engine = compile(program, threads=threads)
    compiled = time.perf_counter()
    inputs = {f"state/{n}": v for n, v in load_tensors((folder / "initial.safetensors").read_bytes()).items()}
    size = next(iter(program.batch.values())).shape[0]
    inputs |= {f"batch/{n}": v[:size] for n, v in load_tensors((folder / "train.safetensors").read_bytes()).items()}
    inputs["step"] = np.array(0)
    step = alternate({"step": lambda: engine.run(inputs)}, 20 * repeat)["step"]
    return {
        "kernels": len(program.kernels),
        "load_s": round(loaded - start, 3),
        "compile_s": round(compiled - loaded, 3),
        "step_ms": round(1e3 * step, 3),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report = {"threads": options.threads, "digits": digits(options.threads, options.repeat)}
    report["gflops"] = {n: products(n, options.threads, options.repeat) for n in (512, 1024)}
    if options.json:
        print(json.dumps(report))
        return
    print("digits  " + "  ".join(f"{name} {value}" for name, value in report["digits"].items()))
    for n, speeds in report["gflops"].items():
        print(f"{n}³  " + "  ".join(f"{name} {value} Gflop/s" for name, value in speeds.items()))


if __name__ == "__main__":
    main()
