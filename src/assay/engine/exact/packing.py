"""Between tensors and scratch memory: operands as binary32 in the order in which a product's tiles walk through them,
and blocks of its result on their way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import llvmlite.ir as ir

from assay.program.types import DType

from .code import F32, I32, Code, integer
from .form import Access, Check, check_depends
from .frame import Frame, loop
from .storage import pack

__all__ = ["Walk", "copy", "panels", "transpose", "turned", "unload"]


UNROLLED = 4
"""Loops of at most so many iterations, the sides of a small window say, are written out."""


class Walk(NamedTuple):
    """One loop of a copy: over the loop `dim` of the form for `length` indices, `step` floats apart in scratch."""

    dim: int
    length: ir.Value | int
    step: int


def copy(frame: Frame, access: Access, target: ir.Value, walks: list[Walk], vector: int) -> None:
    """target[sum of index·step] = the operand at these indices, from where `frame` stands."""
    b, walks = frame.code.builder, _joined(frame, access.flat.strides, access.checks, walks)
    if not walks:
        b.store(frame.value(access, ()), target, align=4)
        return
    first, *rest = walks
    if not rest and first.step == 1:

        def lanes(index: ir.Value, width: int) -> None:
            value = frame.enter(first.dim, index, width).value(access, ())
            b.store(value, frame.code.element(target, F32, index), align=4)

        _row(frame, first, vector, lanes)
        return

    def body(index: ir.Value) -> None:
        line = frame.code.element(target, F32, b.mul(index, integer(first.step)))
        copy(frame.enter(first.dim, index), access, line, rest, vector)

    _repeat(b, first.length, body)


def panels(
    frame: Frame,
    access: Access,
    target: ir.Value,
    terms: list[Walk],
    dim: int,
    counts: list[int],
    steps: tuple[int, int],
) -> None:
    """target[n·steps[1] + sum of index·step + m] = row n·steps[0] + m at these terms, for m < counts[n].

    Rows are indices of the loop `dim`, and lie side by side.
    """
    b = frame.code.builder
    if not terms:
        vector = 1 << steps[0].bit_length() - 1
        for n, count in enumerate(counts):
            line = frame.code.element(target, F32, integer(n * steps[1]))
            copy(frame.enter(dim, integer(n * steps[0])), access, line, [Walk(dim, count, 1)], vector)
        return
    first, *rest = terms

    def body(index: ir.Value) -> None:
        line = frame.code.element(target, F32, b.mul(index, integer(first.step)))
        panels(frame.enter(first.dim, index), access, line, rest, dim, counts, steps)

    _repeat(b, first.length, body)


def unload(frame: Frame, dtype: DType, source: ir.Value, walks: list[Walk], vector: int) -> None:
    """The result's element at these indices = source[sum of index·step], from where `frame` stands."""
    flat = frame.form.flat.strides
    ordered = sorted(walks, key=lambda w: (-flat[w.dim], -w.step))
    _unload(frame, dtype, source, _joined(frame, flat, (), ordered), vector)


def _unload(frame: Frame, dtype: DType, source: ir.Value, walks: list[Walk], vector: int) -> None:
    b = frame.code.builder
    if not walks:
        frame.store(0, pack(frame.code, dtype, b.load(source, typ=F32, align=4)), dtype)
        return
    first, *rest = walks
    if not rest and first.step == 1 and frame.form.flat.strides[first.dim] == 1:

        def lanes(index: ir.Value, width: int) -> None:
            inner = frame.enter(first.dim, index, width)
            value = b.load(frame.code.element(source, F32, index), typ=inner.code.wide(F32), align=4)
            inner.store(0, pack(inner.code, dtype, value), dtype)

        _row(frame, first, vector, lanes)
        return

    def body(index: ir.Value) -> None:
        line = frame.code.element(source, F32, b.mul(index, integer(first.step)))
        _unload(frame.enter(first.dim, index), dtype, line, rest, vector)

    _repeat(b, first.length, body)


