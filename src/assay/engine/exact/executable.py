"""A compiled program: checks its inputs, hands their addresses to native code, returns fresh outputs."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Mapping
from typing import Any

import llvmlite.ir as ir
import numpy as np

from assay.errors import UsageError
from assay.program.program import Program

from .. import check_inputs
from .function import Work, declare
from .native import Library, Machine, machine
from .plan import Plan, plan
from .runner import COLUMNS, COUNTERS, RUN, declare_run
from .team import Share, Team

__all__ = ["Executable", "compile"]

Array = np.ndarray[Any, Any]

SHARED_FROM = 1 << 15
"""Scalar operations from which a step is worth sharing among threads."""
PIECES = 4
"""Pieces per thread of a shared step: a late thread then costs little."""


def compile(program: Program, *, threads: int = 1, features: str | None = None) -> Executable:
    """Native code for `program`, with the bits of the clear interpreter.

    `threads` share the elements of large kernels; `features` restricts the instructions (see native.machine).
    Neither changes a bit of any result. Raises UsageError, ConfigError, or ProgramRefused for a malformed kernel.
    """
    if threads < 1:
        raise UsageError(f"{threads} threads cannot run anything", threads=threads)
    return Executable(program, threads, machine(features))


class Executable:
    """Runs `program`; may be called from several threads, one run at a time."""

    def __init__(self, program: Program, threads: int, target: Machine) -> None:
        self.program = program
        self.threads = threads
        self._plan = plan(program, target)
        module = ir.Module("assay")
        works = [declare(module, f"k{n}", form, target) for n, form in enumerate(self._plan.forms)]
        declare_run(module, target)
        self._library = Library(str(module), target)
        self._arena = _aligned_bytes(self._plan.arena)
        self._scratch = [_aligned_bytes(max((w.scratch for w in works), default=0)) for _ in range(threads)]
        self._constants = {n: _aligned(np.ascontiguousarray(a)) for n, a in program.constants.items()}
        self._index = self._tensor_numbers()
        self._tensors = np.zeros(len(self._index) + 1, np.int64)
        self._slots, self._steps = _tables(self._plan, works, self._library, self._index, threads)
        for name, offset in self._plan.offsets.items():
            self._tensors[self._index[name]] = self._arena.ctypes.data + offset
        for name, array in self._constants.items():
            self._tensors[self._index[name]] = array.ctypes.data
        given = {p.name for p in program.inputs} | set(self._constants)
        made = {t: (t, port.shape, port.dtype.numpy) for port, t in program.outputs if t not in given}
        self._fresh = list(made.values())
        self._varying = np.array([self._index[t] for t in [*(p.name for p in program.inputs), *made]], np.int64)
        self._lock = threading.Lock()
        self._team = Team(self._bind(), threads)

    def _tensor_numbers(self) -> dict[str, int]:
        names = [p.name for p in self.program.inputs] + list(self._constants)
        names += [t for step in self._plan.steps for t in step.tensors]
        return {name: n for n, name in enumerate(dict.fromkeys(names))}

    def _bind(self) -> Share:
        """A function of thread and round that runs the steps; it keeps alive all that the steps touch."""
        kind = ctypes.CFUNCTYPE(None, *([ctypes.c_void_p] * 2), *([ctypes.c_int64] * 4), *([ctypes.c_void_p] * 2))
        run = kind(self._library.address(RUN))
        counters = _aligned_bytes(8 * COUNTERS * len(self._steps))
        tables = (self._tensors.ctypes.data, self._steps.ctypes.data, len(self._plan.steps))
        scratch, threads = [s.ctypes.data for s in self._scratch], self.threads
        alive = (self._library, self._tensors, self._steps, self._slots, self._arena, self._scratch, self._constants)

        def share(thread: int, number: int, _: object = (alive, counters)) -> None:
            run(*tables, thread, threads, number, counters.ctypes.data, scratch[thread])

        return share

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by port name, as fresh C-contiguous arrays. Raises UsageError for a missing or mistyped input."""
        arrays = {n: _aligned(a) for n, a in check_inputs(self.program, inputs).items()}
        with self._lock:
            made = {tensor: np.empty(shape, dtype) for tensor, shape, dtype in self._fresh}
            self._tensors[self._varying] = [
                a.__array_interface__["data"][0] for a in (*arrays.values(), *made.values())
            ]
            self._team.run()
        known = {**self._constants, **arrays, **made}
        outputs: dict[str, Array] = {}
        for port, tensor in self.program.outputs:
            fresh = made.pop(tensor, None)
            outputs[port.name] = np.array(known[tensor]).reshape(port.shape) if fresh is None else fresh
        return outputs


def _aligned(array: Array) -> Array:
    return array if array.flags.aligned else np.require(array, requirements=["C", "A"])


def _aligned_bytes(size: int) -> Array:
    """`size` bytes that start at a cache line."""
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size]


def _tables(
    plan: Plan, works: list[Work], library: Library, index: dict[str, int], threads: int
) -> tuple[Array, Array]:
    """The slots of all steps one after another, and the step table that runner.py describes."""
    slots = np.array([index[t] for step in plan.steps for t in step.tensors] or [0], np.int64)
    steps = np.zeros((max(1, len(plan.steps)), COLUMNS), np.int64)
    entries = [library.address(f"k{n}") for n in range(len(plan.forms))]
    at = 0
    for n, step in enumerate(plan.steps):
        work = works[step.form]
        shared = work.points >= SHARED_FROM and work.units > work.grain
        piece = -(-work.units // (work.grain * threads * PIECES)) * work.grain
        steps[n] = (entries[step.form], slots.ctypes.data + 8 * at, work.units, piece, plan.waits[n], shared)
        at += len(step.tensors)
    return slots, steps
