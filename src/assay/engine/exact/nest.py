"""The generic loop nest: any form, vectorised over the last loop of the domain (or over the 16 lanes of a fold)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod

import llvmlite.ir as ir

from assay.program.kernel import Order
from assay.program.types import DType

from .code import I1, I64, Code, integer
from .form import Form, Statement
from .frame import Frame, loop
from .scalar import apply
from .storage import memory_type, pack, unpack

__all__ = ["GRAIN", "evaluate", "loops", "nest", "units"]

LANES = 16
UNITS = 64
"""Enough units for any number of threads to share the work evenly."""

GRAIN = 64
"""Elements of a one-dimensional domain are shared out in multiples of this, the widest vector."""

Values = list[ir.Value]
Known = Sequence[ir.Value] | Mapping[int, ir.Value]
Point = Callable[[Frame], None]


def units(form: Form) -> tuple[int, int]:
    """How many leading loops of the domain are shared out among threads, and their product."""
    if len(form.domain) < 2:
        return len(form.domain), prod(form.domain)
    count = 1
    while count < len(form.domain) - 1 and prod(form.domain[:count]) < UNITS:
        count += 1
    return count, prod(form.domain[:count])


def nest(form: Form, outer: Frame, low: ir.Value, high: ir.Value, vector: int) -> None:
    """Emit the units [low, high) of `form` at `outer`; vectors have at most `vector` 32-bit lanes."""
    widths, outer = _widths(form, vector), _hoisted(outer, 0)
    point = _POINTS[form.order]
    if not form.domain:
        loop(outer.code.builder, low, high, 1, (), lambda i, c: _run(point, outer))
    elif len(form.domain) == 1:
        _lanes(outer, 0, low, high, widths, point)
    else:
        loop(outer.code.builder, low, high, 1, (), lambda i, c: _unit(form, outer, i, widths, point))


def _run(point: Point, frame: Frame) -> tuple[()]:
    point(frame)
    return ()


def _widths(form: Form, vector: int) -> list[int]:
    """The numbers of lanes that cover the last loop of the domain, from wide to narrow."""
    if not form.domain or form.order is Order.LANES:
        return [1]
    wide, left, widths = 4 * vector if form.order is Order.CHAIN else vector, form.domain[-1], []
    if len(form.domain) == 1 and left > GRAIN:  # a thread's part starts and, but for the last one, ends at a grain
        left = wide + left % wide
    while wide:
        if left >= wide:
            widths.append(wide)
            left %= wide
        wide = wide // 4 if wide > vector else wide // 2
    return widths


def _unit(form: Form, outer: Frame, unit: ir.Value, widths: list[int], point: Point) -> tuple[()]:
    """One unit: find its indices, run the loops below."""
    b, count = outer.code.builder, units(form)[0]
    frame, rest = outer, unit
    for dim in range(count):
        below = prod(form.domain[dim + 1 : count])
        index = b.udiv(rest, integer(below)) if below > 1 else rest
        rest = b.sub(rest, b.mul(index, integer(below))) if below > 1 else rest
        frame = frame.enter(dim, index)
    loops(form, _hoisted(frame, count), count, widths, point)
    return ()


def loops(form: Form, frame: Frame, dim: int, widths: list[int], point: Point) -> None:
    """Emit the loops of the domain from `dim` on, the last one with the given widths."""
    last = len(form.domain) - 1
    if dim == last:
        _lanes(frame, dim, integer(0), integer(form.domain[dim]), widths, point)
        return

    def body(index: ir.Value, carried: Values) -> tuple[()]:
        loops(form, _hoisted(frame.enter(dim, index), dim + 1), dim + 1, widths, point)
        return ()

    loop(frame.code.builder, integer(0), integer(form.domain[dim]), 1, (), body)


def _lanes(frame: Frame, dim: int, low: ir.Value, high: ir.Value, widths: list[int], point: Point) -> None:
    """for index in [low, high): in steps of the widest width while they fit, then of the next."""
    b, start = frame.code.builder, low
    for width in widths:
        stop = high
        if width > 1:
            whole = b.and_(b.sub(high, start), integer(-width))
            stop = b.add(start, whole)

        def body(index: ir.Value, carried: Values, width: int = width) -> tuple[()]:
            return _run(point, frame.enter(dim, index, width))

        loop(b, start, stop, width, (), body)
        start = stop


# --- what happens at one point


def _statement(frame: Frame, statement: Statement, values: Known, acc: ir.Value | None) -> ir.Value:
    code, args = frame.code, statement.args
    if statement.op == "bitcast":
        raw = frame.raw(args[0], values)[0]
        return unpack(code, statement.dtype, code.builder.bitcast(raw, code.wide(memory_type(statement.dtype))))
    if statement.op == "first":
        return _first(frame, statement, values)
    operands = [frame.value(a, values) for a in args]
    source = frame.dtype(args[-1]) if args else statement.dtype
    if acc is not None:
        operands.append(acc)
    return apply(statement.op, code, source, statement.dtype, operands)


def _first(frame: Frame, statement: Statement, values: Known) -> ir.Value:
    """The first argument inside its view, else the last one's value."""
    code, chosen = frame.code, None
    for arg in reversed(statement.args):
        raw, inside = frame.raw(arg, values)
        value = unpack(code, frame.dtype(arg), raw)
        everywhere = chosen is None or inside is None
        chosen = value if everywhere else code.builder.select(inside, value, chosen)
    assert chosen is not None
    return chosen


