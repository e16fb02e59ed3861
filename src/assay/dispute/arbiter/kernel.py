"""A piece of one element of one kernel on plain integers, as the contract `referee` executes it (docs/dispute.md, section 8).

Element by element and term by term, straight from the definition: it is as slow as it is clear.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from ...errors import UsageError
from ...program.code import Coded
from ...program.code_bounds import index_operands
from ...program.kernel import Axis, Const, Coordinate, Operand, Order
from ...program.types import DType
from .scalar import apply, store, widen

__all__ = ["LANES", "ReadElement", "execute", "finish", "start"]

LANES = 16
_WORD = 1 << 64

ReadElement = Callable[[int, int], int]
"""(value number, row-major position) -> the stored bits of that element."""


def start(code: Coded, element: int, read: ReadElement) -> list[int]:
    """The accumulator before the first term: `initial`, or 16 of them; the base's element; nothing without a fold.

    Raises UsageError if there is no such element.
    """
    kernel = code.kernel
    if not 0 <= element < code.elements:
        raise UsageError("no such element", element=element, elements=code.elements)
    if kernel.scatter:
        return [_stored(code, kernel.scatter.base, element, read)[1]]
    return {Order.NONE: [], Order.CHAIN: [kernel.initial], Order.LANES: [kernel.initial] * LANES}[kernel.order]


def execute(code: Coded, element: int, first: int, last: int, acc: Sequence[int], read: ReadElement) -> list[int]:
    """The accumulator after the terms first .. last - 1 of an element; without a fold the element's stored bits.

    `acc` is the accumulator before: one word, 16 for LANES, none without a fold. Raises UsageError if there is no such
    piece, or where the contract would refuse it.
    """
    kernel = code.kernel
    width = LANES if kernel.order is Order.LANES else int(kernel.order is Order.CHAIN or kernel.scatter is not None)
    if not 0 <= element < code.elements or not 0 <= first <= last <= code.terms or last - first > code.piece:
        raise UsageError("no such piece", element=element, first=first, last=last, terms=code.terms)
    if len(acc) != width or (not width and first == last):
        raise UsageError("this accumulator is not of such a kernel", words=len(acc))
    if not width:
        return [_plain(code, _Term(code, element, 0, read))]
    result = list(acc)
    for k in range(first, last):
        if kernel.scatter:
            result[0] = _write(code, _Term(code, k, 0, read), element, result[0])
        else:
            lane = k % width
            values = [widen(dtype, bits) for dtype, bits in _Term(code, element, k, read).arguments()]
            result[lane] = apply(kernel.op, _computed(kernel.dtype), kernel.dtype, *values, result[lane])
    return result


def finish(code: Coded, acc: Sequence[int]) -> int:
    """The stored bits of the element of which `acc` is the accumulator after the last term."""
    kernel = code.kernel
    if kernel.order is Order.NONE:
        return acc[0]
    lanes, width = list(acc), len(acc)
    while width > 1:
        width //= 2
        for lane in range(width):
            lanes[lane] = apply(kernel.op, _computed(kernel.dtype), kernel.dtype, lanes[lane + width], lanes[lane])
    return store(kernel.dtype, lanes[0])


def _computed(dtype: DType) -> DType:
    return DType.FLOAT32 if dtype.is_float else dtype


def _stored(code: Coded, tensor: str, flat: int, read: ReadElement) -> tuple[DType, int]:
    """Type and bits of an element; a bool is 0 or 1, whatever byte is stored."""
    source = code.source(tensor)
    bits = read(source.number, flat)
    return source.dtype, min(bits, 1) if source.dtype is DType.BOOL else bits


def _plain(code: Coded, term: _Term) -> int:
    kernel = code.kernel
    if kernel.op == "first":
        dtype, bits = term.first()
        return store(kernel.dtype, widen(dtype, bits))
    arguments = term.arguments()
    kind = arguments[-1][0]
    if kernel.op == "bitcast":
        return store(kernel.dtype, apply("bitcast", kind, kernel.dtype, arguments[0][1]))
    values = [widen(dtype, bits) for dtype, bits in arguments]
    return store(kernel.dtype, apply(kernel.op, _computed(kind), kernel.dtype, *values))


def _write(code: Coded, term: _Term, element: int, stored: int) -> int:
    """The element after one point of the domain."""
    kernel = code.kernel
    arguments = term.arguments()
    if term.target() != element:
        return stored
    value = widen(*arguments[0])
    if kernel.op != "copy":
        value = apply(kernel.op, _computed(kernel.dtype), kernel.dtype, value, widen(kernel.dtype, stored))
    return store(kernel.dtype, value)


class _Term:
    """The operands of one term: at one index of the domain and one of the fold."""

    def __init__(self, code: Coded, point: int, k: int, read: ReadElement) -> None:
        self._code, self._read = code, read
        self._place = (*_unravel(point, code.kernel.domain), *_unravel(k, code.kernel.fold))
        self._indices = index_operands(code.kernel)
        self._extended: dict[int, int] = {}

    def arguments(self) -> list[tuple[DType, int]]:
        """Type and stored bits of the operands that the operation takes."""
        found = []
        for n, operand in enumerate(self._code.kernel.operands):
            dtype, bits, _ = self._operand(n, operand)
            if n not in self._indices:
                found.append((dtype, bits))
        return found

    def first(self) -> tuple[DType, int]:
        """The first argument that lies inside its view, else the last one."""
        found = (DType.FLOAT32, 0)
        for n, operand in enumerate(self._code.kernel.operands):
            dtype, bits, inside = self._operand(n, operand)
            if n not in self._indices:
                found = dtype, bits
                if inside:
                    break
        return found

    def target(self) -> int | None:
        """The element that a scatter writes to; None outside. The operands have been read."""
        scatter = self._code.kernel.scatter
        return self._locate(scatter.axes, scatter.view) if scatter else None

    def _operand(self, position: int, operand: Operand) -> tuple[DType, int, bool]:
        """Element type, stored bits, inside. Notes the value for those that take it as an index."""
        inside = True
        if isinstance(operand, Const):
            dtype, bits = operand.dtype, operand.bits
        elif isinstance(operand, Coordinate):
            dtype, bits = DType.INT64, self._number(operand.axis)
        else:
            flat = self._locate(operand.axes, operand.view)
            inside = flat is not None
            dtype, bits = self._code.source(operand.tensor).dtype, operand.outside or 0
            if flat is not None:
                dtype, bits = _stored(self._code, operand.tensor, flat, self._read)
        negative = dtype.is_signed and bits >> (dtype.bits - 1)
        self._extended[position] = bits - (1 << dtype.bits) if negative else bits
        return dtype, bits, inside

    def _number(self, axis: Axis) -> int:
        """n of an axis, modulo 2^64."""
        strides = (*axis.strides, *axis.fold_strides)
        n = axis.offset + sum(stride * i for stride, i in zip(strides, self._place, strict=True))
        return (n + (self._extended[axis.indirect] if axis.indirect >= 0 else 0)) % _WORD

    def _locate(self, axes: Sequence[Axis], view: Sequence[int]) -> int | None:
        """The row-major position under a view, None outside."""
        flat: int | None = 0
        for axis, extent in zip(axes, view, strict=True):
            n = self._number(axis)
            coordinate, rest = divmod(n - _WORD if n >= _WORD // 2 else n, axis.divisor)
            outside = rest or not 0 <= coordinate < extent
            flat = None if flat is None or outside else flat * extent + coordinate
        return flat


def _unravel(position: int, shape: Sequence[int]) -> list[int]:
    """The index with this row-major position."""
    return [position // prod(shape[a + 1 :]) % extent for a, extent in enumerate(shape)]
