"""What the referee executes at most. Whatever is beyond has no code, so that what can be ordered can be disputed."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import msgspec

from assay.errors import ProgramRefused

from .kernel import Axis, Const, Coordinate, Kernel, Operand, Order, Read
from .scalar import OPS
from .types import DType

__all__ = ["BOUNDS", "CHUNK", "Bounds", "Source", "check", "index_operands", "piece"]

CHUNK = 1024
"""Bytes that are opened at once."""


class Bounds(msgspec.Struct, frozen=True):
    """All inclusive. The contract's arrays have these sizes."""

    axes: int = 32
    """Of domain and fold together."""
    operands: int = 40
    """Operands of a kernel, and values that it reads."""
    kernel_bytes: int = 9_216
    piece: int = 8
    """Terms of one piece; 16 in a LANES fold."""
    places: int = 192
    """Axes (domain and fold) times terms of a piece."""
    indices: int = 64
    """Index operands times terms of a piece."""
    openings_bytes: int = 32_768
    """Of one piece, if every read of every term lies in another KiB."""
    value_bytes: int = 2**33
    values_depth: int = 20
    """Levels of the tree over the values of a step."""


BOUNDS = Bounds()


class Source(msgspec.Struct, frozen=True):
    """A value that a kernel reads: its number, element type, number of elements."""

    number: int
    dtype: DType
    elements: int

    @property
    def nbytes(self) -> int:
        """Bytes of its elements."""
        return self.elements * self.dtype.itemsize


def index_operands(kernel: Kernel) -> set[int]:
    """Positions of the operands that some axis takes as an index; the operation takes the others."""
    axes = list(kernel.scatter.axes) if kernel.scatter else []
    for operand in kernel.operands:
        if not isinstance(operand, Const):
            axes += [operand.axis] if isinstance(operand, Coordinate) else operand.axes
    return {axis.indirect for axis in axes} - {-1}


def _siblings(leaves: int, depth: int) -> int:
    """The most hashes that a common proof of `leaves` leaves of one tree takes."""
    spread = max(0, leaves - 1).bit_length()
    return leaves * (depth - spread) + (1 << spread) - leaves


def _opened(source: Source, reads: int) -> int:
    """Bytes in an opening for at most `reads` places of the value, its head included."""
    last = max(0, source.nbytes - 1) // CHUNK
    chunks = min(reads, last + 1)
    return 34 + chunks * (4 + CHUNK) + 32 * _siblings(chunks, last.bit_length()) if chunks else 0


def _longest_openings(kernel: Kernel, sources: Sequence[Source], terms: int) -> int:
    """Bytes that opening a piece of `terms` terms takes at most."""
    used = index_operands(kernel)
    reads = {
        n: next(s for s in sources if str(s.number) == x.tensor)
        for n, x in enumerate(kernel.operands)
        if isinstance(x, Read)
    }
    counted = {n for n in reads if n in used or kernel.op != "first"}
    total = sum(_opened(s, terms * sum(reads[n] is s for n in counted)) for s in sources)
    total += max((_opened(reads[n], 1) for n in reads.keys() - counted), default=0)  # `first` opens the one it takes
    opened = min(len(sources), len(reads))
    return total + 1 + 32 * _siblings(opened, BOUNDS.values_depth) if opened else 0


def piece(kernel: Kernel, sources: Sequence[Source]) -> int:
    """Terms of one element of `kernel` that one call executes: 16 for LANES, 1 without a fold, else 8 or what fits.

    Raises ProgramRefused if not even the least piece fits.
    """
    single = kernel.order is Order.NONE and not kernel.scatter
    terms = 16 if kernel.order is Order.LANES else 1 if single else BOUNDS.piece
    least = terms if kernel.order is Order.LANES else 1
    axes, indices = len(kernel.domain) + len(kernel.fold), len(index_operands(kernel))
    while terms >= least:
        fits = _longest_openings(kernel, sources, terms) <= BOUNDS.openings_bytes
        if fits and terms * axes <= BOUNDS.places and terms * indices <= BOUNDS.indices:
            return terms
        terms //= 2
    return refuse("one term of a kernel reads too many places", op=kernel.op)


def refuse(what: str, **evidence: Any) -> int:
    """Raises ProgramRefused."""
    raise ProgramRefused(
        f"the referee could not execute this program: {what}",
        hint="Split the operation that is named, or the tensors that it joins.",
        **evidence,
    )


