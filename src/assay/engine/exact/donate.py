"""Which outputs may take the memory of the state that they replace.

`next/x` can overwrite `state/x` if whoever else reads the state has done so before, and the step that writes the one
reads of the other nothing but the element in the same place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.program.kernel import Order
from assay.program.program import NEXT, STATE, Program

from .form import Access, Form
from .schedule import Step

__all__ = ["readers", "replaced"]


def replaced(program: Program, steps: Sequence[Step], forms: Sequence[Form]) -> dict[str, str]:
    """The output's tensor by the input that it can overwrite, if every other reader of the input runs first.

    `steps` are in a possible order; in it, they do.
    """
    inputs = {port.name for port in program.inputs}
    ports = {port.name: tensor for port, tensor in program.outputs}
    shown = list(ports.values())
    made = {t: n for n, step in enumerate(steps) for t in step.made}
    last: dict[str, int] = {}
    for n, step in enumerate(steps):
        for tensor in step.read:
            last[tensor] = n
    found = {}
    for port, tensor in ports.items():
        state = STATE + port.removeprefix(NEXT)
        if not port.startswith(NEXT) or state not in inputs or shown.count(tensor) > 1 or tensor not in made:
            continue
        if state in shown:  # another output shows what came in, and is copied when the run is over
            continue
        writer = made[tensor]
        if last.get(state, -1) <= writer and _in_place(steps[writer], forms[steps[writer].form], state):
            found[state] = tensor
    return found


def readers(steps: Sequence[Step], pairs: Mapping[str, str]) -> list[set[int]]:
    """For each step, those that read what it may overwrite."""
    made = {t: n for n, step in enumerate(steps) for t in step.made}
    before: list[set[int]] = [set() for _ in steps]
    for n, step in enumerate(steps):
        for tensor in step.read:
            writer = made[pairs[tensor]] if tensor in pairs else n
            if writer != n:
                before[writer].add(n)
    return before


def _in_place(step: Step, form: Form, tensor: str) -> bool:
    """Whether a step is a plain loop that reads each element of `tensor` only where it writes its own."""
    if form.order is not Order.NONE or form.target is not None:
        return False
    slots = {n for n, t in enumerate(step.tensors) if t == tensor}
    reads = [a for a in form.args() if isinstance(a, Access) and a.slot in slots]
    return all(a.flat == form.flat and not a.checks for a in reads)
