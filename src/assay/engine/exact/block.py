"""The code of one unit of a product: pack, run the tiles, lay out the result."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import llvmlite.ir as ir

from assay.program.types import DType

from .code import F32, I1, integer
from .frame import Frame, loop
from .packing import Walk, copy, panels, transpose, turned, unload
from .product import Product, Side
from .storage import memory_type, pack
from .tile import Tile

__all__ = ["emit"]


def emit(product: Product, outer: Frame, low: ir.Value, high: ir.Value, scratch: ir.Value) -> None:
    """The units [low, high) of `product`, with the thread's scratch memory."""
    b = outer.code.builder

    def unit(number: ir.Value, carried: list[ir.Value]) -> tuple[()]:
        frame, rest, grid = outer, number, product.grid
        places = []
        for n in range(len(grid)):
            below = prod(grid[n + 1 :])
            places.append(b.udiv(rest, integer(below)))
            rest = b.sub(rest, b.mul(places[-1], integer(below)))
        for dim, place in zip(product.outer_dims, places, strict=False):
            frame = frame.enter(dim, place)
        _Block(product, frame, places[-2], places[-1], scratch).emit()
        return ()

    loop(b, low, high, 1, (), unit)


class _Block:
    """The code of one unit: a block of rows and columns of the result."""

    def __init__(self, product: Product, frame: Frame, row: ir.Value, column: ir.Value, scratch: ir.Value) -> None:
        self.product = p = product
        self.b = frame.code.builder
        row_block, column_block, self.slices = p.blocks
        top, left = self.b.mul(row, integer(row_block)), self.b.mul(column, integer(column_block))
        self.rows = self._least(self.b.sub(integer(p.rows.first), top), row_block)
        self.columns = self._least(self.b.sub(integer(p.columns.first), left), column_block)
        frame = frame.enter(p.rows.dims[0], top) if p.rows.dims else frame
        self.frame = frame.enter(p.columns.dims[0], left)
        starts = [sum(p.scratch[:n]) for n in range(4)]
        self.packed, self.stage, self.lines, self.chains = (
            frame.code.element(scratch, F32, integer(start)) for start in starts
        )

    def _least(self, value: ir.Value, limit: int) -> ir.Value:
        return self.b.select(self.b.icmp_signed("<", value, integer(limit)), value, integer(limit))

    def emit(self) -> None:
        """All terms in order, `slices` iterations of the loop that is cut at a time; then the result."""
        p = self.product
        if p.fold_dims:
            self._lead(self.frame, 0, ir.Constant(I1, 1))
        else:
            self._terms(self.frame, integer(1), ir.Constant(I1, 1))
        if not p.result_direct:
            self._unload()

    def _lead(self, frame: Frame, level: int, first: ir.Value) -> None:
        """The loops of the fold that stay outside, then the parts of the one that is cut."""
        p, b, dim = self.product, self.b, self.product.fold_dims[level]

        def start(index: ir.Value) -> ir.Value:
            return b.and_(first, b.icmp_signed("==", index, integer(0)))

        def one(index: ir.Value, carried: list[ir.Value]) -> tuple[()]:
            self._lead(frame.enter(dim, index), level + 1, start(index))
            return ()

        def part(index: ir.Value, carried: list[ir.Value]) -> tuple[()]:
            count = self._least(b.sub(integer(p.terms), index), self.slices)
            self._terms(frame.enter(dim, index), count, start(index))
            return ()

        if level < p.lead:
            loop(b, integer(0), integer(p.form.extents[dim]), 1, (), one)
        else:
            loop(b, integer(0), integer(p.terms), self.slices, (), part)

    def _terms(self, frame: Frame, slices: ir.Value, first: ir.Value) -> None:
        p = self.product
        if p.streamed:
            self._stream(frame, slices, first)
            return
        columns, rows = self._pack(frame, slices)
        count = self.b.mul(slices, integer(p.slice))
        result = self.chains
        if p.result_direct:
            result = frame.code.element(frame.buffers[0], memory_type(p.dtype), frame.partial[p.form.flat])
        _Tiles(self, columns, rows, result, count, first).emit()

    def _stream(self, frame: Frame, terms: ir.Value, first: ir.Value) -> None:
        """A vector of columns at a time, turned in registers; some chains of each, one per row."""
        p, b = self.product, self.b
        wide = frame.code.at_width(p.target.vector)
        columns, rows = self._place(frame, p.columns), self._place(frame, p.rows)
        (dim,), flat = p.columns.dims, p.columns.access.flat
        row_step, term_step = p.row_steps
        fresh = wide.immediate(DType.FLOAT32, p.form.initial)

        def panel(column: ir.Value, carried: list[ir.Value]) -> tuple[()]:
            place = frame.enter(dim, column)
            results = [
                frame.code.element(place.buffers[0], F32, b.add(place.partial[p.form.flat], integer(m * p.result_step)))
                for m in range(p.rows.count)
            ]
            held = [b.load(r, typ=wide.wide(F32), align=4) for r in results]
            lines = [
                frame.code.element(columns, F32, b.mul(b.add(column, integer(n)), integer(flat.strides[dim])))
                for n in range(wide.width)
            ]

            def step(k: ir.Value, held: list[ir.Value]) -> list[ir.Value]:
                chains = list(held)
                loaded = [b.load(frame.code.element(x, F32, k), typ=wide.wide(F32), align=4) for x in lines]
                for n, values in enumerate(turned(wide, loaded)):
                    at = frame.code.element(rows, F32, b.mul(b.add(k, integer(n)), integer(term_step)))
                    for m in range(p.rows.count):
                        x = b.load(frame.code.element(at, F32, integer(m * row_step)), typ=F32, align=4)
                        chains[m] = wide.fma(wide.splat(x), values, chains[m])
                return chains

            begin = [b.select(first, fresh, h) for h in held]
            for result, chain in zip(results, loop(b, integer(0), terms, wide.width, begin, step), strict=True):
                b.store(pack(wide, DType.FLOAT32, chain), result, align=4)
            return ()

        loop(b, integer(0), self.columns, wide.width, (), panel)

    # --- operands

    def _pack(self, frame: Frame, slices: ir.Value) -> tuple[ir.Value, ir.Value]:
        """Pointers to the columns and the rows as tiles read them."""
        p, vector = self.product, self.product.target.vector
        columns, rows = self.packed, self.lines
        if p.columns_direct:
            columns = self._place(frame, p.columns)
        else:
            self._pack_columns(frame, slices)
        if p.rows_direct:
            rows = self._place(frame, p.rows)
        elif p.rows_panelled:
            self._pack_panels(frame, slices)
        else:
            walks = self._walk(p.rows, p.row_steps[0]) + self._terms_walk(slices, 1)
            copy(frame, p.rows.access, rows, walks, vector)
        return columns, rows

    @staticmethod
    def _place(frame: Frame, side: Side) -> ir.Value:
        return frame.code.element(frame.buffers[side.access.slot], F32, frame.partial[side.access.flat])

    def _pack_columns(self, frame: Frame, slices: ir.Value) -> None:
        p, code, vector = self.product, frame.code, self.product.target.vector
        access = p.columns.access
        if not p.columns_turned:
            walks = self._terms_walk(slices, p.column_step) + self._walk(p.columns, 1)
            copy(frame, access, self.packed, walks, vector)
            return
        if p.turned_in_place:
            stage = self._place(frame, p.columns)
        else:
            stage = self.stage
            copy(frame, access, stage, self._walk(p.columns, p.stage_step) + self._terms_walk(slices, 1), vector)
        steps = (p.stage_step, p.column_step)
        columns, terms = self.b.mul(self.columns, integer(p.columns.line)), self.b.mul(slices, integer(p.slice))
        transpose(code.at_width(vector), stage, self.packed, columns, terms, steps)

    def _pack_panels(self, frame: Frame, slices: ir.Value) -> None:
        """Rows by the tile: two tiles at a time, which together read whole lines of the cache."""
        p, b, step = self.product, self.b, self.product.tile[0]
        walks, (dim,), pair = self._terms_walk(slices, step), p.rows.dims, 2 * step

        def pack(row: ir.Value, counts: list[int]) -> None:
            target = frame.code.element(self.lines, F32, b.mul(row, integer(p.row_pitch)))
            panels(frame.enter(dim, row), p.rows.access, target, walks, dim, counts, (step, step * p.row_pitch))

        def whole(row: ir.Value, carried: list[ir.Value]) -> tuple[()]:
            pack(row, [step, step])
            return ()

        full = b.mul(b.udiv(self.rows, integer(pair)), integer(pair))
        loop(b, integer(0), full, pair, (), whole)
        left = b.sub(self.rows, full)
        for rest in _rests(p.blocks[0], p.rows, pair):
            with b.if_then(b.icmp_signed("==", left, integer(rest))):
                pack(full, [n for n in (min(step, rest), rest - step) if n > 0])

    def _terms_walk(self, slices: ir.Value, step: int) -> list[Walk]:
        """Over the terms of this part of the fold, `step` floats apart."""
        p, walks = self.product, []
        for n, d in enumerate(p.part_dims):
            below = prod(p.form.extents[e] for e in p.part_dims[n + 1 :])
            count = p.form.extents[d] if n else _known(slices, self.slices, p.terms)
            walks.append(Walk(d, count, below * step))
        return walks

    def _walk(self, side: Side, step: int) -> list[Walk]:
        """Over the rows or columns of this block, `step` floats apart."""
        p, walks = self.product, []
        count, block = (self.rows, p.blocks[0]) if side is p.rows else (self.columns, p.blocks[1])
        for n, (d, extent) in enumerate(zip(side.dims, side.extents, strict=True)):
            below = prod(side.extents[n + 1 :])
            walks.append(Walk(d, extent if n else _known(count, block, extent), below * step))
        return walks

    # --- result

    def _unload(self) -> None:
        """From scratch to where it belongs."""
        p, code, vector = self.product, self.frame.code, self.product.target.vector
        if not p.result_turned:
            walks = self._walk(p.rows, p.result_step) + self._walk(p.columns, 1)
            unload(self.frame, p.dtype, self.chains, walks, vector)
            return
        rows, columns = self.b.mul(self.rows, integer(p.rows.line)), self.b.mul(self.columns, integer(p.columns.line))
        transpose(code.at_width(vector), self.chains, self.stage, rows, columns, (p.result_step, p.turned_step))
        walks = self._walk(p.columns, p.turned_step) + self._walk(p.rows, 1)
        unload(self.frame, p.dtype, self.stage, walks, vector)


