"""The code of a program: its values by number, and each kernel in fixed-width big-endian words that a contract reads.

The layout is in docs/dispute.md, section 2. What the referee could not execute is refused here, so that whatever has a
code root can also be disputed. Hashing is in `assay.proof.code`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import msgspec

from assay.errors import ProgramRefused, UsageError

from .code_axes import NO_INDEX, Cursor, axis_bytes, read_axis, sized
from .kernel import Axis, Const, Coordinate, Kernel, Operand, Order, Read, Scatter
from .program import Program
from .scalar import OPS
from .types import DType

__all__ = [
    "BOUNDS",
    "Bounds",
    "Coded",
    "Layout",
    "Source",
    "coded",
    "decode",
    "index_operands",
    "kernel_code",
    "layout",
]

_TYPES, _NAMES, _ORDERS = tuple(DType), tuple(OPS), tuple(Order)
_CONST, _COORDINATE, _READ = 0, 1, 2


class Bounds(msgspec.Struct, frozen=True):
    """What the referee executes at most; all inclusive."""

    axes: int = 32
    """Axes of domain and fold together."""
    operands: int = 40
    kernel_bytes: int = 16_384
    chunks: int = 112
    """Chunks of one KiB that one piece may have to open."""
    piece: int = 8
    """Terms of one piece; 16 in a LANES fold."""
    value_bytes: int = 2**33
    openings_bytes: int = 262_144
    """Of one piece. Whatever the other bounds let through takes less."""


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


@dataclass(frozen=True)
class Layout:
    """The values of a step in the order of their numbers: inputs, constants by name, outputs of the kernels."""

    names: tuple[str, ...]
    sources: tuple[Source, ...]
    numbers: dict[str, int]
    """Value number by tensor name."""
    first_kernel: int
    """Number of the first kernel's output: kernel k makes value first_kernel + k."""


class Coded(msgspec.Struct, frozen=True):
    """A kernel as its code has it. Tensors are named by their value number in decimal digits.

    `kernel.output` is "" and `kernel.shape` the number of elements: a code knows neither name nor shape.
    `sources` are the values that it reads, by rising number.
    """

    kernel: Kernel
    sources: tuple[Source, ...]

    @property
    def elements(self) -> int:
        """Elements of the output."""
        return prod(self.kernel.shape)

    @property
    def terms(self) -> int:
        """Terms of one element: of the fold, 1 without one, and the points of the domain where it scatters."""
        return prod(self.kernel.domain if self.kernel.scatter else self.kernel.fold)

    def source(self, tensor: str) -> Source:
        """The value with the number that `tensor` spells. Raises KeyError."""
        return {str(source.number): source for source in self.sources}[tensor]

    def encode(self) -> bytes:
        """The kernel's code. Raises ProgramRefused for a kernel that the referee could not execute."""
        _check(self)
        kernel, places = self.kernel, {str(source.number): at for at, source in enumerate(self.sources)}
        parts = [
            bytes([_NAMES.index(kernel.op), _ORDERS.index(kernel.order), kernel.scatter is not None]),
            bytes([_TYPES.index(kernel.dtype)]),
            *(sized(n, 8, "a number of elements or terms") for n in (kernel.initial, self.elements, self.terms)),
            bytes([len(kernel.domain), len(kernel.fold), len(self.sources), len(kernel.operands)]),
            *(sized(extent, 8, "an extent") for extent in (*kernel.domain, *kernel.fold)),
        ]
        for source in self.sources:
            parts += [sized(source.number, 4, "a value number"), bytes([_TYPES.index(source.dtype)])]
            parts.append(sized(source.elements, 8, "a number of elements"))
        used = index_operands(kernel)
        for n, operand in enumerate(kernel.operands):
            parts.append(self._operand(operand, n in used, places))
        if kernel.scatter:
            parts += [bytes([places[kernel.scatter.base], len(kernel.scatter.axes)])]
            parts += _view(kernel.scatter.view, kernel.scatter.axes, len(kernel.domain))
        data = b"".join(parts)
        if len(data) > BOUNDS.kernel_bytes:
            _refuse("a kernel's code is too long", limit=BOUNDS.kernel_bytes, bytes=len(data))
        return data

    def _operand(self, operand: Operand, is_index: bool, places: dict[str, int]) -> bytes:
        domain = len(self.kernel.domain)
        if isinstance(operand, Const):
            head = bytes([_CONST, is_index, _TYPES.index(operand.dtype)])
            return head + sized(operand.bits, operand.dtype.itemsize, "a constant").rjust(8, b"\0")
        if isinstance(operand, Coordinate):
            return bytes([_COORDINATE, is_index, _TYPES.index(DType.INT64)]) + axis_bytes(operand.axis, 0, domain)
        dtype, guarded = self.source(operand.tensor).dtype, operand.outside is not None
        head = bytes([_READ, is_index, _TYPES.index(dtype), places[operand.tensor], guarded])
        outside = sized(operand.outside or 0, dtype.itemsize, "a constant").rjust(8, b"\0")
        return b"".join((head, outside, bytes([len(operand.axes)]), *_view(operand.view, operand.axes, domain)))


