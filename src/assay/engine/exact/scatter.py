"""Scattering kernels: the output starts as a copy of its base, then values are added at indices in row-major order."""

from __future__ import annotations

import llvmlite.ir as ir

from .code import I1, I8, VOID, integer
from .form import Form
from .frame import Frame, loop
from .nest import loops
from .scalar import apply
from .storage import memory_type, pack, unpack

__all__ = ["scatter"]


def scatter(form: Form, outer: Frame, low: ir.Value, high: ir.Value, vector: int) -> int:
    """Emit the units [low, high) of a form; returns how many there are.

    Different indices may meet at one element, so a unit keeps their order. There are several where the first loop walks
    from one slab of the output to the next: then indices of different units never meet.

    The last loop is vectorised where it walks along the output: its lanes then never meet.
    """
    target, b = form.target, outer.code.builder
    assert target is not None
    slab = _slab(form)
    size, shared = form.statements[0].dtype.itemsize, slab > 0
    start = integer(0) if not shared else b.mul(low, integer(slab * size))
    count = integer(target.size * size) if not shared else b.mul(b.sub(high, low), integer(slab * size))
    _base(outer, start, count)
    if 0 in form.domain:
        return 1
    if not form.domain:
        _point(outer)
        return 1
    last, widths = len(form.domain) - 1, [1]
    if outer.enter(last, integer(0), 2).is_straight(target.access) and form.domain[last] >= vector > 1:
        widths = [vector, 1]
    if not shared or not last:
        loops(form, outer, 0, widths, _point)
        return 1

    def unit(index: ir.Value, carried: list[ir.Value]) -> tuple[()]:
        loops(form, outer.enter(0, index), 1, widths, _point)
        return ()

    loop(b, low, high, 1, (), unit)
    return form.domain[0]


def _slab(form: Form) -> int:
    """Elements of the output that belong to one iteration of the first loop; 0 where iterations share elements."""
    target = form.target
    assert target is not None
    if len(form.domain) < 2 or 0 in form.domain:
        return 0
    flat = target.access.flat
    slab = flat.strides[0]
    low, high = flat._replace(strides=(0, *flat.strides[1:])).bounds(form.extents)
    high += sum((check.extent - 1) * check.scale for check in target.access.checks)
    return slab if low >= 0 and high < slab and slab * form.domain[0] == target.size else 0


def _base(outer: Frame, start: ir.Value, count: ir.Value) -> None:
    """Put the bytes [start, start + count) of the base into the output."""
    code, target = outer.code, outer.form.target
    assert target is not None
    place, sure = code.element(outer.buffers[0], I8, start), ir.Constant(I1, 0)
    if target.blank:
        code.call("llvm.memset.p0.i64", VOID, [place, ir.Constant(I8, 0), count, sure])
    else:
        source = code.element(outer.buffers[target.base], I8, start)
        code.call("llvm.memcpy.p0.p0.i64", VOID, [place, source, count, sure])


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
