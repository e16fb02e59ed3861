"""Products (matrix products and convolutions, and their gradients): blocked, packed, in register tiles.

A product is a CHAIN of `fma` over two float reads. The loops of the domain along which one operand alone moves are the
columns of a tile, side by side in registers; those along which the other one alone moves are its rows. Loops along
which both move are outside. Which operand gives the columns is a question of cost: where these are not side by side
in the result, a block of it is made in scratch memory and laid out afterwards. Blocking over k stores and reloads the
chains; it never splits one.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from math import gcd, prod
from typing import NamedTuple

from assay.program.kernel import Order
from assay.program.types import DType

from .form import Access, Affine, Form, depends
from .native import Machine

__all__ = ["Product", "Side", "match", "round_up"]

DEPTH = 256
"""Terms of a chain between two stores, about: a panel of columns then fits into the first-level cache."""
ROWS, COLUMNS = 512, 512
"""The largest block of the result that is one unit of work."""
SMALLEST = 4096
"""Products with fewer terms than this go through the generic nest."""
FEW = 4
"""Rows for which columns are not packed."""
NEAR = 64
"""Terms that are less floats apart than this need not be brought together for the tiles."""
UNITS, WORTH = 2, 1 << 17
"""A block is halved while there are fewer units than this per thread, and more than so many terms in each."""


class Side(NamedTuple):
    """An operand and the loops along which it alone moves, outermost first; the first one is cut into blocks."""

    access: Access
    dims: tuple[int, ...]
    extents: tuple[int, ...]

    @property
    def first(self) -> int:
        """Iterations of the loop that is cut."""
        return self.extents[0] if self.extents else 1

    @property
    def line(self) -> int:
        """Rows or columns per iteration of that loop."""
        return prod(self.extents[1:])

    @property
    def count(self) -> int:
        """Rows or columns in all."""
        return prod(self.extents)

    def step(self, dim: int) -> int | None:
        """Elements between neighbours along `dim`, or None where that is not one number."""
        if any(c.via is not None or c.divisor != 1 for c in self.access.checks):
            return None
        return self.access.flat.strides[dim] + sum(c.coord.strides[dim] * c.scale for c in self.access.checks)


@dataclass(frozen=True)
class Product:
    """A form seen as a product. Dimensions are positions in the form's loops."""

    form: Form
    rows: Side
    columns: Side
    outer_dims: tuple[int, ...]
    target: Machine

    # --- sizes

    @cached_property
    def fold_dims(self) -> tuple[int, ...]:
        """The loops of the fold."""
        return tuple(range(len(self.form.domain), len(self.form.extents)))

    @cached_property
    def lead(self) -> int:
        """How many loops of the fold stay outside of the parts into which it is cut."""
        lead = 0
        while prod(self.form.fold[lead + 1 :]) > DEPTH:
            lead += 1
        return lead

    @property
    def part_dims(self) -> tuple[int, ...]:
        """The loops of the fold that a part walks through; the first one is cut."""
        return self.fold_dims[self.lead :]

    @property
    def slice(self) -> int:
        """Terms per iteration of the loop of the fold that is cut."""
        return prod(self.form.fold[self.lead + 1 :])

    @property
    def terms(self) -> int:
        """Iterations of that loop."""
        return self.form.fold[self.lead] if self.form.fold else 1

    @property
    def dtype(self) -> DType:
        """Of the result."""
        return self.form.statements[0].dtype

    @cached_property
    def tile(self) -> tuple[int, int, int]:
        """(rows, vectors, lanes) of a full register tile."""
        columns, width = self.columns.count, self.target.vector
        while width > 4 and columns <= width // 2:
            width //= 2
        if columns <= width:
            return (12 if self.target.registers == 32 else 8), 1, width
        return (8 if self.target.registers == 32 else 6), 2, width

    @cached_property
    def blocks(self) -> tuple[int, int, int]:
        """Iterations per block: of the first row loop, of the first column loop, of the fold's loop that is cut."""
        tile_rows, vectors, width = self.tile
        rows, columns = self.rows, self.columns
        row_step, column_step = _whole(tile_rows, rows.line), _whole(vectors * width, columns.line)
        row_block = round_up(min(max(1, ROWS // rows.line), rows.first), row_step)
        column_block = round_up(min(max(1, COLUMNS // columns.line), columns.first), column_step)
        outer, depth = prod(self.form.extents[d] for d in self.outer_dims), prod(self.form.fold)
        units = UNITS * self.target.threads if self.target.threads > 1 else 1
        while (
            outer * -(-rows.first // row_block) * -(-columns.first // column_block) < units
            and min(rows.first, row_block) * rows.line * min(columns.first, column_block) * columns.line * depth > WORTH
        ):
            # splitting one side means packing the other side once more
            row_cost, column_cost = self.packing
            if column_block > column_step and (row_cost < column_cost or row_block <= row_step):
                column_block = round_up(column_block // 2, column_step)
            elif row_block > row_step:
                row_block = round_up(row_block // 2, row_step)
            else:
                break
        parts = min(self.terms, max(1, DEPTH // self.slice))
        return row_block, column_block, parts

    @cached_property
    def grid(self) -> tuple[int, ...]:
        """Units: iterations of the outer loops, row blocks, column blocks."""
        row_block, column_block, _ = self.blocks
        outer = [self.form.extents[d] for d in self.outer_dims]
        return (*outer, -(-self.rows.first // row_block), -(-self.columns.first // column_block))

    @property
    def depth(self) -> int:
        """Terms between two stores of a chain, at most."""
        return self.blocks[2] * self.slice

    # --- where the operands and the result lie

    def _even(self, access: Access) -> int | None:
        """The distance between consecutive terms of a part, if it is the same for all."""
        return straight(access.flat, self.part_dims, self.form.extents)

    @cached_property
    def columns_direct(self) -> bool:
        """Whether tiles may read the columns where they are: side by side, and few rows to use them again."""
        access, dims = self.columns.access, self.columns.dims
        if access.checks or access.dtype is not DType.FLOAT32 or self._even(access) is None:
            return False
        return straight(access.flat, dims, self.form.extents) == 1 and self.rows.count <= 64

    @cached_property
    def rows_panelled(self) -> bool:
        """Whether rows are packed by the tile: in memory, they lie side by side and their terms far apart."""
        rows, last = self.rows, self.fold_dims[-1:]
        if len(rows.dims) != 1 or rows.count < self.tile[0] or not last or rows.access.checks:
            return False
        return rows.step(rows.dims[0]) == 1 and abs(rows.step(last[0]) or 0) >= NEAR and self.columns.count >= NEAR

    @cached_property
    def rows_direct(self) -> bool:
        """Whether tiles may read the rows where they are."""
        access, dims = self.rows.access, self.rows.dims
        if self.rows_panelled:
            return False
        if access.checks or access.dtype is not DType.FLOAT32 or self._even(access) is None:
            return False
        return straight(access.flat, dims, self.form.extents) is not None

    @cached_property
    def result_direct(self) -> bool:
        """Whether tiles may keep their chains where the result will be."""
        flat, extents = self.form.flat, self.form.extents
        if straight(flat, self.columns.dims, extents) != 1 or straight(flat, self.rows.dims, extents) is None:
            return False
        return self.dtype is DType.FLOAT32 or prod(self.form.fold) <= self.depth

    @cached_property
    def result_turned(self) -> bool:
        """Whether the rows of a block of the result, not its columns, lie side by side in the result."""
        flat, rows, columns = self.form.flat, self.rows, self.columns
        if self.result_direct or not rows.dims or flat.strides[columns.dims[-1]] == 1:
            return False
        return flat.strides[rows.dims[-1]] == 1 and self.target.vector > 1 and rows.count >= 8

    @cached_property
    def columns_turned(self) -> bool:
        """Whether columns are packed by way of a transposition: in memory, terms lie side by side."""
        if self.columns_direct or not self.fold_dims or self.target.vector == 1:
            return False
        last, column, extents = self.fold_dims[-1], self.columns.dims[-1], self.form.extents
        along = self.columns.step(last) == 1 and extents[last] >= 4
        return along and (self.columns.step(column) != 1 or extents[column] < extents[last])

    @cached_property
    def turned_in_place(self) -> bool:
        """Whether the transposition can read the operand itself, in whole blocks."""
        access, width = self.columns.access, self.target.vector
        if access.checks or access.dtype is not DType.FLOAT32 or len(self.columns.dims) > 1:
            return False
        whole = self.depth % width == 0 and self.slice * self.terms % width == 0
        return self._even(access) == 1 and whole and self.columns.count % width == 0

    @cached_property
    def streamed(self) -> bool:
        """Whether columns are turned in registers: too few rows use them again for packing to pay."""
        if self.rows.count > FEW or not (self.columns_turned and self.rows_direct and self.result_direct):
            return False
        access, width = self.columns.access, self.target.vector
        if access.checks or access.dtype is not DType.FLOAT32 or len(self.columns.dims) > 1 or len(self.form.fold) > 1:
            return False
        return self.columns.count % width == 0 and self.form.fold[0] % width == 0

    @property
    def stage_step(self) -> int:
        """Floats between columns on their way to a transposition."""
        if self.turned_in_place:
            return self.columns.access.flat.strides[self.columns.dims[0]]
        return round_up(self.depth, self.target.vector) + 16

    @cached_property
    def column_step(self) -> int:
        """Floats between consecutive terms of a column, as tiles see it."""
        if self.columns_direct:
            return self._even(self.columns.access) or 0
        return self.width

    @cached_property
    def row_steps(self) -> tuple[int, int]:
        """Floats between rows and between terms, as tiles see it."""
        if self.rows_direct:
            access = self.rows.access
            return straight(access.flat, self.rows.dims, self.form.extents) or 0, self._even(access) or 0
        return (1, self.tile[0]) if self.rows_panelled else (self.depth + 16, 1)

    @property
    def row_pitch(self) -> int:
        """Floats between the first rows of neighbouring tiles, for each row between them."""
        return self.depth if self.rows_panelled else self.row_steps[0]

    @cached_property
    def result_step(self) -> int:
        """Elements between rows of the result, as tiles see it."""
        if self.result_direct:
            return straight(self.form.flat, self.rows.dims, self.form.extents) or 0
        return self.width + 16 * (self.width % 256 == 0)

    @cached_property
    def width(self) -> int:
        """Columns of a block, up to the next full panel."""
        return round_up(self.blocks[1] * self.columns.line, max(self.tile[1] * self.tile[2], self.target.vector))

    @cached_property
    def height(self) -> int:
        """Rows of a block, up to the next full tile, and up to the next full square of a transposition."""
        return round_up(round_up(self.blocks[0] * self.rows.line, self.tile[0]), self.target.vector)

    @property
    def turned_step(self) -> int:
        """Floats between columns of a block of the result that was turned."""
        return self.height + 16 * (self.height % 256 == 0)

    @cached_property
    def scratch(self) -> tuple[int, int, int, int]:
        """Floats of scratch: the packed columns, what is on its way to or from a transposition, rows, result."""
        if self.streamed:
            return 0, 0, 0, 0
        depth = round_up(self.depth, self.target.vector)
        staged = self.columns_turned and not self.turned_in_place
        columns = 0 if self.columns_direct else depth * self.column_step
        stage = max(staged * self.width * self.stage_step, self.result_turned * self.width * self.turned_step)
        rows = 0 if self.rows_direct else self.height * self.row_pitch
        result = 0 if self.result_direct else self.height * self.result_step
        return round_up(columns, 16), round_up(stage, 16), round_up(rows, 16), round_up(result, 16)

    # --- cost

    @property
    def cost(self) -> float:
        """About how many cycles one term of all chains takes, with its share of packing and of laying out the result."""
        width, tile_rows = self.tile[2], self.tile[0]
        rows, columns, flat = self.rows, self.columns, self.form.flat
        work = round_up(rows.count, min(tile_rows, 8)) * round_up(columns.count, width) / width
        row_block, column_block, _ = self.blocks
        row_cost, column_cost = self.packing
        packing = row_cost * -(-columns.first // column_block) + column_cost * -(-rows.first // row_block)
        side_by_side = flat.strides[columns.dims[-1]] == 1
        layout = 1 / width if self.result_direct else 4 / width if side_by_side else 8 / width
        if not (self.result_direct or side_by_side or self.result_turned):
            layout = 3
        return work + packing + layout * rows.count * columns.count / max(1, prod(self.form.fold))

    @cached_property
    def packing(self) -> tuple[float, float]:
        """About how many cycles it takes to pack one term of all rows, and of all columns."""
        along = self.fold_dims[-1:] if self.columns_turned else self.columns.dims[-1:]
        across = self.rows.dims[-1:] if self.rows_panelled else self.fold_dims[-1:]
        rows, columns = self._copying(self.rows, across), self._copying(self.columns, along)
        columns += self.columns.count * 8 / self.tile[2] * self.columns_turned
        return rows * (not self.rows_direct), columns * (not self.columns_direct)

    def _copying(self, side: Side, along: tuple[int, ...]) -> float:
        """Cycles to copy an operand's elements of one term, walking along these loops innermost."""
        guarded = bool(side.access.checks)
        run = self.form.extents[along[0]] if along and side.step(along[0]) == 1 else 1
        return side.count * (2 + 8 * guarded) / min(self.tile[2], run)


def straight(affine: Affine, dims: tuple[int, ...], extents: tuple[int, ...]) -> int | None:
    """The distance between neighbours when one walks through all these loops, if it is always the same (0: no loop)."""
    for outer, inner in itertools.pairwise(dims):
        if affine.strides[outer] != affine.strides[inner] * extents[inner]:
            return None
    return affine.strides[dims[-1]] if dims else 0


def round_up(value: int, step: int) -> int:
    """To the next multiple."""
    return -(-value // step) * step


def _whole(count: int, line: int) -> int:
    """Iterations of `line` each that fill whole tiles of `count`."""
    return count // gcd(count, line)


def _side(form: Form, access: Access, dims: list[int], limit: int) -> Side:
    """A side without the first loops, as far as they have to stay outside to keep its blocks below `limit`."""
    first = 0
    while prod(form.extents[d] for d in dims[first + 1 :]) > limit:
        first += 1
    kept = tuple(dims[first:])
    return Side(access, kept, tuple(form.extents[d] for d in kept))


def _product(form: Form, rows: Access, columns: Access, target: Machine) -> Product | None:
    domain = range(len(form.domain))
    row_dims = [d for d in domain if depends(rows, d) and not depends(columns, d)]
    column_dims = [d for d in domain if depends(columns, d) and not depends(rows, d)]
    if not column_dims:
        return None
    row_side, column_side = _side(form, rows, row_dims, ROWS), _side(form, columns, column_dims, COLUMNS)
    if column_side.count < 4:
        return None
    inside = {*row_side.dims, *column_side.dims}
    return Product(form, row_side, column_side, tuple(d for d in domain if d not in inside), target)


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
    found = [p for p in (_product(form, a, b, target), _product(form, b, a, target)) if p is not None]
    return min(found, key=lambda p: p.cost, default=None)