def _view(view: tuple[int, ...], axes: tuple[Axis, ...], domain: int) -> list[bytes]:
    return [axis_bytes(axis, extent, domain) for axis, extent in zip(axes, view, strict=True)]


def layout(program: Program) -> Layout:
    """Number the values of a step of `program`."""
    constants = sorted(program.constants, key=lambda name: name.encode())
    found = [(port.name, port.dtype, port.size) for port in program.inputs]
    found += [(name, DType.of(program.constants[name]), program.constants[name].size) for name in constants]
    first_kernel = len(found)
    found += [(kernel.output, kernel.dtype, prod(kernel.shape)) for kernel in program.kernels]
    names = tuple(name for name, _, _ in found)
    numbers = {name: number for number, name in enumerate(names)}
    if len(numbers) != len(names):
        raise UsageError("two values of the program have one name")
    sources = tuple(Source(number, dtype, size) for number, (_, dtype, size) in enumerate(found))
    return Layout(names, sources, numbers, first_kernel)


def kernel_code(kernel: Kernel, values: Layout) -> bytes:
    """The code of one kernel of the program with the layout `values`. Raises ProgramRefused beyond `BOUNDS`."""
    return coded(kernel, values).encode()


def coded(kernel: Kernel, values: Layout) -> Coded:
    """The kernel with value numbers for names."""

    def renamed(operand: Operand) -> Operand:
        if not isinstance(operand, Read):
            return operand
        return msgspec.structs.replace(operand, tensor=str(values.numbers[operand.tensor]))

    scatter = kernel.scatter
    if scatter:
        scatter = msgspec.structs.replace(scatter, base=str(values.numbers[scatter.base]))
    plain = msgspec.structs.replace(
        kernel,
        output="",
        shape=(prod(kernel.shape),),
        operands=tuple(map(renamed, kernel.operands)),
        scatter=scatter,
    )
    return Coded(plain, tuple(values.sources[n] for n in sorted({values.numbers[name] for name in kernel.reads})))


def index_operands(kernel: Kernel) -> set[int]:
    """Positions of the operands that some axis takes as an index; the operation takes the others."""
    axes = list(kernel.scatter.axes) if kernel.scatter else []
    for operand in kernel.operands:
        if not isinstance(operand, Const):
            axes += [operand.axis] if isinstance(operand, Coordinate) else operand.axes
    return {axis.indirect for axis in axes} - {-1}


def decode(data: bytes) -> Coded:
    """The kernel of which `data` is the code. Raises ProgramRefused if it is the code of none."""
    try:
        found = _decoded(Cursor(data))
    except (IndexError, ValueError) as error:
        raise ProgramRefused("malformed code of a kernel", reason=str(error)) from None
    if found.encode() != data:
        raise ProgramRefused("malformed code of a kernel: it is not the one encoding")
    return found


def _decoded(at: Cursor) -> Coded:
    op, order, scatters, dtype = (at.take(1) for _ in range(4))
    initial, elements, _ = (at.take(8) for _ in range(3))
    axes, folds, count, operands = (at.take(1) for _ in range(4))
    domain, fold = tuple(at.take(8) for _ in range(axes)), tuple(at.take(8) for _ in range(folds))
    sources = tuple(Source(at.take(4), _TYPES[at.take(1)], at.take(8)) for _ in range(count))
    found = tuple(_decoded_operand(at, sources, axes, folds) for _ in range(operands))
    scatter = None
    if scatters:
        base = str(sources[at.take(1)].number)
        view, where = _decoded_view(at, axes, folds)
        scatter = Scatter(base, view, where)
    at.end()
    kernel = Kernel(_NAMES[op], "", _TYPES[dtype], (elements,), domain, found, fold, _ORDERS[order], initial, scatter)
    return Coded(kernel, sources)


