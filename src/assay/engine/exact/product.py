"""Products (matrix products and convolutions, and their gradients): blocked, packed, in register tiles.

A product is a CHAIN of `fma` over two float reads. One operand runs along the last loops of the domain: its elements
are the columns of a tile, side by side in registers. The other one runs along one earlier loop, the rows. All other
loops of the domain are outside. Blocking over k stores and reloads the chains; it never splits one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import llvmlite.ir as ir

from assay.program.kernel import Order
from assay.program.types import DType

from .code import F32, I1, integer
from .form import Access, Form, depends
from .frame import Frame, loop
from .native import Machine
from .packing import Walk, copy, transpose
from .storage import memory_type
from .tile import Tile

__all__ = ["Product", "match"]

DEPTH = 256
"""Terms of a chain between two stores, about: a panel of columns then fits into the first-level cache."""
ROWS, COLUMNS = 512, 512
"""The largest block of the result that is one unit of work."""
SMALLEST = 4096
"""Products with fewer terms than this go through the generic nest."""
UNITS, WORTH = 8, 1 << 17
"""A block is halved while there are fewer units than this, and more than so many terms in each."""


@dataclass(frozen=True)
class Product:
    """A form seen as a product. Dimensions are positions in the form's loops."""

    form: Form
    rows: Access
    columns: Access
    row_dim: int
    column_dims: tuple[int, ...]
    outer_dims: tuple[int, ...]
    target: Machine

    # --- sizes

    def extent(self, dim: int) -> int:
        """Iterations of a loop; 1 for the missing row loop."""
        return self.form.extents[dim] if dim >= 0 else 1

    @property
    def fold_dims(self) -> tuple[int, ...]:
        """The loops of the fold."""
        return tuple(range(len(self.form.domain), len(self.form.extents)))

    @property
    def line(self) -> int:
        """Columns per iteration of the first column loop."""
        return prod(self.extent(d) for d in self.column_dims[1:])

    @property
    def slice(self) -> int:
        """Terms per iteration of the fold's first loop."""
        return prod(self.extent(d) for d in self.fold_dims[1:])

    @property
    def dtype(self) -> DType:
        """Of the result."""
        return self.form.statements[0].dtype

    @property
    def tile(self) -> tuple[int, int, int]:
        """(rows, vectors, lanes) of a full register tile."""
        columns, width = self.line * self.extent(self.column_dims[0]), self.target.vector
        while width > 4 and columns <= width // 2:
            width //= 2
        if columns <= width:
            return (12 if self.target.registers == 32 else 8), 1, width
        return (8 if self.target.registers == 32 else 6), 2, width

    @cached_property
    def blocks(self) -> tuple[int, int, int]:
        """Iterations per block: of the row loop, of the first column loop, of the fold's first loop."""
        tile_rows, vectors, width = self.tile
        rows, columns = self.extent(self.row_dim), self.extent(self.column_dims[0])
        step = vectors * width if self.line == 1 else 1
        row_block = _round(min(ROWS, rows), tile_rows)
        column_block = _round(min(max(1, COLUMNS // self.line), columns), step)
        outer, depth = prod(self.extent(d) for d in self.outer_dims), prod(self.extent(d) for d in self.fold_dims)
        while (
            outer * -(-rows // row_block) * -(-columns // column_block) < UNITS
            and min(rows, row_block) * min(columns, column_block) * self.line * depth > WORTH
        ):
            # splitting one side means packing the other side once more
            row_cost = columns * self.line * (not self.columns_direct)
            column_cost = rows * (not self.rows_direct)
            if column_block > step and (column_cost < row_cost or row_block <= tile_rows):
                column_block = _round(column_block // 2, step)
            elif row_block > tile_rows:
                row_block = _round(row_block // 2, tile_rows)
            else:
                break
        first = self.extent(self.fold_dims[0]) if self.fold_dims else 1
        if self.dtype is DType.FLOAT32:
            first = min(first, max(1, DEPTH // self.slice))
        return row_block, column_block, first

    @property
    def grid(self) -> tuple[int, ...]:
        """Units: iterations of the outer loops, row blocks, column blocks."""
        row_block, column_block, _ = self.blocks
        outer = [self.extent(d) for d in self.outer_dims]
        rows, columns = self.extent(self.row_dim), self.extent(self.column_dims[0])
        return (*outer, -(-rows // row_block), -(-columns // column_block))

    @property
    def depth(self) -> int:
        """Terms between two stores of a chain, at most."""
        return self.blocks[2] * self.slice

    # --- where the operands lie

    @cached_property
    def columns_direct(self) -> bool:
        """Whether tiles may read the columns where they are: side by side, and few rows to use them again."""
        access = self.columns
        if access.checks or access.dtype is not DType.FLOAT32 or len(self.column_dims) > 1:
            return False
        straight = access.flat.strides[self.column_dims[0]] == 1 and self._even(access) is not None
        return straight and self.extent(self.row_dim) <= 64

    @cached_property
    def rows_direct(self) -> bool:
        """Whether tiles may read the rows where they are."""
        access = self.rows
        return not access.checks and access.dtype is DType.FLOAT32 and self._even(access) is not None

    def _even(self, access: Access) -> int | None:
        """The distance between consecutive terms, if it is the same for all."""
        fold, strides = self.fold_dims, access.flat.strides
        for d in fold[:-1]:
            if strides[d] != strides[d + 1] * self.extent(d + 1):
                return None
        return strides[fold[-1]] if fold else 0

    def _step(self, access: Access, dim: int) -> int | None:
        """Elements between neighbours along `dim`, or None where that is not one number."""
        if any(c.via is not None or c.divisor != 1 for c in access.checks):
            return None
        return access.flat.strides[dim] + sum(c.coord.strides[dim] * c.scale for c in access.checks)

    @cached_property
    def columns_turned(self) -> bool:
        """Whether columns are packed by way of a transposition: in memory, terms lie side by side."""
        if self.columns_direct or not self.fold_dims or self.target.vector == 1:
            return False
        last, column = self.fold_dims[-1], self.column_dims[-1]
        along = self._step(self.columns, last) == 1 and self.extent(last) >= 4
        return along and (self._step(self.columns, column) != 1 or self.extent(column) < self.extent(last))

    @cached_property
    def turned_in_place(self) -> bool:
        """Whether the transposition can read the operand itself, in whole blocks."""
        access, width = self.columns, self.target.vector
        if access.checks or access.dtype is not DType.FLOAT32 or len(self.column_dims) > 1:
            return False
        whole = self.depth % width == 0 and self.slice * self.extent(self.fold_dims[0]) % width == 0
        return self._even(access) == 1 and whole and self.extent(self.column_dims[0]) % width == 0

    @property
    def stage_step(self) -> int:
        """Floats between columns on their way to a transposition."""
        if self.turned_in_place:
            return self.columns.flat.strides[self.column_dims[0]]
        return _round(self.depth, self.target.vector) + 16

    @cached_property
    def column_step(self) -> int:
        """Floats between consecutive terms of a column, as tiles see it."""
        if self.columns_direct:
            return self._even(self.columns) or 0
        return _round(self.blocks[1] * self.line, max(self.tile[1] * self.tile[2], self.target.vector))

    @property
    def row_steps(self) -> tuple[int, int]:
        """Floats between rows and between terms, as tiles see it."""
        if self.rows_direct:
            stride = self.rows.flat.strides[self.row_dim] if self.row_dim >= 0 else 0
            return stride, self._even(self.rows) or 0
        return self.depth + 16, 1

    @cached_property
    def scratch(self) -> tuple[int, int, int]:
        """Floats of scratch for the packed columns, for the stage before them, and for the packed rows."""
        staged = self.columns_turned and not self.turned_in_place
        columns = 0 if self.columns_direct else _round(self.depth, self.target.vector) * self.column_step
        rows = 0 if self.rows_direct else _round(self.blocks[0], self.tile[0]) * self.row_steps[0]
        return _round(columns, 16), _round(staged * self.column_step * self.stage_step, 16), _round(rows, 16)

    # --- code

    def emit(self, outer: Frame, low: ir.Value, high: ir.Value, scratch: ir.Value) -> None:
        """The units [low, high), with the thread's scratch memory."""
        b = outer.code.builder

        def unit(number: ir.Value, carried: list[ir.Value]) -> tuple[()]:
            frame, rest, grid = outer, number, self.grid
            places = []
            for n in range(len(grid)):
                below = prod(grid[n + 1 :])
                places.append(b.udiv(rest, integer(below)))
                rest = b.sub(rest, b.mul(places[-1], integer(below)))
            for dim, place in zip(self.outer_dims, places, strict=False):
                frame = frame.enter(dim, place)
            _Block(self, frame, places[-2], places[-1], scratch).emit()
            return ()

        loop(b, low, high, 1, (), unit)


class _Block:
    """The code of one unit: a block of rows and columns of the result."""

    def __init__(self, product: Product, frame: Frame, row: ir.Value, column: ir.Value, scratch: ir.Value) -> None:
        self.product = p = product
        self.b = frame.code.builder
        row_block, column_block, self.slices = p.blocks
        top, left = self.b.mul(row, integer(row_block)), self.b.mul(column, integer(column_block))
        self.rows = self._least(self.b.sub(integer(p.extent(p.row_dim)), top), row_block)
        self.columns = self._least(self.b.sub(integer(p.extent(p.column_dims[0])), left), column_block)
        frame = frame.enter(p.row_dim, top) if p.row_dim >= 0 else frame
        self.frame = frame.enter(p.column_dims[0], left)
        self.scratch = scratch

    def _least(self, value: ir.Value, limit: int) -> ir.Value:
        return self.b.select(self.b.icmp_signed("<", value, integer(limit)), value, integer(limit))

    def emit(self) -> None:
        """All terms, `slices` iterations of the fold's first loop at a time."""
        p = self.product
        if not p.fold_dims:
            self._terms(self.frame, integer(1), ir.Constant(I1, 1))
            return
        total = p.extent(p.fold_dims[0])

        def part(start: ir.Value, carried: list[ir.Value]) -> tuple[()]:
            count = self._least(self.b.sub(integer(total), start), self.slices)
            self._terms(self.frame.enter(p.fold_dims[0], start), count, self.b.icmp_signed("==", start, integer(0)))
            return ()

        loop(self.b, integer(0), integer(total), self.slices, (), part)

    def _terms(self, frame: Frame, slices: ir.Value, first: ir.Value) -> None:
        p = self.product
        columns, rows = self._pack(frame, slices)
        count = self.b.mul(slices, integer(p.slice))
        result = frame.code.element(frame.buffers[0], memory_type(p.dtype), frame.partial[p.form.flat])
        _Tiles(self, columns, rows, result, count, first).emit()

    def _pack(self, frame: Frame, slices: ir.Value) -> tuple[ir.Value, ir.Value]:
        """Pointers to the columns and the rows as tiles read them."""
        p, vector = self.product, self.product.target.vector
        if p.columns_direct:
            columns = self._place(frame, p.columns)
        else:
            columns = self.scratch
            self._pack_columns(frame, slices)
        if p.rows_direct:
            return columns, self._place(frame, p.rows)
        rows = frame.code.element(self.scratch, F32, integer(p.scratch[0] + p.scratch[1]))
        walks = self._terms_walk(slices, 1)
        if p.row_dim >= 0:
            walks.insert(0, Walk(p.row_dim, self.rows, p.row_steps[0]))
        copy(frame, p.rows, rows, walks, vector)
        return columns, rows

    @staticmethod
    def _place(frame: Frame, access: Access) -> ir.Value:
        return frame.code.element(frame.buffers[access.slot], F32, frame.partial[access.flat])

    def _pack_columns(self, frame: Frame, slices: ir.Value) -> None:
        p, code, vector = self.product, frame.code, self.product.target.vector
        if not p.columns_turned:
            walks = self._terms_walk(slices, p.column_step) + self._columns_walk(1)
            copy(frame, p.columns, self.scratch, walks, vector)
            return
        if p.turned_in_place:
            stage = self._place(frame, p.columns)
        else:
            stage = code.element(self.scratch, F32, integer(p.scratch[0]))
            copy(frame, p.columns, stage, self._columns_walk(p.stage_step) + self._terms_walk(slices, 1), vector)
        steps = (p.stage_step, p.column_step)
        columns, terms = self.b.mul(self.columns, integer(p.line)), self.b.mul(slices, integer(p.slice))
        transpose(code.at_width(vector), stage, self.scratch, columns, terms, steps)

    def _terms_walk(self, slices: ir.Value, step: int) -> list[Walk]:
        """Over the terms of this part of the fold, `step` floats apart."""
        p, walks = self.product, []
        for n, d in enumerate(p.fold_dims):
            below = prod(p.extent(e) for e in p.fold_dims[n + 1 :])
            count = p.extent(d) if n else self._known(slices, self.slices, d)
            walks.append(Walk(d, count, below * step))
        return walks

    def _columns_walk(self, step: int) -> list[Walk]:
        """Over the columns of this block, `step` floats apart."""
        p, walks = self.product, []
        for n, d in enumerate(p.column_dims):
            below = prod(p.extent(e) for e in p.column_dims[n + 1 :])
            count = p.extent(d) if n else self._known(self.columns, p.blocks[1], d)
            walks.append(Walk(d, count, below * step))
        return walks

    def _known(self, count: ir.Value, block: int, dim: int) -> ir.Value | int:
        """The count as a number where every block has the same."""
        return block if self.product.extent(dim) % block == 0 else count


@dataclass(frozen=True)
class _Tiles:
    """The loops over the tiles of a block: all full ones, then those at its right and lower edge."""

    block: _Block
    columns: ir.Value
    rows: ir.Value
    result: ir.Value
    count: ir.Value
    first: ir.Value

    def emit(self) -> None:
        p, b = self.block.product, self.block.b
        _, vectors, width = p.tile
        panel, total = vectors * width, b.mul(self.block.columns, integer(p.line))
        full = b.mul(b.udiv(total, integer(panel)), integer(panel))
        rest = b.sub(total, full)

        def panels(column: ir.Value, carried: list[ir.Value]) -> tuple[()]:
            self._column(column, panel)
            return ()

        if p.blocks[1] * p.line >= panel:
            loop(b, integer(0), full, panel, (), panels)
        for left in self._rests(p.blocks[1], p.extent(p.column_dims[0]), p.line, panel):
            with b.if_then(b.icmp_signed("==", rest, integer(left))):
                self._column(full, left)

    @staticmethod
    def _rests(block: int, total: int, unit: int, panel: int) -> list[int]:
        """What can be left of a block after its full panels."""
        sizes = {min(block, total), total % block}
        return sorted({size * unit % panel for size in sizes} - {0})

    def _column(self, column: ir.Value, columns: int) -> None:
        """All rows of one panel of `columns` columns."""
        p, b = self.block.product, self.block.b
        step = p.tile[0]
        full = b.mul(b.udiv(self.block.rows, integer(step)), integer(step))

        def tiles(row: ir.Value, carried: list[ir.Value]) -> tuple[()]:
            self._tile(row, column, step, columns)
            return ()

        if p.blocks[0] >= step and p.extent(p.row_dim) >= step:
            loop(b, integer(0), full, step, (), tiles)
        left = b.sub(self.block.rows, full)
        for rest in self._rests(p.blocks[0], p.extent(p.row_dim), 1, step):
            with b.if_then(b.icmp_signed("==", left, integer(rest))):
                self._tile(full, column, rest, columns)

    def _tile(self, row: ir.Value, column: ir.Value, rows: int, columns: int) -> None:
        p, b, code = self.block.product, self.block.b, self.block.frame.code
        width = p.tile[2]
        vectors = -(-columns // width)
        row_stride, a_step = p.row_steps
        tail = columns - (vectors - 1) * width
        tile = Tile(rows, vectors, width, tail, row_stride, a_step, p.column_step, p.form.initial, p.dtype)
        c_stride = p.form.flat.strides[p.row_dim] if p.row_dim >= 0 else 0
        a = code.element(self.rows, F32, b.mul(row, integer(row_stride)))
        line = code.element(self.columns, F32, column)
        c = code.element(self.result, memory_type(p.dtype), b.add(b.mul(row, integer(c_stride)), column))
        b.call(tile.function(b.module), [a, line, c, self.count, integer(c_stride), self.first])


def _round(value: int, step: int) -> int:
    """Up to the next multiple."""
    return -(-value // step) * step


def match(form: Form, target: Machine) -> Product | None:
    """`form` as a product, or None where the generic nest is as good."""
    statement = form.statements[0]
    if form.order is not Order.CHAIN or len(form.statements) > 1 or statement.op != "fma":
        return None
    a, b = statement.args
    if not isinstance(a, Access) or not isinstance(b, Access) or not form.domain or form.points < SMALLEST:
        return None
    if not (a.dtype.is_float and b.dtype.is_float and statement.dtype.is_float):
        return None
    last = len(form.domain) - 1
    if depends(a, last) == depends(b, last):
        return None
    rows, columns = (b, a) if depends(a, last) else (a, b)
    first = last
    while first and depends(columns, first - 1) and not depends(rows, first - 1):
        first -= 1
    alone = [d for d in range(first) if depends(rows, d) and not depends(columns, d)]
    row_dim = max(alone, key=lambda d: form.extents[d], default=-1)
    column_dims = tuple(range(first, last + 1))
    outer = tuple(d for d in range(first) if d != row_dim)
    if form.extents[last] < 4 and len(column_dims) == 1:
        return None
    return Product(form, rows, columns, row_dim, column_dims, outer, target)
