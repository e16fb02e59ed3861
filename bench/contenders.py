"""The engines that run a workload: ours, ONNX Runtime, torch eager, torch.compile; each in its possible settings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnxruntime
import torch
from workloads import Workload

from assay.engine.exact import compile
from assay.program import Program

__all__ = ["OTHERS", "Case", "Contender", "candidates", "fastest"]

OTHERS = ("torch_eager", "torch_compile", "onnxruntime")

Array = np.ndarray[Any, Any]
Settings = dict[str, Any]

TURN = 0.03
"""Seconds that a turn lasts at least: short steps are taken several times in a row, as a training takes them."""
REST = 0.01
"""Seconds before each turn, in which the threads of the one before stop to spin."""
CLEARLY = 1.25
"""Torch eager this much faster on all cores than on one: torch.compile is compiled for all cores alone.
Its other settings are eager's best."""


@dataclass
class Case:
    """A workload with its program and the program's inputs by port name."""

    workload: Workload
    program: Program
    inputs: dict[str, Array]


@dataclass
class Contender:
    """One engine in one setting. `run()` does one step; `first` is what its first one returned, until it is checked."""

    settings: Settings
    run: Callable[[], Any]
    first: Any
    compile_s: float = 0.0
    seconds: list[float] = field(default_factory=list)

    def turn(self) -> None:
        """One measurement: the mean of as many steps as fill a turn, after an untimed one if they are short."""
        if torch.get_num_threads() != self.settings["threads"]:  # torch has one number for all of them
            torch.set_num_threads(self.settings["threads"])
        time.sleep(REST)
        if not self.seconds or self.seconds[-1] < TURN:
            self.run()
        start, count, taken = time.perf_counter(), 0, 0.0
        while taken < TURN:
            self.run()
            count, taken = count + 1, time.perf_counter() - start
        self.seconds.append(taken / count)

    @property
    def threads(self) -> int:
        return int(self.settings["threads"])


def candidates(name: str, case: Case, cores: int, eager: list[Contender]) -> Iterator[Contender]:
    """The engine `name` in each of its settings, one after another. `eager`: torch eager's, with their times."""
    counts = sorted({1, cores})
    if name in ("ours", "onnxruntime"):
        yield from ((_ours if name == "ours" else _onnxruntime)(case, threads) for threads in counts)
    elif name == "torch_eager":
        for threads in counts:
            for fused in (False, True) if case.workload.training else (False,):
                for channels_last in (False, True) if case.workload.images else (False,):
                    yield _torch(case.workload, threads, fused, channels_last)
    else:
        best = fastest(eager)
        alone = [c for c in eager if c.threads == 1]
        if best.threads > 1 and min(fastest(alone).seconds) > CLEARLY * min(best.seconds):
            counts = [cores]
        for threads in counts:
            fused, channels_last = (best.settings.get(key, False) for key in ("fused_optimizer", "channels_last"))
            yield _torch(case.workload, threads, fused, channels_last, torch.compile)


def fastest(contenders: list[Contender]) -> Contender:
    """The one with the quickest turn: in few turns on a busy machine, the median says less."""
    return min(contenders, key=lambda c: min(c.seconds))


def _ours(case: Case, threads: int) -> Contender:
    """The exact engine. As in a solver, a step gives its state away and the next one starts where it ended."""
    start = time.perf_counter()
    engine = compile(case.program, threads=threads)
    compiled = time.perf_counter() - start
    first = engine.run(case.inputs)
    inputs = {name: np.array(value) for name, value in case.inputs.items()}
    states = [name for name in inputs if name.startswith("state/")]

    def run() -> None:
        for name, value in engine.run(inputs, states).items():
            if name.startswith("next/"):
                inputs["state/" + name.removeprefix("next/")] = value

    return Contender({"threads": threads}, run, first, compiled)


def _onnxruntime(case: Case, threads: int) -> Contender:
    """ONNX Runtime on the same ONNX model, all optimisations on, inputs and outputs bound to memory once.

    What is checked comes from one thread: with two, a ScatterND that adds loses terms now and then (1.31.1: the gradient
    of the GPT's embedding differs from run to run by 3 %).
    """
    start = time.perf_counter()
    session = _session(case, threads)
    compiled = time.perf_counter() - start
    binding, types = session.io_binding(), {port.name: port for port, _ in case.program.outputs}
    for port in session.get_inputs():
        binding.bind_ortvalue_input(port.name, onnxruntime.OrtValue.ortvalue_from_numpy(case.inputs[port.name]))
    names = [port.name for port in session.get_outputs()]
    for name in names:
        made = np.empty(types[name].shape, types[name].dtype.numpy)
        binding.bind_ortvalue_output(name, onnxruntime.OrtValue.ortvalue_from_numpy(made))

    def run() -> None:
        session.run_with_iobinding(binding)

    run()
    first = dict(zip(names, _session(case, 1).run(names, case.inputs), strict=True))
    return Contender({"threads": threads}, run, first, compiled)


def _session(case: Case, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    # Its threads spin for work during a step as ever, but leave the cores to the others after it.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(case.program.source, options, providers=["CPUExecutionProvider"])


def _torch(
    workload: Workload, threads: int, fused: bool, channels_last: bool, wrap: Callable[[Any], Any] | None = None
) -> Contender:
    """Torch; with `wrap` (torch.compile) the module is compiled, the optimizer is not."""
    torch.set_num_threads(threads)
    start = time.perf_counter()
    step = workload.torch_step(fused=fused, channels_last=channels_last, wrap=wrap)
    first = np.array(step().numpy())
    settings: Settings = {"threads": threads}
    if workload.training:
        settings["fused_optimizer"] = fused
    if workload.images:
        settings["channels_last"] = channels_last
    return Contender(settings, step, first, time.perf_counter() - start if wrap else 0.0)
