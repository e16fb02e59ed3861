"""What a program becomes before code is written: steps over buffers, few distinct forms, one arena."""

from __future__ import annotations

from dataclasses import dataclass

from assay.errors import ProgramRefused
from assay.program.program import Program
from assay.program.types import DType, Port

from .border import bordered
from .donate import readers, replaced
from .form import Form, collapse
from .fuse import fused
from .layout import arranged
from .lower import form_of
from .native import Machine, machine
from .part import Part
from .schedule import Step, ordered

__all__ = ["Plan", "Step", "plan"]

ALIGNMENT = 64
"""Buffers start at cache lines."""


@dataclass(frozen=True)
class Plan:
    """`offsets` places every intermediate tensor in an arena of `arena` bytes; the others have arrays of their own.

    `waits` says before which steps the threads must meet; `replaced` which inputs an output's tensor may overwrite.
    """

    forms: tuple[Form, ...]
    steps: tuple[Step, ...]
    offsets: dict[str, int]
    arena: int
    waits: tuple[bool, ...]
    replaced: dict[str, str]


def plan(program: Program, target: Machine | None = None) -> Plan:
    """Lower, drop what nothing reads, share forms, and place the intermediates."""
    tensors = _tensors(program)
    for port, name in program.outputs:
        # A reshape is no kernel: an output may see its tensor under another shape of as many elements.
        if (port.dtype, port.size) != (tensors[name].dtype, tensors[name].size):
            raise ProgramRefused(f"the output {port.name} is not of the type of its tensor", output=port.name)
    lowered = [Part(*form_of(kernel, tensors)) for kernel in program.kernels]
    kept = {tensor for _, tensor in program.outputs}
    parts = arranged(_needed(lowered, kept), kept)
    parts = list(bordered(parts, tensors, target or machine()))
    sizes = {name: port.nbytes for name, port in tensors.items()}
    forms: dict[Form, int] = {}
    steps = []
    for part in fused(parts, kept):
        form = collapse(part.form)
        steps.append(Step(forms.setdefault(form, len(forms)), part.tensors, 1 if form.target else len(form.stores)))
    pairs = replaced(program, steps, tuple(forms))
    steps = ordered(steps, sizes, kept, readers(steps, pairs))
    offsets, arena = _place(steps, sizes, kept)
    waits = _barriers(steps, sizes, offsets, {tensor: state for state, tensor in pairs.items()})
    return Plan(tuple(forms), tuple(steps), offsets, arena, waits, pairs)


def _tensors(program: Program) -> dict[str, Port]:
    """The type of every tensor by name."""
    known = {port.name: port for port in program.inputs}
    known |= {name: Port(name, DType.of(array), array.shape) for name, array in program.constants.items()}
    return known | {k.output: Port(k.output, k.dtype, k.shape) for k in program.kernels}


def _needed(parts: list[Part], kept: set[str]) -> list[Part]:
    """The parts that an output depends on, in order. A read that is always outside its tensor is no dependence."""
    wanted, chosen = set(kept), []
    for part in reversed(parts):
        if part.output in wanted:
            chosen.append(part)
            wanted.update(part.tensors[1:])
    return chosen[::-1]


def _place(steps: list[Step], sizes: dict[str, int], kept: set[str]) -> tuple[dict[str, int], int]:
    """First fit by step: a buffer is free again after the last step that names its tensor."""
    last = {tensor: n for n, step in enumerate(steps) for tensor in step.tensors}
    free: list[tuple[int, int]] = []  # (offset, size), by offset
    offsets: dict[str, int] = {}
    top = 0
    for n, step in enumerate(steps):
        for tensor in step.tensors[: step.outputs]:
            if tensor not in kept:
                offsets[tensor], top = _take(free, _aligned(sizes[tensor]), top)
        for tensor in dict.fromkeys(step.tensors):
            if last[tensor] == n and tensor in offsets:
                _release(free, offsets[tensor], _aligned(sizes[tensor]))
    return offsets, top


def _aligned(size: int) -> int:
    return max(1, -(-size // ALIGNMENT)) * ALIGNMENT


def _take(free: list[tuple[int, int]], size: int, top: int) -> tuple[int, int]:
    """The smallest hole that fits, else the end of the arena; returns the offset and the new end."""
    fits = [(hole, offset) for offset, hole in free if hole >= size]
    if not fits:
        if free and sum(free[-1]) == top:
            offset, hole = free.pop()
            return offset, offset + size
        return top, top + size
    hole, offset = min(fits)
    free.remove((offset, hole))
    if hole > size:
        free.append((offset + size, hole - size))
        free.sort()
    return offset, top


def _release(free: list[tuple[int, int]], offset: int, size: int) -> None:
    free.append((offset, size))
    free.sort()
    merged: list[tuple[int, int]] = []
    for start, length in free:
        if merged and sum(merged[-1]) == start:
            merged[-1] = (merged[-1][0], merged[-1][1] + length)
        else:
            merged.append((start, length))
    free[:] = merged


def _barriers(
    steps: list[Step], sizes: dict[str, int], offsets: dict[str, int], same: dict[str, str]
) -> tuple[bool, ...]:
    """Whether the threads must meet before each step: it touches what a step since the last meeting wrote or read.

    A tensor in `same` may lie where another one does.
    """
    waits = []
    written: list[tuple[str, int, int]] = []
    read: list[tuple[str, int, int]] = []

    def span(tensor: str) -> tuple[str, int, int]:
        if tensor in offsets:
            return "", offsets[tensor], offsets[tensor] + _aligned(sizes[tensor])
        return same.get(tensor, tensor), 0, 1

    def meets(a: tuple[str, int, int], others: list[tuple[str, int, int]]) -> bool:
        return any(a[0] == b[0] and a[1] < b[2] and b[1] < a[2] for b in others)

    for step in steps:
        outputs = [span(t) for t in step.tensors[: step.outputs]]
        inputs = [span(t) for t in step.tensors[step.outputs :]]
        wait = any(meets(x, written) for x in outputs + inputs) or any(meets(x, read) for x in outputs)
        if wait:
            written, read = [], []
        written += outputs
        read += inputs
        waits.append(wait)
    return tuple(waits)
