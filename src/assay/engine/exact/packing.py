"""Copy part of an operand into scratch memory as binary32, in the order in which a product's tiles walk through it."""

from __future__ import annotations

from typing import NamedTuple

import llvmlite.ir as ir

from .code import F32, I32, Code, integer
from .form import Access, check_depends
from .frame import Frame, loop

__all__ = ["Walk", "copy", "transpose"]


class Walk(NamedTuple):
    """One loop of a copy: over the loop `dim` of the form for `length` indices, `step` floats apart in scratch."""

    dim: int
    length: ir.Value | int
    step: int


def copy(frame: Frame, access: Access, target: ir.Value, walks: list[Walk], vector: int) -> None:
    """target[sum of index·step] = the operand at these indices, from where `frame` stands."""
    b, walks = frame.code.builder, _joined(frame, access, walks)
    if not walks:
        b.store(frame.value(access, ()), target, align=4)
        return
    first, *rest = walks
    if not rest and first.step == 1:
        _row(frame, access, target, first, vector)
        return
    count = integer(first.length) if isinstance(first.length, int) else first.length

    def body(index: ir.Value, carried: list[ir.Value]) -> tuple[()]:
        line = frame.code.element(target, F32, b.mul(index, integer(first.step)))
        copy(frame.enter(first.dim, index), access, line, rest, vector)
        return ()

    loop(b, integer(0), count, 1, (), body)


def _joined(frame: Frame, access: Access, walks: list[Walk]) -> list[Walk]:
    """Neighbouring loops as one where both sides run straight through them."""
    strides, joined = access.flat.strides, list(walks[-1:])
    for outer in reversed(walks[:-1]):
        inner = joined[0]
        fixed = not any(check_depends(c, d) for c in access.checks for d in (outer.dim, inner.dim))
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
        for n, line in enumerate(_turned(code, lines)):
            b.store(line, code.element(start, F32, integer(n * steps[1])), align=4)
        return ()

    def across(r: ir.Value, carried: list[ir.Value]) -> tuple[()]:
        loop(b, integer(0), columns, width, (), lambda c, _: block(r, c))
        return ()

    loop(b, integer(0), rows, width, (), across)


def _turned(code: Code, lines: list[ir.Value]) -> list[ir.Value]:
    """The columns of a square of lanes: log2 rounds of interleaving line n with line n + width / 2."""
    b, width = code.builder, code.width
    kind = ir.VectorType(I32, width)
    low = ir.Constant(kind, [n // 2 + n % 2 * width for n in range(width)])
    high = ir.Constant(kind, [n // 2 + n % 2 * width + width // 2 for n in range(width)])
    for _ in range(width.bit_length() - 1):
        pairs = zip(lines[: width // 2], lines[width // 2 :], strict=True)
        lines = [b.shuffle_vector(x, y, mask) for x, y in pairs for mask in (low, high)]
    return lines


def _row(frame: Frame, access: Access, target: ir.Value, walk: Walk, vector: int) -> None:
    """Consecutive elements in scratch, as wide as fits."""
    b, start = frame.code.builder, integer(0)
    count = integer(walk.length) if isinstance(walk.length, int) else walk.length
    for width in _widths(walk.length, vector):
        stop = b.add(start, b.and_(b.sub(count, start), integer(-width)))

        def body(index: ir.Value, carried: list[ir.Value], width: int = width) -> tuple[()]:
            value = frame.enter(walk.dim, index, width).value(access, ())
            b.store(value, frame.code.element(target, F32, index), align=4)
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
