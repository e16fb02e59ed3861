"""The scalar operations of exact-1 as LLVM instructions, lane by lane. Each is total: nothing here can be poison.

The clear version of every operation is assay.engine.clear; the tests compare them bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable

import llvmlite.ir as ir

from assay.errors import UnsupportedOperator
from assay.program.functions import FUNCTIONS
from assay.program.types import DType

from .code import F32, I32, Code, lane_type

__all__ = ["apply"]

Values = list[ir.Value]


class _Ops:
    """The `Ops` protocol of functions.py over LLVM values."""

    def __init__(self, code: Code) -> None:
        b = code.builder
        self.code = code
        self.add, self.sub, self.mul, self.div = b.fadd, b.fsub, b.fmul, b.fdiv
        self.iadd, self.isub, self.imul = b.add, b.sub, b.mul
        self.iand, self.ior, self.ixor = b.and_, b.or_, b.xor
        self.band, self.bor, self.bnot = b.and_, b.or_, b.not_
        self.neg, self.fma, self.select = b.fneg, code.fma, b.select

    def f32(self, value: float | int) -> ir.Value:
        """A constant: an int gives the bits, a float the number."""
        return self.code.immediate(DType.FLOAT32, value) if isinstance(value, int) else self.code.number(value)

    def i32(self, value: int) -> ir.Value:
        return self.code.immediate(DType.INT32, value)

    def sqrt(self, x: ir.Value) -> ir.Value:
        return self.code.unary("sqrt", x)

    def abs(self, x: ir.Value) -> ir.Value:
        return self.code.unary("fabs", x)

    def floor(self, x: ir.Value) -> ir.Value:
        return self.code.unary("floor", x)

    def round(self, x: ir.Value) -> ir.Value:
        return self.code.unary("roundeven", x)

    def _compare(self, relation: str, x: ir.Value, y: ir.Value) -> ir.Value:
        if x.type in (F32, self.code.wide(F32)):
            return self.code.builder.fcmp_ordered(relation, x, y)
        return self.code.builder.icmp_signed(relation, x, y)

    def lt(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self._compare("<", x, y)

    def le(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self._compare("<=", x, y)

    def gt(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self._compare(">", x, y)

    def ge(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self._compare(">=", x, y)

    def eq(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self._compare("==", x, y)

    def to_int(self, x: ir.Value) -> ir.Value:
        wide = self.code.wide(I32)
        return self.code.intrinsic("fptosi.sat", wide, [x], [wide, x.type])

    def to_float(self, x: ir.Value) -> ir.Value:
        return self.code.builder.sitofp(x, self.code.wide(F32))

    def bits(self, x: ir.Value) -> ir.Value:
        return self.code.builder.bitcast(x, self.code.wide(I32))

    def from_bits(self, x: ir.Value) -> ir.Value:
        return self.code.builder.bitcast(x, self.code.wide(F32))

    def ishl(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return _shift("shl", self.code, DType.INT32, [x, y])

    def ishr(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return _shift("shr", self.code, DType.INT32, [x, y])


def _named(code: Code, name: str, args: Values) -> ir.Value:
    """Call the function `name`; its sequence is emitted once per module and width."""
    symbol = f"assay.{name}.{code.width}"
    function = code.module.globals.get(symbol)
    if function is None:
        kind = ir.FunctionType(code.wide(F32), [code.wide(F32)] * len(args))
        function = ir.Function(code.module, kind, symbol)
        function.linkage = "internal"
        function.attributes.add("nounwind")
        inner = Code(ir.IRBuilder(function.append_basic_block("entry")), code.width)
        inner.builder.ret(FUNCTIONS[name](_Ops(inner), *function.args))
    return code.builder.call(function, args)


def _arithmetic(op: str, code: Code, dtype: DType, x: Values) -> ir.Value:
    b = code.builder
    if dtype.is_float:
        if op == "fma":
            return code.fma(x[0], x[1], x[2])
        return {"add": b.fadd, "sub": b.fsub, "mul": b.fmul}[op](x[0], x[1])
    if op == "fma":
        return b.add(b.mul(x[0], x[1]), x[2])
    return {"add": b.add, "sub": b.sub, "mul": b.mul}[op](x[0], x[1])


def _division(op: str, code: Code, dtype: DType, x: Values) -> ir.Value:
    """div, mod and rem. The divisor is replaced by 1 where the instruction would be undefined."""
    b = code.builder
    if dtype.is_float:
        return b.fdiv(x[0], x[1])
    zero, one = code.immediate(dtype, 0), code.immediate(dtype, 1)
    none = b.icmp_unsigned("==", x[1], zero)
    if not dtype.is_signed:
        safe = b.select(none, one, x[1])
        return b.select(none, zero, b.udiv(x[0], safe)) if op == "div" else b.urem(x[0], safe)
    minus = b.icmp_unsigned("==", x[1], code.immediate(dtype, -1))
    safe = b.select(b.or_(none, minus), one, x[1])
    if op == "div":
        return b.select(none, zero, b.select(minus, b.sub(zero, x[0]), b.sdiv(x[0], safe)))
    rest = b.srem(x[0], safe)
    if op == "rem":
        return rest
    other_sign = b.icmp_signed("<", b.xor(rest, x[1]), zero)
    return b.select(b.and_(b.icmp_unsigned("!=", rest, zero), other_sign), b.add(rest, x[1]), rest)


def _compare(op: str, code: Code, dtype: DType, x: Values) -> ir.Value:
    relation = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}[op]
    b = code.builder
    if dtype.is_float:
        return (b.fcmp_unordered if op == "ne" else b.fcmp_ordered)(relation, x[0], x[1])
    return (b.icmp_signed if dtype.is_signed else b.icmp_unsigned)(relation, x[0], x[1])


def _extremum(op: str, code: Code, dtype: DType, x: Values) -> ir.Value:
    better = _compare("lt" if op == "min" else "gt", code, dtype, x)
    if dtype.is_float:
        better = code.builder.or_(better, code.is_nan(x[0]))
    return code.builder.select(better, x[0], x[1])


def _shift(op: str, code: Code, dtype: DType, x: Values) -> ir.Value:
    """The amount counts as unsigned; from the width on, the result is 0 (or the sign, for a signed shr)."""
    b, last = code.builder, code.immediate(dtype, dtype.bits - 1)
    inside = b.icmp_unsigned("<=", x[1], last)
    amount = b.select(inside, x[1], last)
    if op == "shr" and dtype.is_signed:
        return b.ashr(x[0], amount)
    return b.select(inside, (b.shl if op == "shl" else b.lshr)(x[0], amount), code.immediate(dtype, 0))


def _sign(code: Code, dtype: DType, x: ir.Value) -> ir.Value:
    b, zero = code.builder, code.immediate(dtype, 0)
    if dtype.is_float:
        signed = b.select(b.fcmp_ordered("<", x, zero), code.number(-1.0), x)
        return b.select(b.fcmp_ordered(">", x, zero), code.number(1.0), signed)
    positive = b.select(_compare("gt", code, dtype, [x, zero]), code.immediate(dtype, 1), zero)
    return b.select(_compare("lt", code, dtype, [x, zero]), code.immediate(dtype, -1), positive)


def _single(op: str, code: Code, dtype: DType, x: Values) -> ir.Value:
    """The operations with one operand."""
    b, v = code.builder, x[0]
    if op == "neg":
        return b.fneg(v) if dtype.is_float else b.neg(v)
    if op == "abs":
        if dtype.is_float:
            return code.unary("fabs", v)
        return b.select(_compare("lt", code, dtype, [v, code.immediate(dtype, 0)]), b.neg(v), v)
    if op == "isnan":
        return code.is_nan(v)
    if op == "isinf":
        return b.fcmp_ordered("==", code.unary("fabs", v), code.immediate(DType.FLOAT32, 0x7F800000))
    if op == "sign":
        return _sign(code, dtype, v)
    if op == "not":
        return b.not_(v)
    return code.unary({"round": "roundeven"}.get(op, op), v)  # sqrt, floor, ceil, trunc


def _cast(code: Code, source: DType, target: DType, v: ir.Value) -> ir.Value:
    b, wide = code.builder, code.wide(lane_type(target))
    if source.is_float:
        if target.is_float:
            return v
        if target is DType.BOOL:
            return b.fcmp_unordered("!=", v, code.number(0.0))
        return code.intrinsic("fptosi.sat" if target.is_signed else "fptoui.sat", wide, [v], [wide, v.type])
    if target.is_float:
        return (b.sitofp if source.is_signed else b.uitofp)(v, wide)
    if target is DType.BOOL:
        return b.icmp_unsigned("!=", v, code.immediate(source, 0))
    if v.type == wide:
        return v
    if source is not DType.BOOL and source.bits > target.bits:
        return b.trunc(v, wide)
    return (b.sext if source.is_signed else b.zext)(v, wide)


def apply(op: str, code: Code, source: DType, target: DType, x: Values) -> ir.Value:
    """`op` over values whose (last) operand has dtype `source`; the result is in the compute type of `target`.

    `first` and `bitcast` need more than values and are not here. Raises UnsupportedOperator for an unknown name.
    """
    b = code.builder
    if op in FUNCTIONS:
        return _named(code, op, x)
    if op == "select":
        return b.select(x[0], x[1], x[2])
    if op == "copy":
        return x[0]
    if op == "cast":
        return _cast(code, source, target, x[0])
    emit = _EMITTERS.get(op)
    if emit is None:
        raise UnsupportedOperator(f"the exact engine has no scalar operation {op!r}", op=op)
    return emit(op, code, source, x)


def _bitwise(op: str, code: Code, dtype: DType, x: Values) -> ir.Value:
    b = code.builder
    return {"and": b.and_, "or": b.or_, "xor": b.xor}[op](x[0], x[1])


_EMITTERS: dict[str, Callable[[str, Code, DType, Values], ir.Value]] = {
    **dict.fromkeys(("add", "sub", "mul", "fma"), _arithmetic),
    **dict.fromkeys(("div", "mod", "rem"), _division),
    **dict.fromkeys(("lt", "le", "gt", "ge", "eq", "ne"), _compare),
    **dict.fromkeys(("min", "max"), _extremum),
    **dict.fromkeys(("and", "or", "xor"), _bitwise),
    **dict.fromkeys(("shl", "shr"), _shift),
    **dict.fromkeys(
        ("neg", "abs", "isnan", "isinf", "sign", "not", "sqrt", "floor", "ceil", "round", "trunc"), _single
    ),
}
