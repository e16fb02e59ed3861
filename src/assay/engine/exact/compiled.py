"""What compilation leaves behind: object code and plain tables, nothing that needs the compiler to be used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import llvmlite.ir as ir
import msgspec

from assay.program.kernel import Order
from assay.program.program import Program

from .form import Form
from .function import Work, declare
from .native import Machine, assemble
from .nest import GRAIN
from .plan import plan
from .runner import declare_run
from .wide_fma import bare

__all__ = ["Compiled", "Stage", "build", "entry"]

FORMS = 12
"""Functions that are compiled together. Too few repeat what functions share, too many leave a processor idle."""


class Stage(msgspec.Struct, frozen=True, array_like=True):
    """One step: the function number `form` on the tensors with these numbers, and how its work is shared (Work)."""

    form: int
    slots: tuple[int, ...]
    units: int
    grain: int
    points: int
    wait: bool


class Compiled(msgspec.Struct, frozen=True, array_like=True):
    """A program as object files. They run on any number of threads.

    `tensors` names the tensors by number: inputs, constants, then the rest. `offsets` places the intermediate ones in
    an arena of `arena` bytes; each thread needs `scratch` bytes of its own. `replaced` has the tensor that may overwrite
    an input, by its name.
    """

    objects: tuple[bytes, ...]
    forms: int
    tensors: tuple[str, ...]
    stages: tuple[Stage, ...]
    offsets: dict[str, int]
    arena: int
    scratch: int
    replaced: dict[str, str]


def entry(form: int) -> str:
    """The symbol of function number `form`."""
    return f"k{form}"


def build(program: Program, target: Machine) -> Compiled:
    """Plan, write LLVM assembly, compile it. Raises ProgramRefused for a malformed kernel."""
    made = plan(program, target)
    functions: dict[Form, int] = {}
    number = [functions.setdefault(_of_any_length(form), len(functions)) for form in made.forms]
    works, objects = _assembled(tuple(functions), target)
    names = [p.name for p in program.inputs] + list(program.constants)
    names += [t for step in made.steps for t in step.tensors]
    tensors = {name: n for n, name in enumerate(dict.fromkeys(names))}
    stages = []
    for step, wait in zip(made.steps, made.waits, strict=True):
        form, function = made.forms[step.form], number[step.form]
        work, slots = works[function], tuple(tensors[t] for t in step.tensors)
        count = form.domain[0] if _is_row(form) else work.units
        stages.append(Stage(function, slots, count, work.grain, form.points, wait))
    scratch = max((work.scratch for work in works), default=0)
    numbers, steps, offsets = tuple(tensors), tuple(stages), dict(made.offsets)
    return Compiled(objects, len(functions), numbers, steps, offsets, made.arena, scratch, dict(made.replaced))


def _is_row(form: Form) -> bool:
    """Whether it is one long loop over elements: code that is told where to start and to end, and needs no length."""
    return form.order is Order.NONE and form.target is None and len(form.domain) == 1 and form.domain[0] > GRAIN


def _of_any_length(form: Form) -> Form:
    """The form whose function runs this one. Rows differ in what is left over after whole vectors, and in no more."""
    if not _is_row(form):
        return form
    return replace(form, domain=(GRAIN + (form.domain[0] % GRAIN or GRAIN),))


def _assembled(forms: tuple[Form, ...], target: Machine) -> tuple[list[Work], tuple[bytes, ...]]:
    """Compile while the rest is still being written: LLVM needs no interpreter lock."""
    works: list[Work] = []
    parts = _parts(forms, target, works)
    if len(forms) <= FORMS:
        return works, tuple(assemble(part, target) for part in parts)
    with ThreadPoolExecutor(_processors()) as pool:
        jobs = [pool.submit(assemble, part, target) for part in parts]
        return works, tuple(job.result() for job in jobs)


def _parts(forms: tuple[Form, ...], target: Machine, works: list[Work]) -> Iterator[str]:
    """Modules of some functions each, the last one with the loop over the steps; `works` grows on the way."""
    for start in range(0, max(1, len(forms)), FORMS):
        module = ir.Module("assay")
        bare(module, target)
        for n, form in enumerate(forms[start : start + FORMS], start):
            works.append(declare(module, entry(n), form, target))
        if start + FORMS >= len(forms):
            declare_run(module, target)
        yield str(module)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