def _decoded_operand(at: Cursor, sources: tuple[Source, ...], axes: int, folds: int) -> Operand:
    kind, _, dtype = (at.take(1) for _ in range(3))
    if kind == _CONST:
        return Const(_TYPES[dtype], at.take(8))
    if kind == _COORDINATE:
        return Coordinate(read_axis(at, axes, folds)[1])
    source, guarded, outside = sources[at.take(1)], at.take(1), at.take(8)
    view, where = _decoded_view(at, axes, folds)
    return Read(str(source.number), view, where, outside if guarded else None)


def _decoded_view(at: Cursor, axes: int, folds: int) -> tuple[tuple[int, ...], tuple[Axis, ...]]:
    pairs = [read_axis(at, axes, folds) for _ in range(at.take(1))]
    return tuple(extent for extent, _ in pairs), tuple(axis for _, axis in pairs)


def _refuse(what: str, **evidence: Any) -> None:
    raise ProgramRefused(
        f"the referee could not execute this program: {what}",
        hint="Split the operation that is named, or the tensors that it joins.",
        **evidence,
    )


def _check(code: Coded) -> None:
    """Refuse what the referee does not execute; the bounds are those of its arrays."""
    kernel = code.kernel
    if len(kernel.domain) + len(kernel.fold) > BOUNDS.axes:
        _refuse("a kernel has too many axes", limit=BOUNDS.axes, op=kernel.op)
    if max(len(kernel.operands), len(code.sources)) > BOUNDS.operands:
        _refuse("a kernel has too many operands", limit=BOUNDS.operands, op=kernel.op)
    if _arguments(code) != OPS[kernel.op].arity - (kernel.order is not Order.NONE or _combines(kernel)):
        is_first = kernel.op == "first" and kernel.order is Order.NONE and not kernel.scatter and _arguments(code) > 0
        if not is_first:
            _refuse("an operation has the wrong number of operands", op=kernel.op)
    if (kernel.order is Order.NONE) != (kernel.fold == ()) or (kernel.fold and kernel.scatter):
        _refuse("a kernel's fold does not fit its order", op=kernel.op)
    if kernel.order is Order.LANES and _arguments(code) != 1:
        _refuse("only operations of two operands fold in lanes", op=kernel.op)
    if any(source.nbytes > BOUNDS.value_bytes for source in code.sources):
        _refuse("a value has too many bytes", limit=BOUNDS.value_bytes, op=kernel.op)
    counted = kernel.scatter.view if kernel.scatter else kernel.domain
    if prod(counted) != code.elements:
        _refuse("a kernel's output has another number of elements than its domain", op=kernel.op)
    _check_operands(code)
    _check_openings(code)


def _combines(kernel: Kernel) -> bool:
    return kernel.scatter is not None and kernel.op != "copy"


def _arguments(code: Coded) -> int:
    return len(code.kernel.operands) - len(index_operands(code.kernel))


def _check_operands(code: Coded) -> None:
    kernel = code.kernel
    types = [
        operand.dtype
        if isinstance(operand, Const)
        else DType.INT64
        if isinstance(operand, Coordinate)
        else code.source(operand.tensor).dtype
        for operand in kernel.operands
    ]
    located: list[tuple[int, Axis]] = [(len(types), a) for a in kernel.scatter.axes] if kernel.scatter else []
    for n, operand in enumerate(kernel.operands):
        if isinstance(operand, Read):
            if prod(operand.view) != code.source(operand.tensor).elements:
                _refuse("a view has another number of elements than its tensor", op=kernel.op)
            located += [(n, axis) for axis in operand.axes]
        elif isinstance(operand, Coordinate):
            located.append((n, operand.axis))
    for n, axis in located:
        if axis.indirect != -1 and not (0 <= axis.indirect < n and types[axis.indirect].is_integer):
            _refuse("an index is not an earlier operand of integer type", op=kernel.op)
        if not 1 <= axis.divisor < 2**63 or axis.indirect >= NO_INDEX:
            _refuse("a divisor is not positive", op=kernel.op)


def _check_openings(code: Coded) -> None:
    """A piece must fit into one call even if every read of every term lies in another chunk."""
    kernel, used = code.kernel, index_operands(code.kernel)
    reads = [n for n, operand in enumerate(kernel.operands) if isinstance(operand, Read)]
    if kernel.op == "first":  # only the chosen one is opened
        reads = [n for n in reads if n in used] + [n for n in reads if n not in used][:1]
    single = kernel.order is Order.NONE and not kernel.scatter
    terms = 1 if single else 16 if kernel.order is Order.LANES else BOUNDS.piece
    if terms * len(reads) > BOUNDS.chunks:
        _refuse("a piece of a kernel reads too many places", limit=BOUNDS.chunks, op=kernel.op)
