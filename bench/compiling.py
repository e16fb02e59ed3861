"""Seconds to load and to compile a program in a fresh process, without and with the compile cache on disk."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

__all__ = ["compile_times"]

ROUNDS = 3


def compile_times(onnx: bytes) -> dict[str, Any]:
    """Medians of `load_s`, `cold_s` (an empty cache) and `cached_s` (the process before left the code there)."""
    runs: dict[str, list[dict[str, float]]] = {"cold": [], "cached": []}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "model.onnx").write_bytes(onnx)
            for taken in runs.values():
                taken.append(_fresh(folder))
    return {
        "load_s": round(median(run["load_s"] for run in runs["cold"] + runs["cached"]), 3),
        **{f"{name}_s": round(median(run["compile_s"] for run in taken), 3) for name, taken in runs.items()},
    }


def _fresh(folder: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, __file__, folder], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"compiling failed: {done.stderr[-500:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _compile(folder: Path) -> dict[str, float]:
    from assay.engine.exact import compile
    from assay.engine.exact.cache import Cache
    from assay.program import load

    data, start = (folder / "model.onnx").read_bytes(), time.perf_counter()
    program = load(data)
    loaded = time.perf_counter()
    compile(program, threads=1, cache=Cache(folder / "cache"))
    return {"load_s": loaded - start, "compile_s": time.perf_counter() - loaded}


if __name__ == "__main__":
    print(json.dumps(_compile(Path(sys.argv[1]))))
