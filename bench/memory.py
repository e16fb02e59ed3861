"""Peak memory of a workload in ours and in torch eager, each in a fresh process.

What is counted, the same on both sides: anonymous memory at its peak during three steps, beyond what the process held
once the libraries were imported and had run a tiny model. So parameters, optimizer state, inputs, intermediate and
result tensors count, and what building the step leaves behind; code of the libraries does not, nor what building takes
in passing. `ours` has its code from the compile cache, as every run but a program's first; `ours_first` compiles it.
"""

from __future__ import annotations

import ctypes
import gc
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["peaks"]

STEPS = 3


def peaks(
    name: str, onnx: bytes, inputs: dict[str, Any], ours: dict[str, Any], eager: dict[str, Any]
) -> dict[str, float]:
    """MiB of both in the given settings; `ratio` is ours over torch eager's."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "model.onnx").write_bytes(onnx)
        np.savez(Path(folder, "inputs.npz"), **inputs)
        sides = {"ours_first": ("ours", ours), "ours": ("ours", ours), "torch_eager": ("torch_eager", eager)}
        found = {key: round(_measure(side, name, folder, given), 2) for key, (side, given) in sides.items()}
    return {**found, "ratio": round(found["ours"] / found["torch_eager"], 3)}


def _measure(side: str, name: str, folder: str, settings: dict[str, Any]) -> float:
    command = [sys.executable, __file__, side, name, folder, json.dumps(settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"measuring the memory of {side} failed: {done.stderr[-500:]}")
    return float(done.stdout.splitlines()[-1])


def _status() -> dict[str, float]:
    """MiB by field of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.endswith(" kB")}


def _settle() -> dict[str, float]:
    """Give back what is free, and start a new peak."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _status()


def _peak(build: Callable[[], Callable[[], None]]) -> float:
    before = _settle()["RssAnon"]
    step = build()
    _settle()
    for _ in range(STEPS):
        step()
    after = _status()
    return after["VmHWM"] - after["RssFile"] - after.get("RssShmem", 0.0) - before


def _ours(folder: str, settings: dict[str, Any]) -> float:
    from products import product

    from assay.engine.exact import compile
    from assay.engine.exact.cache import Cache
    from assay.program import load

    eye = np.eye(4, dtype=np.float32)
    compile(product(4), threads=settings["threads"], cache=None).run({"x": eye, "w": eye})
    path = Path(folder, "model.onnx")
    load(path.read_bytes())

    def build() -> Callable[[], None]:
        with np.load(Path(folder, "inputs.npz")) as file:
            inputs = {name: file[name] for name in file.files}
        engine = compile(load(path.read_bytes()), threads=settings["threads"], cache=Cache(Path(folder, "cache")))

        states = [name for name in inputs if name.startswith("state/")]

        def step() -> None:  # as a solver trains: the old state is given away
            for name, value in engine.run(inputs, states).items():
                if name.startswith("next/"):
                    inputs["state/" + name.removeprefix("next/")] = value

        return step

    return _peak(build)


def _torch(name: str, settings: dict[str, Any]) -> float:
    import torch
    from workloads import WORKLOADS

    torch.set_num_threads(settings["threads"])
    tiny = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(tiny.parameters())
    tiny(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    WORKLOADS[name]().module()  # it may import more
    options = {"fused": settings.get("fused_optimizer", False), "channels_last": settings.get("channels_last", False)}

    def build() -> Callable[[], None]:
        step = WORKLOADS[name]().torch_step(**options)
        return lambda: (step(), None)[1]

    return _peak(build)


if __name__ == "__main__":
    _side, _name, _folder, _settings = sys.argv[1:]
    _chosen = json.loads(_settings)
    print(_ours(_folder, _chosen) if _side == "ours" else _torch(_name, _chosen))
