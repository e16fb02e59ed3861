"""Scattering kernels: the output starts as a copy of its base, then values are added at indices in row-major order."""

from __future__ import annotations

import llvmlite.ir as ir

from .code import I1, VOID, integer
from .form import Form
from .frame import Frame
from .nest import loops
from .scalar import apply
from .storage import memory_type, pack, unpack

__all__ = ["scatter"]


def scatter(form: Form, outer: Frame, vector: int) -> None:
    """Emit the whole kernel; it runs on one thread, because different indices may meet at one element.

    The last loop is vectorised where it walks along the output: its lanes then never meet.
    """
    target = form.target
    assert target is not None
    statement = form.statements[0]
    size = integer(target.size * statement.dtype.itemsize)
    args = [outer.buffers[0], outer.buffers[target.base], size, ir.Constant(I1, 0)]
    outer.code.call("llvm.memcpy.p0.p0.i64", VOID, args)
    if 0 in form.domain:
        return
    if not form.domain:
        _point(outer)
        return
    last, widths = len(form.domain) - 1, [1]
    if outer.enter(last, integer(0), 2).is_straight(target.access) and form.domain[last] >= vector > 1:
        widths = [vector, 1]
    loops(form, outer, 0, widths, _point)


def _point(frame: Frame) -> None:
    target = frame.form.target
    assert target is not None
    offset, inside = frame.locate(target.access, target.access.checks)
    if inside is None:
        _update(frame, offset)
    else:
        with frame.code.builder.if_then(inside):
            _update(frame, offset)


def _update(frame: Frame, offset: ir.Value) -> None:
    """output[offset] = op(x, output[offset])."""
    statement, code = frame.form.statements[0], frame.code
    dtype = statement.dtype
    kind, width = memory_type(dtype), dtype.itemsize
    pointer = code.element(frame.buffers[0], kind, offset)
    value = frame.value(statement.args[0], ())
    if statement.op != "copy":
        old = unpack(code, dtype, code.builder.load(pointer, typ=code.wide(kind), align=width))
        value = apply(statement.op, code, dtype, dtype, [value, old])
    code.builder.store(pack(code, dtype, value), pointer, align=width)
