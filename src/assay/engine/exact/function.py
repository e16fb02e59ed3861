"""One native function per form, callable through one uniform entry."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import llvmlite.ir as ir

from assay.program.kernel import Order

from . import block
from .code import I64, PTR, VOID, integer
from .form import Form
from .frame import Frame
from .native import Machine
from .nest import GRAIN, nest, units
from .product import match
from .scatter import scatter

__all__ = ["ENTRY", "Work", "declare"]

ENTRY = ir.FunctionType(VOID, [PTR, PTR, I64, I64, PTR])
"""void entry(tensors, slots, low, high, scratch): run the units [low, high) with the buffers tensors[slots[n]]."""


class Work(NamedTuple):
    """How a form's work can be shared out: `units` pieces, in groups of `grain`; `scratch` bytes per thread."""

    units: int
    grain: int
    points: int
    scratch: int = 0


def declare(module: ir.Module, name: str, form: Form, target: Machine) -> Work:
    """Emit the function of `form` and its entry `name` into `module`."""
    kind = ir.FunctionType(VOID, [PTR] * form.slots + [I64, I64, PTR])
    function = ir.Function(module, kind, name + ".body")
    function.linkage = "internal"
    function.attributes.add("nounwind")
    if form.order is not Order.NONE or form.target:  # a plain loop may overwrite what it reads (donate.py)
        for argument in function.args[: form.slots]:
            argument.add_attribute("noalias")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    *buffers, low, high, scratch = function.args
    outer = Frame.outermost(form, builder, buffers)
    work = _emit(outer, low, high, scratch, target)
    builder.ret_void()
    _entry(module, name, function, form.slots)
    return work


def _emit(outer: Frame, low: ir.Value, high: ir.Value, scratch: ir.Value, target: Machine) -> Work:
    form = outer.form
    if form.target:
        return Work(scatter(form, outer, low, high, target.vector), 1, form.points)
    product = match(form, target)
    if product is not None:
        block.emit(product, outer, low, high, scratch)
        return Work(prod(product.grid), 1, form.points, 4 * sum(product.scratch))
    if prod(form.domain):
        nest(form, outer, low, high, target.vector)
    return Work(units(form)[1], GRAIN if len(form.domain) == 1 else 1, form.points)


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