def _known(count: ir.Value, block: int, extent: int) -> ir.Value | int:
    """The count as a number where every block has the same."""
    return block if extent % block == 0 else count


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
        panel, total = vectors * width, b.mul(self.block.columns, integer(p.columns.line))
        full = b.mul(b.udiv(total, integer(panel)), integer(panel))
        rest = b.sub(total, full)

        def panels(column: ir.Value, carried: list[ir.Value]) -> tuple[()]:
            self._column(column, panel)
            return ()

        if p.blocks[1] * p.columns.line >= panel:
            loop(b, integer(0), full, panel, (), panels)
        for left in _rests(p.blocks[1], p.columns, panel):
            with b.if_then(b.icmp_signed("==", rest, integer(left))):
                self._column(full, left)

    def _column(self, column: ir.Value, columns: int) -> None:
        """All rows of one panel of `columns` columns."""
        p, b = self.block.product, self.block.b
        step, total = p.tile[0], b.mul(self.block.rows, integer(p.rows.line))
        full = b.mul(b.udiv(total, integer(step)), integer(step))

        def tiles(row: ir.Value, carried: list[ir.Value]) -> tuple[()]:
            self._tile(row, column, step, columns)
            return ()

        if p.blocks[0] * p.rows.line >= step and p.rows.count >= step:
            loop(b, integer(0), full, step, (), tiles)
        left = b.sub(total, full)
        for rest in _rests(p.blocks[0], p.rows, step):
            with b.if_then(b.icmp_signed("==", left, integer(rest))):
                self._tile(full, column, rest, columns)

    def _tile(self, row: ir.Value, column: ir.Value, rows: int, columns: int) -> None:
        p, b, code = self.block.product, self.block.b, self.block.frame.code
        width = p.tile[2]
        vectors = -(-columns // width)
        row_stride, a_step = p.row_steps
        dtype, tail = p.dtype, columns - (vectors - 1) * width
        if not p.result_direct:  # scratch has room for whole vectors
            dtype, tail = DType.FLOAT32, tail if p.columns_direct else width
        tile = Tile(rows, vectors, width, tail, row_stride, a_step, p.column_step, p.form.initial, dtype)
        a = code.element(self.rows, F32, b.mul(row, integer(p.row_pitch)))
        line = code.element(self.columns, F32, column)
        c = code.element(self.result, memory_type(dtype), b.add(b.mul(row, integer(p.result_step)), column))
        b.call(tile.function(b.module), [a, line, c, self.count, integer(p.result_step), self.first])


def _rests(block: int, side: Side, unit: int) -> list[int]:
    """What can be left of a block's rows or columns after its full tiles."""
    sizes = {min(block, side.first), side.first % block}
    return sorted({size * side.line % unit for size in sizes} - {0})
