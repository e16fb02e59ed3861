"""A builder of LLVM values of one width: scalars (width 1) or vectors, without any flag that could lose exactness."""

from __future__ import annotations

import struct
from functools import cache

import llvmlite.ir as ir

from assay.program.types import DType

from .wide_fma import ROUNDINGS, is_bare, wide_fma, wide_round

__all__ = ["F32", "I1", "I8", "I32", "I64", "PTR", "VOID", "Code", "integer", "lane_type"]

VOID = ir.VoidType()
PTR = ir.PointerType()
F32 = ir.FloatType()
I1, I8, I32, I64 = (ir.IntType(n) for n in (1, 8, 32, 64))


@cache
def integer(value: int) -> ir.Constant:
    """An int64 constant."""
    return ir.Constant(I64, value)


class _Written(ir.Constant):  # type: ignore[misc]
    """A constant as LLVM assembly writes it."""

    def __init__(self, kind: ir.Type, text: str) -> None:
        self.type, self.constant = kind, text

    def _get_reference(self) -> str:
        return str(self.constant)


@cache
def _uniform(lane: str, width: int, value: str) -> ir.Constant:
    """The constant written `value` in every lane. Many are used again and again, and making one is slow."""
    kind = _LANES[lane]
    if width == 1:
        return _Written(kind, value)
    return _Written(ir.VectorType(kind, width), f"splat ({lane} {value})")


@cache
def _listed(lane: str, values: tuple[int, ...]) -> ir.Constant:
    return ir.Constant(ir.VectorType(_LANES[lane], len(values)), list(values))


_LANES: dict[str, ir.Type] = {str(kind): kind for kind in (F32, I1, I8, ir.IntType(16), I32, I64)}


def lane_type(dtype: DType) -> ir.Type:
    """The type in which values of `dtype` are computed: all floats as binary32, bools as i1."""
    if dtype.is_float:
        return F32
    return I1 if dtype is DType.BOOL else ir.IntType(dtype.bits)


def _suffix(kind: ir.Type) -> str:
    if isinstance(kind, ir.VectorType):
        return f"v{kind.count}{_suffix(kind.element)}"
    if isinstance(kind, ir.PointerType):
        return "p0"
    return "f32" if kind == F32 else f"i{kind.width}"


class Code:
    """Emits at the position of `builder`; every value has `width` lanes unless a method says otherwise."""

    def __init__(self, builder: ir.IRBuilder, width: int) -> None:
        self.builder = builder
        self.width = width

    @property
    def module(self) -> ir.Module:
        """The module that is being written."""
        return self.builder.module

    def at_width(self, width: int) -> Code:
        """The same position with another number of lanes."""
        return self if width == self.width else Code(self.builder, width)

    def wide(self, lane: ir.Type) -> ir.Type:
        """The type of a value whose lanes are `lane`."""
        return lane if self.width == 1 else ir.VectorType(lane, self.width)

    def constant(self, lane: ir.Type, value: int | float) -> ir.Constant:
        """The same constant in every lane."""
        return _uniform(str(lane), self.width, lane.format_constant(value))

    def each(self, lane: ir.Type, values: list[int]) -> ir.Constant:
        """One constant per lane."""
        return self.constant(lane, values[0]) if self.width == 1 else _listed(str(lane), tuple(values))

    def immediate(self, dtype: DType, bits: int) -> ir.Value:
        """The constant of `dtype` with these bits (a float16 or bfloat16 is not accepted here)."""
        if dtype.is_float:
            return _uniform("float", self.width, f"bitcast (i32 {bits & 0xFFFFFFFF} to float)")
        if dtype is DType.BOOL:
            return self.constant(I1, int(bits != 0))
        return self.constant(ir.IntType(dtype.bits), bits & ((1 << dtype.bits) - 1))

    def number(self, value: float) -> ir.Value:
        """A float constant, rounded to binary32."""
        return self.immediate(DType.FLOAT32, struct.unpack("<I", struct.pack("<f", value))[0])

    def splat(self, scalar: ir.Value) -> ir.Value:
        """A scalar in every lane."""
        if self.width == 1:
            return scalar
        empty = ir.Constant(ir.VectorType(scalar.type, self.width), ir.Undefined)
        first = self.builder.insert_element(empty, scalar, ir.Constant(I32, 0))
        return self.builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(I32, self.width), [0] * self.width))

    def lanes(self, value: ir.Value) -> ir.Value:
        """`value` itself if it has lanes already, else splat."""
        return value if self.width == 1 or isinstance(value.type, ir.VectorType) else self.splat(value)

    def intrinsic(self, name: str, result: ir.Type, args: list[ir.Value], overloads: list[ir.Type]) -> ir.Value:
        """Call `llvm.<name>` with the type suffixes of `overloads`."""
        return self.call(".".join(["llvm." + name, *map(_suffix, overloads)]), result, args)

    def call(self, name: str, result: ir.Type, args: list[ir.Value]) -> ir.Value:
        """Call a function by name, declaring it if need be."""
        function = self.module.globals.get(name)
        if function is None:
            function = ir.Function(self.module, ir.FunctionType(result, [a.type for a in args]), name)
        return self.builder.call(function, args)

    def unary(self, name: str, x: ir.Value) -> ir.Value:
        """An intrinsic from one type to itself."""
        if name in ROUNDINGS and is_bare(self.module):
            return wide_round(self, name, x)
        return self.intrinsic(name, x.type, [x], [x.type])

    def fma(self, x: ir.Value, y: ir.Value, z: ir.Value) -> ir.Value:
        """x·y + z, rounded once."""
        if is_bare(self.module):
            return wide_fma(self, x, y, z)
        return self.intrinsic("fma", x.type, [x, y, z], [x.type])

    def select(self, condition: ir.Value, yes: ir.Value, no: ir.Value) -> ir.Value:
        """Lane-wise choice; a scalar condition chooses whole values."""
        return self.builder.select(condition, yes, no)

    def is_nan(self, x: ir.Value) -> ir.Value:
        """x != x."""
        return self.builder.fcmp_unordered("uno", x, x)

    def element(self, base: ir.Value, lane: ir.Type, index: ir.Value, inbounds: bool = True) -> ir.Value:
        """Pointer (or vector of pointers, for a vector index) to element `index` of the array at `base`."""
        pointer = self.builder.gep(base, [index], inbounds=inbounds, source_etype=lane)
        if isinstance(index.type, ir.VectorType):
            pointer.type = ir.VectorType(PTR, index.type.count)
        return pointer