def _hoisted(frame: Frame, dim: int) -> Frame:
    """The same place, with all made here that no loop from `dim` on can change."""
    frame, form = frame.hoist(dim), frame.form
    values = {n: frame.code.lanes(value) for n, value in frame.done.items()}
    for n, (statement, loops) in enumerate(zip(form.statements, form.reach, strict=True)):
        folds = (form.order is not Order.NONE or form.target) and n == len(form.statements) - 1
        if n not in values and not folds and all(d < dim for d in loops):
            values[n] = _statement(frame, statement, values, None)
    return replace(frame, done=values) if len(values) > len(frame.done) else frame


def evaluate(frame: Frame, acc: ir.Value | None = None) -> Values:
    """The statements' values at the frame; `acc` goes to the last one."""
    values: Values = []
    last = len(frame.form.statements) - 1
    for n, statement in enumerate(frame.form.statements):
        if n in frame.done:
            values.append(frame.code.lanes(frame.done[n]))
            continue
        values.append(_statement(frame, statement, values, acc if n == last else None))
    return values


def _store(frame: Frame, values: Sequence[ir.Value]) -> None:
    for n, slot in frame.form.stores:
        dtype = frame.form.statements[n].dtype
        frame.store(slot, pack(frame.code, dtype, values[n]), dtype)


def _map_point(frame: Frame) -> None:
    _store(frame, evaluate(frame))


def _initial(form: Form, code: Code) -> ir.Value:
    dtype = form.statements[-1].dtype
    return code.immediate(DType.FLOAT32 if dtype.is_float else dtype, form.initial)


def _chain_point(frame: Frame) -> None:
    """acc = op(x.., acc) for k increasing, for all lanes of the frame side by side."""
    form, frame = frame.form, _hoisted(frame, len(frame.form.domain))

    def descend(inner: Frame, dim: int, acc: ir.Value) -> ir.Value:
        if dim == len(form.extents):
            return evaluate(inner, acc)[-1]

        def body(index: ir.Value, carried: Values) -> Values:
            return [descend(inner.enter(dim, index), dim + 1, carried[0])]

        return loop(inner.code.builder, integer(0), integer(form.extents[dim]), 1, [acc], body)[0]

    result = descend(frame, len(form.domain), _initial(form, frame.code))
    _store(frame, [*([result] * len(form.statements))])


