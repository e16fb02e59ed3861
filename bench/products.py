"""A square product alone, as a linear layer computes it: ours beside torch's."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import numpy as np

from assay.engine.exact import compile
from assay.program.kernel import Axis, Kernel, Order, Read
from assay.program.program import Cost, Program
from assay.program.types import DType, Port

__all__ = ["measure_product", "product"]


def product(n: int) -> Program:
    """y = x·wᵀ for n by n matrices."""
    f32 = DType.FLOAT32
    row, column, term = Axis((1, 0), (0,)), Axis((0, 1), (0,)), Axis((0, 0), (1,))
    operands = (Read("x", (n, n), (row, term)), Read("w", (n, n), (column, term)))
    kernel = Kernel("fma", "y", f32, (n, n), (n, n), operands, (n,), Order.CHAIN, 0)
    ports = (Port("x", f32, (n, n)), Port("w", f32, (n, n)))
    return Program(b"", ports, ((Port("y", f32, (n, n)), "y"),), {}, (kernel,), Cost(0, 0, 0))


def measure_product(n: int, repeat: int) -> dict[str, Any]:
    """Gflop/s (2·n³ operations) of one product on one thread, medians of alternating runs; `ratio` is ours over torch's."""
    import torch

    rng = np.random.default_rng(0)
    x, w = (rng.normal(size=(n, n)).astype(np.float32) for _ in range(2))
    engine = compile(product(n), threads=1)
    tx, tw = torch.from_numpy(x), torch.from_numpy(w)
    runs = {"ours": lambda: engine.run({"x": x, "w": w})["y"], "torch": lambda: torch.nn.functional.linear(tx, tw)}
    if not np.allclose(runs["ours"](), runs["torch"]().numpy(), atol=1e-3):
        raise RuntimeError("the product differs from torch's")
    torch.set_num_threads(1)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeat + 2):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    speeds = {name: 2e-9 * n**3 / median(s[2:]) for name, s in seconds.items()}
    best = {name: round(2e-9 * n**3 / min(s[2:]), 1) for name, s in seconds.items()}
    found = {f"{name}_gflops": round(speed, 1) for name, speed in speeds.items()}
    return {**found, "ratio": round(speeds["ours"] / speeds["torch"], 3), "best_gflops": best}