def _repeat(b: ir.IRBuilder, count: ir.Value | int, body: Callable[[ir.Value], None]) -> None:
    """body(index) for all indices; a few of them without a loop."""
    if isinstance(count, int) and count <= UNROLLED:
        for n in range(count):
            body(integer(n))
        return

    def step(index: ir.Value, carried: list[ir.Value]) -> tuple[()]:
        body(index)
        return ()

    loop(b, integer(0), integer(count) if isinstance(count, int) else count, 1, (), step)


def _joined(frame: Frame, strides: Sequence[int], checks: Sequence[Check], walks: list[Walk]) -> list[Walk]:
    """Neighbouring loops as one where both sides run straight through them."""
    joined = list(walks[-1:])
    for outer in reversed(walks[:-1]):
        inner = joined[0]
        fixed = not any(check_depends(c, d) for c in checks for d in (outer.dim, inner.dim))
        through = isinstance(inner.length, int) and (strides[outer.dim], outer.step) == (
            strides[inner.dim] * inner.length,
            inner.step * inner.length,
        )
        if fixed and through:
            known = isinstance(outer.length, int)
            count = (
                outer.length * inner.length if known else frame.code.builder.mul(outer.length, integer(inner.length))
            )
            joined[0] = Walk(inner.dim, count, inner.step)
        else:
            joined.insert(0, outer)
    return joined


def transpose(
    code: Code, source: ir.Value, target: ir.Value, rows: ir.Value, columns: ir.Value, steps: tuple[int, int]
) -> None:
    """target[c·steps[1] + r] = source[r·steps[0] + c], in square blocks of `code.width`.

    Whole blocks are moved: both sides must have room up to the next multiples of the width.
    """
    b, width = code.builder, code.width

    def block(r: ir.Value, c: ir.Value) -> tuple[()]:
        start = code.element(source, F32, b.add(b.mul(r, integer(steps[0])), c))
        lines = [
            b.load(code.element(start, F32, integer(n * steps[0])), typ=code.wide(F32), align=4) for n in range(width)
        ]
        start = code.element(target, F32, b.add(b.mul(c, integer(steps[1])), r))
        for n, line in enumerate(turned(code, lines)):
            b.store(line, code.element(start, F32, integer(n * steps[1])), align=4)
        return ()

    def across(r: ir.Value, carried: list[ir.Value]) -> tuple[()]:
        loop(b, integer(0), columns, width, (), lambda c, _: block(r, c))
        return ()

    loop(b, integer(0), rows, width, (), across)


def turned(code: Code, lines: list[ir.Value]) -> list[ir.Value]:
    """The columns of a square of lanes: log2 rounds of interleaving line n with line n + width / 2."""
    b, width = code.builder, code.width
    kind = ir.VectorType(I32, width)
    low = ir.Constant(kind, [n // 2 + n % 2 * width for n in range(width)])
    high = ir.Constant(kind, [n // 2 + n % 2 * width + width // 2 for n in range(width)])
    for _ in range(width.bit_length() - 1):
        pairs = zip(lines[: width // 2], lines[width // 2 :], strict=True)
        lines = [b.shuffle_vector(x, y, mask) for x, y in pairs for mask in (low, high)]
    return lines


def _row(frame: Frame, walk: Walk, vector: int, emit: Callable[[ir.Value, int], None]) -> None:
    """emit(index, width) for consecutive elements in scratch, as wide as fits."""
    b, start = frame.code.builder, integer(0)
    count = integer(walk.length) if isinstance(walk.length, int) else walk.length
    for width in _widths(walk.length, vector):
        stop = b.add(start, b.and_(b.sub(count, start), integer(-width)))

        def body(index: ir.Value, carried: list[ir.Value], width: int = width) -> tuple[()]:
            emit(index, width)
            return ()

        loop(b, start, stop, width, (), body)
        start = stop


def _widths(count: ir.Value | int, vector: int) -> list[int]:
    """From wide to narrow; for a known count, only those that are used."""
    if not isinstance(count, int):
        return [vector, 1] if vector > 1 else [1]
    widths, width = [], vector
    while width:
        if count >= width:
            widths.append(width)
            count %= width
        width //= 2
    return widths