def check(kernel: Kernel, sources: Sequence[Source], elements: int) -> None:
    """Raises ProgramRefused for a kernel of `elements` elements that the referee does not execute, or that is none."""
    if len(kernel.domain) + len(kernel.fold) > BOUNDS.axes:
        refuse("a kernel has too many axes", limit=BOUNDS.axes, op=kernel.op)
    if max(len(kernel.operands), len(sources)) > BOUNDS.operands:
        refuse("a kernel has too many operands", limit=BOUNDS.operands, op=kernel.op)
    if (kernel.order is Order.NONE) != (kernel.fold == ()) or (kernel.fold and kernel.scatter):
        refuse("a kernel's fold does not fit its order", op=kernel.op)
    if any(source.nbytes > BOUNDS.value_bytes for source in sources):
        refuse("a value has too many bytes", limit=BOUNDS.value_bytes, op=kernel.op)
    if prod(kernel.scatter.view if kernel.scatter else kernel.domain) != elements:
        refuse("a kernel's output has another number of elements than its domain", op=kernel.op)
    _check_arguments(kernel)
    types = _types(kernel, sources)
    _check_axes(kernel, types)
    _check_types(kernel, types)


def _check_arguments(kernel: Kernel) -> None:
    arguments = len(kernel.operands) - len(index_operands(kernel))
    accumulates = kernel.order is not Order.NONE or (kernel.scatter is not None and kernel.op != "copy")
    if kernel.op == "first":
        if accumulates or kernel.scatter or not arguments:
            refuse("`first` neither folds nor scatters", op=kernel.op)
    elif arguments != OPS[kernel.op].arity - accumulates:
        refuse("an operation has the wrong number of operands", op=kernel.op)
    if arguments != 1 and (kernel.order is Order.LANES or kernel.scatter):
        refuse("only operations of two operands fold in lanes or scatter", op=kernel.op)


def _check_axes(kernel: Kernel, types: Sequence[DType]) -> None:
    """Indices are earlier operands of integer type, divisors are positive."""
    located = [(n, axis) for n, operand in enumerate(kernel.operands) for axis in _axes(operand)]
    located += [(len(types), axis) for axis in kernel.scatter.axes] if kernel.scatter else []
    for n, axis in located:
        if axis.indirect != -1 and not (0 <= axis.indirect < n and types[axis.indirect].is_integer):
            refuse("an index is not an earlier operand of integer type", op=kernel.op)
        if not 1 <= axis.divisor < 2**63:
            refuse("a divisor is not positive", op=kernel.op)


def _axes(operand: Operand) -> tuple[Axis, ...]:
    if isinstance(operand, Const):
        return ()
    return (operand.axis,) if isinstance(operand, Coordinate) else operand.axes


def _types(kernel: Kernel, sources: Sequence[Source]) -> list[DType]:
    """The element type of each operand; views have their value's elements."""
    known, types = {str(source.number): source for source in sources}, []
    for operand in kernel.operands:
        if isinstance(operand, Read):
            if prod(operand.view) != known[operand.tensor].elements:
                refuse("a view has another number of elements than its value", op=kernel.op)
            types.append(known[operand.tensor].dtype)
        else:
            types.append(DType.INT64 if isinstance(operand, Coordinate) else operand.dtype)
    if kernel.scatter and known[kernel.scatter.base] != Source(
        known[kernel.scatter.base].number, kernel.dtype, prod(kernel.scatter.view)
    ):
        refuse("a scatter does not have the type of its base", op=kernel.op)
    return types


def _check_types(kernel: Kernel, types: Sequence[DType]) -> None:
    """The operation exists for its arguments, and gives the kernel's type: `arithmetic` refuses anything else."""
    used = index_operands(kernel)
    taken = [_kind(dtype) for n, dtype in enumerate(types) if n not in used]
    if kernel.op == "select" and taken[0] == DType.BOOL:
        taken = taken[1:]
    if kernel.order is not Order.NONE or kernel.scatter:
        taken.append(_kind(kernel.dtype))
    op, kind = OPS[kernel.op], taken[-1]
    letter = "b" if kind is DType.BOOL else "i" if kind.is_integer else "f"
    if set(taken) != {kind} or letter not in op.domain:
        refuse("an operation does not exist for its operands' types", op=kernel.op)
    if op.result == "same":
        fits = _kind(kernel.dtype) is kind
    elif op.result == "bool":
        fits = kernel.dtype is DType.BOOL
    else:
        stored = next(dtype for n, dtype in enumerate(types) if n not in used)
        fits = kernel.op == "cast" or (stored.bits == kernel.dtype.bits and DType.BOOL not in (stored, kernel.dtype))
    if not fits:
        refuse("an operation does not give the kernel's type", op=kernel.op)


def _kind(dtype: DType) -> DType:
    return DType.FLOAT32 if dtype.is_float else dtype
