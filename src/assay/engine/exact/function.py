"""One native function per form, callable through one uniform entry."""

from __future__ import annotations

from math import prod

import llvmlite.ir as ir

from .code import I64, PTR, VOID, integer
from .form import Form
from .frame import Frame
from .native import Machine
from .nest import nest, units
from .scatter import scatter

__all__ = ["ENTRY", "Work", "declare"]

ENTRY = ir.FunctionType(VOID, [PTR, PTR, I64, I64, PTR])
"""void entry(tensors, slots, low, high, scratch): run the units [low, high) with the buffers tensors[slots[n]]."""


class Work:
    """How a form's work can be shared out: `units` pieces, in groups of `grain`; `scratch` bytes per thread."""

    def __init__(self, form: Form) -> None:
        self.units = 1 if form.target else units(form)[1]
        self.grain = 64 if len(form.domain) == 1 and not form.target else 1
        self.points = form.points
        self.scratch = 0


def declare(module: ir.Module, name: str, form: Form, target: Machine) -> Work:
    """Emit the function of `form` and its entry `name` into `module`."""
    kind = ir.FunctionType(VOID, [PTR] * form.slots + [I64, I64, PTR])
    function = ir.Function(module, kind, name + ".body")
    function.linkage = "internal"
    function.attributes.add("nounwind")
    for argument in function.args[: form.slots]:
        argument.add_attribute("noalias")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    *buffers, low, high, _ = function.args
    outer = Frame.outermost(form, builder, buffers)
    if form.target:
        scatter(form, outer, target.vector)
    elif prod(form.domain):
        nest(form, outer, low, high, target.vector)
    builder.ret_void()
    _entry(module, name, function, form.slots)
    return Work(form)


def _entry(module: ir.Module, name: str, body: ir.Function, slots: int) -> None:
    entry = ir.Function(module, ENTRY, name)
    b = ir.IRBuilder(entry.append_basic_block("entry"))
    tensors, numbers, low, high, scratch = entry.args
    buffers = []
    for n in range(slots):
        number = b.load(b.gep(numbers, [integer(n)], source_etype=I64), typ=I64)
        buffers.append(b.load(b.gep(tensors, [number], source_etype=PTR), typ=PTR))
    b.call(body, [*buffers, low, high, scratch])
    b.ret_void()
