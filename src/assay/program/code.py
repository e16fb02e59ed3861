"""The code of a program: its values by number, and each kernel in fixed-width big-endian words that a contract reads.

The layout is in docs/dispute.md, section 2. What the referee could not execute is refused here, so that whatever has a
code root can also be disputed. Hashing is in `assay.proof.code`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import msgspec

from assay.errors import ProgramRefused, UsageError

from .code_axes import Cursor, axis_bytes, read_axis, sized
from .code_bounds import BOUNDS, Source, check, index_operands, piece, refuse
from .kernel import Axis, Const, Coordinate, Kernel, Operand, Order, Read, Scatter
from .program import Program
from .scalar import OPS
from .types import DType

__all__ = ["Coded", "Layout", "coded", "decode", "kernel_code", "layout"]

_TYPES, _NAMES, _ORDERS = tuple(DType), tuple(OPS), tuple(Order)
_CONST, _COORDINATE, _READ = 0, 1, 2
_SCATTER = len(_ORDERS)


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

    @property
    def piece(self) -> int:
        """Terms that one call of the referee executes at most. Raises ProgramRefused if not even one fits."""
        return piece(self.kernel, self.sources)

    def source(self, tensor: str) -> Source:
        """The value with the number that `tensor` spells. Raises KeyError."""
        return {str(source.number): source for source in self.sources}[tensor]

    def encode(self) -> bytes:
        """The kernel's code. Raises ProgramRefused for a kernel that the referee could not execute."""
        check(self.kernel, self.sources, self.elements)
        kernel, places = self.kernel, {str(source.number): at for at, source in enumerate(self.sources)}
        parts = [
            bytes([_NAMES.index(kernel.op), _SCATTER if kernel.scatter else _ORDERS.index(kernel.order)]),
            bytes([_TYPES.index(kernel.dtype), self.piece]),
            *(sized(n, 8, "a number of elements or terms") for n in (kernel.initial, self.elements, self.terms)),
            bytes([len(kernel.domain), len(kernel.fold), len(self.sources), len(kernel.operands)]),
            *(sized(extent, 8, "an extent") for extent in (*kernel.domain, *kernel.fold)),
        ]
        for source in self.sources:
            parts += [sized(source.number, 4, "a value number"), bytes([_TYPES.index(source.dtype)])]
            parts.append(sized(source.elements, 8, "a number of elements"))
        ordinals = {n: at for at, n in enumerate(sorted(index_operands(kernel)))}
        for n, operand in enumerate(kernel.operands):
            parts.append(self._operand(operand, n in ordinals, places, ordinals))
        if kernel.scatter:
            parts += [bytes([places[kernel.scatter.base], len(kernel.scatter.axes)])]
            parts += _view(kernel.scatter.view, kernel.scatter.axes, len(kernel.domain), ordinals)
        data = b"".join(parts)
        if len(data) > BOUNDS.kernel_bytes:
            refuse("a kernel's code is too long", limit=BOUNDS.kernel_bytes, bytes=len(data))
        return data

    def _operand(self, operand: Operand, is_index: bool, places: dict[str, int], ordinals: dict[int, int]) -> bytes:
        domain = len(self.kernel.domain)
        if isinstance(operand, Const):
            head = bytes([_CONST, is_index, _TYPES.index(operand.dtype)])
            return head + sized(operand.bits, operand.dtype.itemsize, "a constant").rjust(8, b"\0")
        if isinstance(operand, Coordinate):
            head = bytes([_COORDINATE, is_index, _TYPES.index(DType.INT64)])
            return head + axis_bytes(operand.axis, 0, domain, ordinals)
        dtype, guarded = self.source(operand.tensor).dtype, operand.outside is not None
        head = bytes([_READ, is_index, _TYPES.index(dtype), places[operand.tensor], guarded])
        outside = sized(operand.outside or 0, dtype.itemsize, "a constant").rjust(8, b"\0")
        view = _view(operand.view, operand.axes, domain, ordinals)
        return b"".join((head, outside, bytes([len(operand.axes)]), *view))


def _view(view: tuple[int, ...], axes: tuple[Axis, ...], domain: int, ordinals: dict[int, int]) -> list[bytes]:
    return [axis_bytes(axis, extent, domain, ordinals) for axis, extent in zip(axes, view, strict=True)]


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
    op, order, dtype, _ = (at.take(1) for _ in range(4))
    initial, elements, _ = (at.take(8) for _ in range(3))
    axes, folds, count, operands = (at.take(1) for _ in range(4))
    domain, fold = tuple(at.take(8) for _ in range(axes)), tuple(at.take(8) for _ in range(folds))
    sources = tuple(Source(at.take(4), _TYPES[at.take(1)], at.take(8)) for _ in range(count))
    reader = _Reader(at, sources, axes, folds)
    found = tuple(reader.operand(n) for n in range(operands))
    scatter = None
    if order == _SCATTER:
        base = str(sources[at.take(1)].number)
        scatter, order = Scatter(base, *reader.view()), _ORDERS.index(Order.NONE)
    at.end()
    kernel = Kernel(_NAMES[op], "", _TYPES[dtype], (elements,), domain, found, fold, _ORDERS[order], initial, scatter)
    return Coded(kernel, sources)


@dataclass
class _Reader:
    """Reads operands and views one after the other, and notes which operands are indices."""

    at: Cursor
    sources: tuple[Source, ...]
    axes: int
    folds: int
    indices: list[int] = field(default_factory=list)

    def operand(self, position: int) -> Operand:
        kind, is_index, dtype = (self.at.take(1) for _ in range(3))
        found: Operand
        if kind == _CONST:
            found = Const(_TYPES[dtype], self.at.take(8))
        elif kind == _COORDINATE:
            found = Coordinate(self._axis()[1])
        else:
            source, guarded, outside = self.sources[self.at.take(1)], self.at.take(1), self.at.take(8)
            view, where = self.view()
            found = Read(str(source.number), view, where, outside if guarded else None)
        if is_index:
            self.indices.append(position)
        return found

    def view(self) -> tuple[tuple[int, ...], tuple[Axis, ...]]:
        pairs = [self._axis() for _ in range(self.at.take(1))]
        return tuple(extent for extent, _ in pairs), tuple(axis for _, axis in pairs)

    def _axis(self) -> tuple[int, Axis]:
        return read_axis(self.at, self.axes, self.folds, self.indices)
