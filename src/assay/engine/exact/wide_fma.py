"""Fused multiply-add, and rounding to integers, for processors without such instructions (x86-64 before AVX2, SSE4.1).

LLVM would call the C library there, one lane at a time, and take its word for the last bit. Here each is a function of
vectors in the module itself, made of operations that every processor rounds alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import llvmlite.ir as ir

from .native import Machine

if TYPE_CHECKING:
    from .code import Code

__all__ = ["ROUNDINGS", "bare", "is_bare", "wide_fma", "wide_round"]

_MARK = "assay.bare"
_F32, _F64, _I32, _I64 = ir.FloatType(), ir.DoubleType(), ir.IntType(32), ir.IntType(64)
_INTEGERS_FROM = 8388608.0
"""2^23: from here on every binary32 is an integer."""


def bare(module: ir.Module, target: Machine) -> None:
    """Note in `module` if `target` lacks the instructions; `is_bare` reads it."""
    if not target.fused:
        module.add_named_metadata(_MARK, [])


def is_bare(module: ir.Module) -> bool:
    """Whether `module` is for a processor without fused multiply-add."""
    return _MARK in module.namedmetadata


def wide_fma(code: Code, x: ir.Value, y: ir.Value, z: ir.Value) -> ir.Value:
    """x·y + z, rounded once: floats, or vectors of them."""
    return code.builder.call(_function(code.module, "fma", x.type, 3, _fma), [x, y, z])


def wide_round(code: Code, name: str, x: ir.Value) -> ir.Value:
    """floor, ceil, trunc or roundeven of floats, or vectors of them; the sign of a zero is that of x."""
    return code.builder.call(_function(code.module, name, x.type, 1, ROUNDINGS[name]), [x])


_Body = Callable[["_Lanes", list[ir.Value]], ir.Value]


def _function(module: ir.Module, name: str, kind: ir.Type, arguments: int, body: _Body) -> ir.Function:
    """The module's function, written when it is first wanted."""
    width = kind.count if isinstance(kind, ir.VectorType) else 1
    symbol = f"{_MARK}.{name}.{width}"
    function = module.globals.get(symbol)
    if function is None:
        function = ir.Function(module, ir.FunctionType(kind, [kind] * arguments), symbol)
        function.linkage = "internal"
        function.attributes.add("nounwind")
        function.attributes.add("readnone")
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        builder.ret(body(_Lanes(builder, width), list(function.args)))
    return function


class _Lanes:
    """A builder and the number of lanes."""

    def __init__(self, builder: ir.IRBuilder, width: int) -> None:
        self.b = builder
        self.width = width

    def type(self, lane: ir.Type) -> ir.Type:
        return lane if self.width == 1 else ir.VectorType(lane, self.width)

    def constant(self, lane: ir.Type, value: float | int) -> ir.Constant:
        return ir.Constant(self.type(lane), value if self.width == 1 else [value] * self.width)

    def sign(self, x: ir.Value) -> ir.Value:
        """The sign bits of floats."""
        return self.b.and_(self.b.bitcast(x, self.type(_I32)), self.constant(_I32, 0x80000000))

    def magnitude(self, x: ir.Value) -> ir.Value:
        bits = self.b.and_(self.b.bitcast(x, self.type(_I32)), self.constant(_I32, 0x7FFFFFFF))
        return self.b.bitcast(bits, self.type(_F32))

    def with_sign(self, magnitude: ir.Value, sign: ir.Value) -> ir.Value:
        return self.b.bitcast(self.b.or_(self.b.bitcast(magnitude, self.type(_I32)), sign), self.type(_F32))


def _fma(lanes: _Lanes, arguments: list[ir.Value]) -> ir.Value:
    """The product of two binary32 is exact in binary64. The sum is rounded to odd there, then once to binary32.

    Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd" (IEEE
    Transactions on Computers 57, 2008): 53 >= 2·24 + 2 bits make the second rounding that of the exact value,
    subnormals and overflow included. The error of the sum is Knuth's two-sum. If it is not zero and the sum's last bit
    is even, the sum moves one step toward the exact value. Where the sum is infinite or NaN, the error is NaN, and
    nothing moves.
    """
    b, wide, long = lanes.b, lanes.type(_F64), lanes.type(_I64)
    x, y, z = (b.fpext(v, wide) for v in arguments)
    product = b.fmul(x, y)
    total = b.fadd(product, z)
    virtual = b.fsub(total, product)
    error = b.fadd(b.fsub(product, b.fsub(total, virtual)), b.fsub(z, virtual))
    bits = b.bitcast(total, long)
    one, zero = lanes.constant(_I64, 1), lanes.constant(_I64, 0)
    away = b.icmp_signed("<", b.xor(b.bitcast(error, long), bits), zero)
    inexact = b.fcmp_ordered("!=", error, lanes.constant(_F64, 0.0))
    even = b.icmp_unsigned("==", b.and_(bits, one), zero)
    step = b.select(away, lanes.constant(_I64, -1), one)
    odd = b.add(bits, b.select(b.and_(inexact, even), step, zero))
    return b.fptrunc(b.bitcast(odd, wide), lanes.type(_F32))


def _small(lanes: _Lanes, x: ir.Value) -> ir.Value:
    """Where x may have a fraction; false for NaN."""
    return lanes.b.fcmp_ordered("<", lanes.magnitude(x), lanes.constant(_F32, _INTEGERS_FROM))


def _roundeven(lanes: _Lanes, arguments: list[ir.Value]) -> ir.Value:
    """Adding 2^23 rounds to an integer, ties to even; taking it away again is exact."""
    (x,), large = arguments, lanes.constant(_F32, _INTEGERS_FROM)
    near = lanes.b.fsub(lanes.b.fadd(lanes.magnitude(x), large), large)
    return lanes.b.select(_small(lanes, x), lanes.with_sign(near, lanes.sign(x)), x)


def _trunc(lanes: _Lanes, arguments: list[ir.Value]) -> ir.Value:
    b, (x,), small = lanes.b, arguments, _small(lanes, arguments[0])
    safe = b.select(small, x, lanes.constant(_F32, 0.0))  # what does not fit an int32 is undefined
    whole = b.sitofp(b.fptosi(safe, lanes.type(_I32)), lanes.type(_F32))
    return b.select(small, lanes.with_sign(lanes.magnitude(whole), lanes.sign(x)), x)


def _floor(lanes: _Lanes, arguments: list[ir.Value]) -> ir.Value:
    b, (x,), whole = lanes.b, arguments, _trunc(lanes, arguments)
    return b.select(b.fcmp_ordered(">", whole, x), b.fsub(whole, lanes.constant(_F32, 1.0)), whole)


def _ceil(lanes: _Lanes, arguments: list[ir.Value]) -> ir.Value:
    b, (x,), whole = lanes.b, arguments, _trunc(lanes, arguments)
    return b.select(b.fcmp_ordered("<", whole, x), b.fadd(whole, lanes.constant(_F32, 1.0)), whole)


ROUNDINGS: dict[str, _Body] = {"ceil": _ceil, "floor": _floor, "roundeven": _roundeven, "trunc": _trunc}
"""The roundings by the name of LLVM's intrinsic."""
