"""A compiled program: checks its inputs, hands their addresses to native code, returns fresh outputs."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from assay.errors import UsageError
from assay.program.program import Program

from .. import check_inputs
from .cache import Cache, cached, user_cache
from .compiled import Compiled, entry
from .native import Library, Machine, machine
from .outputs import Outputs
from .runner import COLUMNS, COUNTERS, RUN
from .team import Share, Team

__all__ = ["Executable", "compile"]

Array = np.ndarray[Any, Any]

SHARED_FROM = 1 << 15
"""Scalar operations from which a step is worth sharing among threads."""
PIECES = 4
"""Pieces per thread of a shared step: a late thread then costs little."""


def compile(
    program: Program, *, threads: int = 1, features: str | None = None, cache: Cache | Literal["user"] | None = "user"
) -> Executable:
    """Native code for `program`, with the bits of the clear interpreter.

    `threads` share the elements of large kernels; `features` restricts the instructions (see native.machine); `cache`
    keeps object code on disk: the user's (see user_cache), another one, or none. None of them changes a bit of any
    result. Raises UsageError, ConfigError, or ProgramRefused for a malformed kernel.
    """
    if threads < 1:
        raise UsageError(f"{threads} threads cannot run anything", threads=threads)
    target = replace(machine(features), threads=1 << (threads - 1).bit_length())  # few kinds of code for many counts
    code = cached(program, target, user_cache() if cache == "user" else cache)
    return Executable(program, threads, code, target)


class Executable:
    """Runs `program`; may be called from several threads, one run at a time."""

    def __init__(self, program: Program, threads: int, code: Compiled, target: Machine) -> None:
        self.program = program
        self.threads = threads
        self._library = Library(code.objects, target)
        self._arena = _aligned_bytes(code.arena)
        self._scratch = [_aligned_bytes(code.scratch) for _ in range(threads)]
        self._constants = {n: _aligned(np.ascontiguousarray(a)) for n, a in program.constants.items()}
        self._index = {name: n for n, name in enumerate(code.tensors)}
        self._tensors = np.zeros(len(self._index) + 1, np.int64)
        self._slots, self._steps = _tables(code, self._library, threads)
        self._count = len(code.stages)
        self._replaced = code.replaced
        for name, offset in code.offsets.items():
            self._tensors[self._index[name]] = self._arena.ctypes.data + offset
        for name, array in self._constants.items():
            self._tensors[self._index[name]] = array.ctypes.data
        given = {p.name for p in program.inputs} | set(self._constants)
        made = {t: (t, port.shape, port.dtype.numpy) for port, t in program.outputs if t not in given}
        self._fresh = list(made.values())
        self._varying = np.array([self._index[t] for t in [*(p.name for p in program.inputs), *made]], np.int64)
        self._outputs = Outputs()
        self._lock = threading.Lock()
        self._team = Team(self._bind(), threads)

    def _bind(self) -> Share:
        """A function of thread and round that runs the steps; it keeps alive all that the steps touch."""
        kind = ctypes.CFUNCTYPE(None, *([ctypes.c_void_p] * 2), *([ctypes.c_int64] * 4), *([ctypes.c_void_p] * 2))
        run = kind(self._library.address(RUN))
        counters = _aligned_bytes(8 * COUNTERS * len(self._steps))
        tables = (self._tensors.ctypes.data, self._steps.ctypes.data, self._count)
        scratch, threads = [s.ctypes.data for s in self._scratch], self.threads
        alive = (self._library, self._tensors, self._steps, self._slots, self._arena, self._scratch, self._constants)

        def share(thread: int, number: int, _: object = (alive, counters)) -> None:
            run(*tables, thread, threads, number, counters.ctypes.data, scratch[thread])

        return share

    def run(self, inputs: Mapping[str, Array], donate: Collection[str] = ()) -> dict[str, Array]:
        """The outputs by port name, as fresh C-contiguous arrays. Raises UsageError for a missing or mistyped input.

        The arrays of inputs named in `donate` are given away: they may be overwritten, and be returned as outputs.
        """
        arrays = {n: _aligned(a) for n, a in check_inputs(self.program, inputs).items()}
        places = [a.__array_interface__["data"][0] for a in arrays.values()]
        given = self._given(arrays, places, set(donate)) if donate else {}
        with self._lock:
            made = {t: given[t] if t in given else self._outputs.take(shape, kind) for t, shape, kind in self._fresh}
            self._tensors[self._varying] = places + [a.__array_interface__["data"][0] for a in made.values()]
            self._team.run()
        known = {**self._constants, **arrays, **made}
        outputs: dict[str, Array] = {}
        for port, tensor in self.program.outputs:
            fresh = made.pop(tensor, None)
            outputs[port.name] = (np.array(known[tensor]) if fresh is None else fresh).reshape(port.shape)
        return outputs

    def _given(self, arrays: dict[str, Array], places: list[int], names: set[str]) -> dict[str, Array]:
        """By tensor, the arrays that it may overwrite: those that can be written, and share no byte with another."""
        shared: set[str] = set()
        end, owner = 0, ""
        for place, name in sorted(zip(places, arrays, strict=True)):
            if place < end:
                shared |= {owner, name}
            if place + arrays[name].nbytes > end:
                end, owner = place + arrays[name].nbytes, name
        found = {t: n for n, t in self._replaced.items() if n in names and n not in shared}
        return {t: arrays[n] for t, n in found.items() if arrays[n].flags.writeable}


def _aligned(array: Array) -> Array:
    return array if array.flags.aligned else np.require(array, requirements=["C", "A"])


def _aligned_bytes(size: int) -> Array:
    """`size` bytes that start at a cache line."""
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size]


def _tables(code: Compiled, library: Library, threads: int) -> tuple[Array, Array]:
    """The slots of all steps one after another, and the step table that runner.py describes."""
    slots = np.array([n for stage in code.stages for n in stage.slots] or [0], np.int64)
    steps = np.zeros((max(1, len(code.stages)), COLUMNS), np.int64)
    entries = [library.address(entry(n)) for n in range(code.forms)]
    start, rows = slots.ctypes.data, []
    for stage in code.stages:
        shared = stage.points >= SHARED_FROM and stage.units > stage.grain
        piece = -(-stage.units // (stage.grain * threads * PIECES)) * stage.grain
        rows.append((entries[stage.form], start, stage.units, piece, stage.wait, shared))
        start += 8 * len(stage.slots)
    if rows:
        steps[:] = rows
    return slots, steps
