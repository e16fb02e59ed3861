"""Between memory and registers: float16 and bfloat16 are widened and rounded, bools are bytes, NaN is made canonical.

The float16 conversions are integer sequences (after F. Giesen, "Half to float done quick" and "Float to half"), so
that no target needs a run-time library for them.
"""

from __future__ import annotations

import llvmlite.ir as ir

from assay.program.types import DType

from .code import F32, I8, I32, Code

__all__ = ["canonical", "memory_type", "pack", "rounded", "unpack"]

_I16 = ir.IntType(16)
_NAN = 0x7FC00000


def memory_type(dtype: DType) -> ir.Type:
    """The type of one element in memory."""
    if dtype is DType.FLOAT32:
        return F32
    return I8 if dtype is DType.BOOL else ir.IntType(dtype.bits)


def unpack(code: Code, dtype: DType, raw: ir.Value) -> ir.Value:
    """A memory value in its compute type; exact."""
    b = code.builder
    if dtype is DType.BOOL:
        return b.icmp_unsigned("!=", raw, code.constant(I8, 0))
    if dtype is DType.BFLOAT16:
        bits = b.shl(b.zext(raw, code.wide(I32)), code.constant(I32, 16))
        return b.bitcast(bits, code.wide(F32))
    if dtype is DType.FLOAT16:
        return _from_half(code, b.zext(raw, code.wide(I32)))
    return raw


def pack(code: Code, dtype: DType, value: ir.Value) -> ir.Value:
    """A compute value as it is stored: rounded once, NaN canonical."""
    b = code.builder
    if dtype is DType.BOOL:
        return b.zext(value, code.wide(I8))
    if dtype is DType.FLOAT32:
        return canonical(code, value)
    if dtype is DType.BFLOAT16:
        return b.trunc(_bfloat_bits(code, value), code.wide(_I16))
    if dtype is DType.FLOAT16:
        return b.trunc(_half_bits(code, value), code.wide(_I16))
    return value


def canonical(code: Code, value: ir.Value) -> ir.Value:
    """The float itself, or the one NaN."""
    b = code.builder
    bits = b.bitcast(value, code.wide(I32))
    return b.bitcast(b.select(_is_nan(code, bits), code.constant(I32, _NAN), bits), code.wide(F32))


def _is_nan(code: Code, bits: ir.Value) -> ir.Value:
    """Asked of the bits as an integer: LLVM takes all NaN for equal, and turns "x < 0 ? nan : sqrt(x)" into sqrt(x)."""
    b = code.builder
    return b.icmp_unsigned(">", b.and_(bits, code.constant(I32, 0x7FFFFFFF)), code.constant(I32, 0x7F800000))


def rounded(code: Code, dtype: DType, value: ir.Value) -> ir.Value:
    """What a later reader sees of a value stored as `dtype`, without the trip through memory (but for which NaN)."""
    if dtype in (DType.FLOAT16, DType.BFLOAT16):
        return unpack(code, dtype, pack(code, dtype, value))
    return value


def _bfloat_bits(code: Code, value: ir.Value) -> ir.Value:
    b = code.builder
    bits = b.bitcast(value, code.wide(I32))
    odd = b.and_(b.lshr(bits, code.constant(I32, 16)), code.constant(I32, 1))
    up = b.add(bits, b.add(odd, code.constant(I32, 0x7FFF)))
    return b.select(_is_nan(code, bits), code.constant(I32, 0x7FC0), b.lshr(up, code.constant(I32, 16)))


def _half_bits(code: Code, value: ir.Value) -> ir.Value:
    b = code.builder

    def c(n: int) -> ir.Constant:
        return code.constant(I32, n)

    bits = b.bitcast(value, code.wide(I32))
    sign = b.and_(bits, c(0x80000000))
    size = b.xor(bits, sign)
    # subnormal results: adding 0.5 lets the float adder round at the right bit
    half = b.bitcast(c(0x3F000000), code.wide(F32))
    small = b.sub(b.bitcast(b.fadd(b.bitcast(size, code.wide(F32)), half), code.wide(I32)), c(0x3F000000))
    # normal results: rebias the exponent and round to even at bit 13; 65520 and more carries into infinity
    odd = b.and_(b.lshr(size, c(13)), c(1))
    normal = b.lshr(b.add(b.add(size, c((15 - 127 << 23) + 0xFFF & 0xFFFFFFFF)), odd), c(13))
    finite = b.select(b.icmp_unsigned("<", size, c(0x38800000)), small, normal)
    large = b.select(b.icmp_unsigned(">=", size, c(0x47800000)), c(0x7C00), finite)
    return b.select(_is_nan(code, bits), c(0x7E00), b.or_(large, b.lshr(sign, c(16))))


def _from_half(code: Code, raw: ir.Value) -> ir.Value:
    b = code.builder

    def c(n: int) -> ir.Constant:
        return code.constant(I32, n)

    shifted = b.shl(b.and_(raw, c(0x7FFF)), c(13))
    exponent = b.and_(shifted, c(0x0F800000))
    normal = b.add(shifted, c(127 - 15 << 23))
    infinite = b.add(normal, c(128 - 16 << 23))
    # subnormals: 2^-14 · (1 + fraction) - 2^-14 is exact
    unit = b.bitcast(c(113 << 23), code.wide(F32))
    scaled = b.bitcast(b.add(normal, c(1 << 23)), code.wide(F32))
    subnormal = b.bitcast(b.fsub(scaled, unit), code.wide(I32))
    size = b.select(b.icmp_unsigned("==", exponent, c(0)), subnormal, normal)
    size = b.select(b.icmp_unsigned("==", exponent, c(0x0F800000)), infinite, size)
    sign = b.shl(b.and_(raw, c(0x8000)), c(16))
    return b.bitcast(b.or_(size, sign), code.wide(F32))
