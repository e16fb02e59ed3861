"""A place inside a loop nest: the loops entered so far, and how arguments are read there, one value or many at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import llvmlite.ir as ir

from assay.program.types import DType

from .code import F32, I1, I32, I64, Code, integer
from .form import Access, Affine, Arg, Check, Form, Immediate, Iota, Local, depends
from .storage import memory_type, pack, rounded, unpack

__all__ = ["Frame", "loop"]

Carried = Sequence[ir.Value]
Loaded = tuple[ir.Value, ir.Value | None]
"""A value as it lies in memory, and the mask of lanes inside the view (None: all)."""


def loop(
    builder: ir.IRBuilder,
    start: ir.Value,
    stop: ir.Value,
    step: int,
    carried: Carried,
    body: Callable[[ir.Value, list[ir.Value]], Carried],
) -> list[ir.Value]:
    """for index in range(start, stop, step): carried = body(index, carried). Returns what is carried out."""
    before = builder.block
    inside, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
    builder.cbranch(builder.icmp_signed("<", start, stop), inside, after)
    builder.position_at_end(inside)
    index = builder.phi(I64)
    index.add_incoming(start, before)
    phis = [builder.phi(v.type) for v in carried]
    for phi, value in zip(phis, carried, strict=True):
        phi.add_incoming(value, before)
    results = body(index, phis)
    end = builder.block
    following = builder.add(index, integer(step), flags=("nsw",))
    index.add_incoming(following, end)
    for phi, value in zip(phis, results, strict=True):
        phi.add_incoming(value, end)
    builder.cbranch(builder.icmp_signed("<", following, stop), inside, after)
    builder.position_at_end(after)
    final = []
    for value, result in zip(carried, results, strict=True):
        out = builder.phi(value.type)
        out.add_incoming(value, before)
        out.add_incoming(result, end)
        final.append(out)
    return final


@dataclass(frozen=True)
class Frame:
    """Values of the affine expressions at the current indices.

    With `lane_dim`, lane l stands at index + l of that loop; an expression may also have become a vector itself.
    `active` masks lanes that lie beyond the end: they are never read.
    """

    form: Form
    code: Code
    buffers: Sequence[ir.Value]
    partial: dict[Affine, ir.Value]
    lane_dim: int = -1
    active: ir.Value | None = None
    known: Mapping[Arg, Loaded] = field(default_factory=dict)
    done: Mapping[int, ir.Value] = field(default_factory=dict)
    """Values of statements that are known already."""

    @classmethod
    def outermost(cls, form: Form, builder: ir.IRBuilder, buffers: Sequence[ir.Value]) -> Frame:
        """Outside of all loops."""
        return cls(form, Code(builder, 1), buffers, {a: integer(a.base) for a in form.affines()})

    def enter(self, dim: int, index: ir.Value, width: int = 0) -> Frame:
        """Inside the loop `dim` at `index`; with a `width`, that many consecutive indices at once."""
        b, partial = self.code.builder, dict(self.partial)
        code = self.code.at_width(width) if width else self.code
        for affine, value in self.partial.items():
            stride = affine.strides[dim]
            if stride == 0:
                continue
            wide = isinstance(index.type, ir.VectorType)
            step = b.mul(index, code.constant(I64, stride) if wide else integer(stride))
            partial[affine] = b.add(code.lanes(value) if wide else value, step)
        regular = width > 1 and not isinstance(index.type, ir.VectorType)
        return replace(self, code=code, partial=partial, lane_dim=dim if regular else self.lane_dim)

    def hoist(self, dim: int) -> Frame:
        """The same place, with the reads made here that no loop from `dim` on can change."""
        inner = range(dim, len(self.form.extents))
        args = {a: None for s in self.form.statements for a in s.args if isinstance(a, Access) and a not in self.known}
        fixed: dict[Arg, Loaded] = {a: self._load(a) for a in args if not any(depends(a, d) for d in inner)}
        return replace(self, known={**self.known, **fixed}) if fixed else self

    def only(self, active: ir.Value) -> Frame:
        """The same place with some lanes masked off."""
        return replace(self, active=active)

    def scalar(self) -> Frame:
        """The same place, one value at a time."""
        known = {a: v for a, v in self.known.items() if not isinstance(v[0].type, ir.VectorType)}
        return replace(self, code=self.code.at_width(1), lane_dim=-1, active=None, known=known)

    # --- arguments

    def dtype(self, arg: Arg) -> DType:
        """The element type of an argument."""
        if isinstance(arg, Local):
            return self.form.statements[arg.statement].dtype
        return DType.INT64 if isinstance(arg, Iota) else arg.dtype

    def raw(self, arg: Arg, values: Sequence[ir.Value] | Mapping[int, ir.Value]) -> Loaded:
        """An argument as it lies in memory, and the mask of lanes inside its view (None: all).

        `values` are the compute values of the statements so far.
        """
        if isinstance(arg, Local):
            return pack(self.code, self.dtype(arg), values[arg.statement]), None
        if isinstance(arg, Immediate):
            return self._bits(arg.dtype, arg.bits), None if arg.inside else self.code.constant(I1, 0)
        if isinstance(arg, Iota):
            return self._sum(arg.coord, arg.via), None
        if arg in self.known or (self.code.width > 1 and not self.varies(arg)):
            value, inside = self.known.get(arg) or self.scalar()._load(arg)
            return self.code.lanes(value), None if inside is None else self.code.lanes(inside)
        return self._load(arg)

    def value(self, arg: Arg, values: Sequence[ir.Value] | Mapping[int, ir.Value]) -> ir.Value:
        """An argument in its compute type."""
        if isinstance(arg, Local):  # which NaN it is cannot matter: only its bits could tell
            return rounded(self.code, self.dtype(arg), values[arg.statement])
        return unpack(self.code, self.dtype(arg), self.raw(arg, values)[0])

    def store(self, slot: int, raw: ir.Value, dtype: DType) -> None:
        """Write a memory value at the row-major position in the domain."""
        flat = self.form.flat
        assert self.code.width == 1 or flat.strides[self.lane_dim] == 1
        pointer = self.code.element(self.buffers[slot], memory_type(dtype), self.partial[flat])
        self.code.builder.store(raw, pointer, align=dtype.itemsize)

    def locate(self, access: Access, checks: Sequence[Check]) -> Loaded:
        """Offset of the first lane by the lane-invariant `checks`, and whether it is inside (a scalar; None: always)."""
        b, outer, offset, mask = self.code.builder, self.scalar(), self.partial[access.flat], None
        for check in checks:
            coord, inside = outer.coordinate(check)
            offset = self._add(offset, b.mul(coord, integer(check.scale)))
            mask = inside if mask is None else b.and_(mask, inside)
        return offset, mask

    def is_straight(self, access: Access) -> bool:
        """Whether all lanes are side by side and inside the view together."""
        return self._stride(access.flat) == 1 and not any(self._check_varies(c) for c in access.checks)

    def varies(self, arg: Arg) -> bool:
        """Whether lanes may see different elements."""
        if isinstance(arg, Access):
            return self._moves(arg.flat) or any(self._check_varies(c) for c in arg.checks)
        if isinstance(arg, Iota):
            return self._moves(arg.coord) or (arg.via is not None and self.varies(arg.via))
        return isinstance(arg, Local)

    # --- reading

    def _bits(self, dtype: DType, bits: int) -> ir.Value:
        kind = memory_type(dtype)
        if kind == F32:
            return self.code.immediate(DType.FLOAT32, bits)
        return self.code.constant(kind, bits & ((1 << dtype.bits) - 1))

    def _stride(self, affine: Affine) -> int:
        return affine.strides[self.lane_dim] if self.lane_dim >= 0 else 0

    def _moves(self, affine: Affine) -> bool:
        return self._stride(affine) != 0 or isinstance(self.partial[affine].type, ir.VectorType)

    def _check_varies(self, check: Check) -> bool:
        return self._moves(check.coord) or (check.via is not None and self.varies(check.via))

    def _spread(self, affine: Affine) -> ir.Value:
        """An affine expression in every lane."""
        value, stride = self.partial[affine], self._stride(affine)
        if self.code.width == 1 or isinstance(value.type, ir.VectorType):
            return value
        value = self.code.splat(value)
        if stride:
            lanes = self.code.each(I64, [n * stride for n in range(self.code.width)])
            value = self.code.builder.add(value, lanes)
        return value

    def _sum(self, coord: Affine, via: Arg | None) -> ir.Value:
        """coord + via, as int64."""
        total, b = self._spread(coord), self.code.builder
        if via is None:
            return total
        dtype = self.dtype(via)
        number = self.value(via, ())
        if dtype.bits < 64 or dtype is DType.BOOL:
            number = (b.sext if dtype.is_signed else b.zext)(number, self.code.wide(I64))
        return b.add(total, number)

    def coordinate(self, check: Check) -> tuple[ir.Value, ir.Value]:
        """A checked coordinate (0 where it is not inside) and whether it is inside."""
        b, code = self.code.builder, self.code
        n, exact = self._sum(check.coord, check.via), None
        if check.divisor != 1:
            divisor = code.constant(I64, check.divisor)
            exact = b.icmp_signed("==", b.srem(n, divisor), code.constant(I64, 0))
            n = b.sdiv(n, divisor)
        inside = b.icmp_unsigned("<", n, code.constant(I64, check.extent))
        inside = inside if exact is None else b.and_(inside, exact)
        return b.select(inside, n, code.constant(I64, 0)), inside

    def _load(self, access: Access) -> Loaded:
        fixed = [c for c in access.checks if not self._check_varies(c)]
        moving = [c for c in access.checks if self._check_varies(c)]
        offset, mask = self.locate(access, fixed)
        if self.code.width == 1 or not (moving or self.active is not None or self._scattered(access.flat)):
            return self._regular(access, offset, mask)
        return self._masked(access, offset, mask, moving)

    def _scattered(self, affine: Affine) -> bool:
        return isinstance(self.partial[affine].type, ir.VectorType)

    def _add(self, offset: ir.Value, step: ir.Value) -> ir.Value:
        wide = isinstance(offset.type, ir.VectorType)
        return self.code.builder.add(offset, self.code.splat(step) if wide else step)

    def _regular(self, access: Access, offset: ir.Value, mask: ir.Value | None) -> Loaded:
        """One element, or evenly spaced ones; `mask` is a scalar."""
        code, b, kind, stride = self.code, self.code.builder, memory_type(access.dtype), self._stride(access.flat)
        pointer, size = code.element(self.buffers[access.slot], kind, offset), access.dtype.itemsize
        if code.width == 1 or stride == 1:
            value = b.load(pointer, typ=code.wide(kind), align=size)
        else:  # one by one: faster than a gather instruction
            value = ir.Constant(code.wide(kind), ir.Undefined)
            for lane in range(code.width):
                one = b.load(code.element(pointer, kind, integer(lane * stride)), typ=kind, align=size)
                value = b.insert_element(value, one, ir.Constant(I32, lane))
        if mask is None:
            return value, None
        return code.select(mask, value, self._bits(access.dtype, access.outside)), code.lanes(mask)

    def _masked(self, access: Access, offset: ir.Value, fixed: ir.Value | None, moving: list[Check]) -> Loaded:
        """Elements that are not side by side, or not all inside: a masked load where they are, else a gather."""
        b, code, kind = self.code.builder, self.code, memory_type(access.dtype)
        inside = None if fixed is None else code.splat(fixed)
        stride = self._stride(access.flat) + sum(self._stride(c.coord) * c.scale for c in moving)
        plain = stride == 1 and not any(c.via is not None or c.divisor != 1 for c in moving)
        plain = plain and not isinstance(offset.type, ir.VectorType)
        plain = plain and not any(isinstance(self.partial[c.coord].type, ir.VectorType) for c in moving)
        lanes = offset
        if not plain and not isinstance(offset.type, ir.VectorType):
            lanes = b.add(code.splat(offset), self._ramp(self._stride(access.flat)))
        for check in moving:
            coord, here = self.coordinate(check)
            inside = here if inside is None else b.and_(inside, here)
            if plain:
                lanes = b.add(lanes, b.mul(self.partial[check.coord], integer(check.scale)))
            else:
                lanes = b.add(lanes, b.mul(coord, code.constant(I64, check.scale)))
        mask = inside
        if self.active is not None:
            mask = self.active if mask is None else b.and_(mask, self.active)
        if mask is None:
            mask = code.constant(I1, 1)
        pointer = code.element(self.buffers[access.slot], kind, lanes, inbounds=False)
        other, name = self._bits(access.dtype, access.outside), "masked.load" if plain else "masked.gather"
        args, wide = [pointer, ir.Constant(I32, access.dtype.itemsize), mask, other], code.wide(kind)
        return code.intrinsic(name, wide, args, [wide, pointer.type]), inside

    def _ramp(self, stride: int) -> ir.Constant:
        return self.code.each(I64, [n * stride for n in range(self.code.width)])