def _lanes_point(frame: Frame) -> None:
    """16 accumulators over k mod 16, then the tree 8, 4, 2, 1 (kernel.Order.LANES)."""
    form, b = frame.form, frame.code.builder
    code, first, fold = frame.code.at_width(LANES), len(form.domain), form.fold or (1,)
    acc, frame = _initial(form, code), _hoisted(frame, first)
    if form.fold and (len(fold) == 1 or fold[-1] >= LANES):
        acc = _turned(b, _lanes_straight(frame, first, acc), -prod(fold))
    elif form.fold:
        acc = _lanes_scattered(frame, first, acc)
    else:
        term = evaluate(frame, b.extract_element(acc, ir.Constant(I64, 0)))[-1]
        acc = b.insert_element(acc, term, ir.Constant(I64, 0))
    width, op, dtype = LANES, form.statements[-1].op, form.statements[-1].dtype
    while width > 1:
        width //= 2
        halves = Code(b, width)
        low, high = _part(b, acc, 0, width), _part(b, acc, width, width)
        acc = apply(op, halves, dtype, dtype, [high, low])
    _store(frame, [*([acc] * len(form.statements))])


def _part(b: ir.IRBuilder, value: ir.Value, start: int, width: int) -> ir.Value:
    """`width` consecutive lanes; a scalar for one."""
    if width == 1:
        return b.extract_element(value, ir.Constant(I64, start))
    kind = ir.VectorType(ir.IntType(32), width)
    return b.shuffle_vector(
        value, ir.Constant(value.type, ir.Undefined), ir.Constant(kind, [*range(start, start + width)])
    )


def _turned(b: ir.IRBuilder, acc: ir.Value, by: int) -> ir.Value:
    """Lane l becomes what lane l + by was, round the corner."""
    if by % LANES == 0:
        return acc
    places = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [(n + by) % LANES for n in range(LANES)])
    return b.shuffle_vector(acc, ir.Constant(acc.type, ir.Undefined), places)


def _tail(frame: Frame, count: int) -> Frame:
    """The frame with only the first `count` lanes active."""
    return frame.only(frame.code.each(I1, [int(n < count) for n in range(frame.code.width)]))


def _lanes_straight(frame: Frame, dim: int, acc: ir.Value) -> ir.Value:
    """The fold's last loop in steps of 16. Where that ends with a shorter step, the next term belongs to another lane:
    the accumulators are turned by as many lanes, so that it finds its own in lane 0."""
    form, b = frame.form, frame.code.builder
    if dim < len(form.extents) - 1:

        def body(index: ir.Value, carried: Values) -> Values:
            return [_lanes_straight(frame.enter(dim, index), dim + 1, carried[0])]

        return loop(b, integer(0), integer(form.extents[dim]), 1, [acc], body)[0]
    whole = form.extents[dim] // LANES * LANES

    def step(index: ir.Value, carried: Values) -> Values:
        return [evaluate(frame.enter(dim, index, LANES), carried[0])[-1]]

    acc = loop(b, integer(0), integer(whole), LANES, [acc], step)[0]
    if whole < form.extents[dim]:
        rest = _tail(frame.enter(dim, integer(whole), LANES), form.extents[dim] - whole)
        assert rest.active is not None
        acc = b.select(rest.active, evaluate(rest, acc)[-1], acc)
    return _turned(b, acc, form.extents[dim])


def _lanes_scattered(frame: Frame, first: int, acc: ir.Value) -> ir.Value:
    """k runs over all loops of the fold at once; each lane finds its own indices."""
    form, b = frame.form, frame.code.builder
    code, total = frame.code.at_width(LANES), prod(form.fold)

    def step(start: ir.Value, carried: Values) -> Values:
        k = b.add(code.splat(start), code.each(I64, [*range(LANES)]))
        active = b.icmp_signed("<", k, code.constant(I64, total))
        inner, rest = frame, b.select(active, k, code.constant(I64, 0))
        for dim in range(len(form.fold)):
            below = prod(form.fold[dim + 1 :])
            index = b.udiv(rest, code.constant(I64, below))
            rest = b.urem(rest, code.constant(I64, below))
            inner = inner.enter(first + dim, index, LANES)
        return [b.select(active, evaluate(inner.only(active), carried[0])[-1], carried[0])]

    return loop(b, integer(0), integer(total), LANES, [acc], step)[0]


_POINTS: dict[Order, Point] = {Order.NONE: _map_point, Order.CHAIN: _chain_point, Order.LANES: _lanes_point}
