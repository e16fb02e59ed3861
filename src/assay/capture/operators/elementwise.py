"""Arithmetic, comparison, choice, and functions of one variable."""

from __future__ import annotations

from collections.abc import Callable
from math import log

from assay.program.types import DType

from ..graph import Graph, Value
from .registry import Call, refuse, translates

Number = Value | float
F32, BOOL = DType.FLOAT32, DType.BOOL


def _binary(op: str, *names: str) -> None:
    @translates(*names)
    def call(c: Call, a: Number, b: Number, *, alpha: float = 1) -> Value:
        x, y = c.operand(a), c.operand(b)
        return c.graph.emit(op, x, y if alpha == 1 else c.graph.emit("Mul", y, c.operand(alpha)))


_binary("Add", "add.Tensor", "add.Scalar")
_binary("Sub", "sub.Tensor", "sub.Scalar")
_binary("Mul", "mul.Tensor", "mul.Scalar")
_binary("Div", "div.Tensor", "div.Scalar", "true_divide.Tensor")
_binary("Max", "maximum.default", "fmax.default")
_binary("Min", "minimum.default", "fmin.default")


@translates("rsub.Scalar", "rsub.Tensor")
def rsub(c: Call, a: Value, b: Number, alpha: float = 1) -> Value:
    """b - alpha·a."""
    x = c.operand(a)
    return c.graph.emit("Sub", c.operand(b), x if alpha == 1 else c.graph.emit("Mul", x, c.operand(alpha)))


@translates("div.Tensor_mode", "div.Scalar_mode", "floor_divide.default")
def div_mode(c: Call, a: Value, b: Number, *, rounding_mode: str | None = "floor") -> Value:
    """Division, rounded to an integer by `rounding_mode`."""
    x, y = c.operand(a), c.operand(b)
    if c.dtype.is_float:
        quotient = c.graph.emit("Div", x, y)
        return {"floor": _floor, "trunc": _trunc, None: lambda g, v: v}[rounding_mode](c.graph, quotient)
    if rounding_mode == "floor":
        x = c.graph.emit("Sub", x, c.graph.emit("Mod", x, y))
    return c.graph.emit("Div", x, y)


@translates("remainder.Tensor", "remainder.Scalar")
def remainder(c: Call, a: Value, b: Number) -> Value:
    """a - b·floor(a / b): the sign is the divisor's."""
    x, y = c.operand(a), c.operand(b)
    if not c.dtype.is_float:
        return c.graph.emit("Mod", x, y)
    return c.graph.emit("Sub", x, c.graph.emit("Mul", y, _floor(c.graph, c.graph.emit("Div", x, y))))


@translates("fmod.Tensor", "fmod.Scalar")
def fmod(c: Call, a: Value, b: Number) -> Value:
    """a - b·trunc(a / b): the sign is the dividend's."""
    x, y, g = c.operand(a), c.operand(b), c.graph
    quotient = g.emit("Div", x, y)
    return g.emit("Sub", x, g.emit("Mul", y, _trunc(g, quotient) if c.dtype.is_float else quotient))


def _comparison(op: str, name: str) -> None:
    @translates(f"{name}.Tensor", f"{name}.Scalar")
    def call(c: Call, a: Number, b: Number) -> Value:
        dtype = c.promoted()
        if dtype is BOOL and op != "Equal":
            dtype = DType.INT32
        return c.graph.emit(op, c.operand(a, dtype), c.operand(b, dtype), dtype=BOOL)


for _op, _name in {"Equal": "eq", "Less": "lt", "LessOrEqual": "le", "Greater": "gt", "GreaterOrEqual": "ge"}.items():
    _comparison(_op, _name)


@translates("ne.Tensor", "ne.Scalar")
def ne(c: Call, a: Number, b: Number) -> Value:
    """a != b."""
    dtype = c.promoted()
    return c.graph.emit("Not", c.graph.emit("Equal", c.operand(a, dtype), c.operand(b, dtype), dtype=BOOL))


def _logical(op: str, *names: str) -> None:
    @translates(*(f"logical_{name}.default" for name in names))
    def logical(c: Call, *xs: Value) -> Value:
        return c.graph.emit(op, *(c.graph.cast(x, BOOL) for x in xs))

    @translates(*(f"bitwise_{name}.{kind}" for name in names for kind in (_BITWISE if op != "Not" else ("default",))))
    def bitwise(c: Call, *xs: Number) -> Value:
        return c.graph.emit(op if c.dtype is BOOL else f"Bitwise{op}", *(c.operand(x) for x in xs))


_BITWISE = ("Tensor", "Scalar")
_logical("And", "and")
_logical("Or", "or")
_logical("Xor", "xor")
_logical("Not", "not")


@translates("where.self", "where.ScalarOther", "where.ScalarSelf", "where.Scalar")
def where(c: Call, condition: Value, a: Number, b: Number) -> Value:
    """a where the condition holds, else b."""
    return c.graph.emit("Where", c.graph.cast(condition, BOOL), c.operand(a), c.operand(b), dtype=c.dtype)


@translates("clamp.default", "clamp.Tensor")
def clamp(c: Call, x: Value, low: Number | None = None, high: Number | None = None) -> Value:
    """min(max(x, low), high)."""
    x = c.operand(x)
    x = x if low is None else c.graph.emit("Max", x, c.operand(low))
    return x if high is None else c.graph.emit("Min", x, c.operand(high))


@translates("clamp_min.default", "clamp_min.Tensor")
def clamp_min(c: Call, x: Value, low: Number) -> Value:
    """max(x, low)."""
    return clamp(c, x, low)


@translates("clamp_max.default", "clamp_max.Tensor")
def clamp_max(c: Call, x: Value, high: Number) -> Value:
    """min(x, high)."""
    return clamp(c, x, None, high)


def _unary(op: str, name: str) -> None:
    @translates(f"{name}.default")
    def call(c: Call, x: Value) -> Value:
        return c.graph.emit(op, c.operand(x))


for _op, _name in {
    "Abs": "abs", "Ceil": "ceil", "Cos": "cos", "Erf": "erf", "Exp": "exp", "Floor": "floor", "Log": "log",
    "Neg": "neg", "Reciprocal": "reciprocal", "Relu": "relu", "Round": "round", "Sigmoid": "sigmoid", "Sign": "sign",
    "Sin": "sin", "Sqrt": "sqrt", "Tanh": "tanh",
}.items():  # fmt: skip
    _unary(_op, _name)


@translates("isnan.default")
def isnan(c: Call, x: Value) -> Value:
    """Whether x is NaN; never for integers."""
    return c.graph.emit("IsNaN", c.graph.cast(x, F32), dtype=BOOL)


@translates("isinf.default")
def isinf(c: Call, x: Value) -> Value:
    """Whether x is an infinity; never for integers."""
    return c.graph.emit("IsInf", c.graph.cast(x, F32), dtype=BOOL)


@translates("rsqrt.default")
def rsqrt(c: Call, x: Value) -> Value:
    """1 / sqrt(x)."""
    return c.graph.emit("Reciprocal", c.graph.emit("Sqrt", c.operand(x)))


@translates("trunc.default")
def trunc(c: Call, x: Value) -> Value:
    """x rounded toward zero."""
    return _trunc(c.graph, c.operand(x))


@translates("expm1.default")
def expm1(c: Call, x: Value) -> Value:
    """exp(x) - 1; near 0, where that cancels, 2u / (1 - u) with u = tanh(x / 2)."""
    g, x = c.graph, c.operand(x)
    one, two = c.operand(1.0), c.operand(2.0)
    u = g.emit("Tanh", g.emit("Div", x, two))
    near = g.emit("Div", g.emit("Mul", two, u), g.emit("Sub", one, u))
    small = g.emit("Less", g.emit("Abs", x), c.operand(0.5), dtype=BOOL)
    return g.emit("Where", small, near, g.emit("Sub", g.emit("Exp", x), one), dtype=x.dtype)


@translates("log1p.default")
def log1p(c: Call, x: Value) -> Value:
    """log(1 + x) as log(w)·x / (w - 1), w = 1 + x (Goldberg 1991, theorem 4): accurate for small x too."""
    g, x = c.graph, c.operand(x)
    one = c.operand(1.0)
    w = g.emit("Add", one, x)
    factor = g.emit("Div", x, g.emit("Sub", w, one))
    plain = g.emit("Or", g.emit("Equal", w, one, dtype=BOOL), g.emit("IsInf", w, dtype=BOOL))
    logarithm = g.emit("Log", w)
    tiny = g.emit("Where", g.emit("IsInf", w, dtype=BOOL), logarithm, x, dtype=x.dtype)
    return g.emit("Where", plain, tiny, g.emit("Mul", logarithm, factor), dtype=x.dtype)


def _scaled(op: str, name: str, before: float = 1.0, after: float = 1.0) -> None:
    @translates(f"{name}.default")
    def call(c: Call, x: Value) -> Value:
        x = c.operand(x)
        y = c.graph.emit(op, x if before == 1.0 else c.graph.emit("Mul", x, c.operand(before)))
        return y if after == 1.0 else c.graph.emit("Mul", y, c.operand(after))


_scaled("Exp", "exp2", before=log(2.0))
_scaled("Log", "log2", after=1 / log(2.0))
_scaled("Log", "log10", after=1 / log(10.0))


@translates("tan.default")
def tan(c: Call, x: Value) -> Value:
    """sin(x) / cos(x)."""
    x = c.operand(x)
    return c.graph.emit("Div", c.graph.emit("Sin", x), c.graph.emit("Cos", x))


@translates("pow.Tensor_Scalar")
def pow_scalar(c: Call, x: Value, exponent: float) -> Value:
    """x to a constant power; small whole and half powers as products, roots and reciprocals, as torch has them."""
    x = c.operand(x)
    if exponent in _POWERS and c.dtype.is_float:
        return _POWERS[exponent](c.graph, x)
    if not c.dtype.is_float:
        if int(exponent) != exponent or not 0 <= exponent <= 64:
            raise refuse(c.node, f"with integers and exponent {exponent} is not covered")
        y = c.graph.full(c.shape, 1, c.dtype)
        for _ in range(int(exponent)):
            y = c.graph.emit("Mul", y, x)
        return y
    return c.graph.emit("Pow", x, c.operand(exponent))


@translates("pow.Tensor_Tensor", "pow.Scalar")
def pow_tensor(c: Call, x: Number, exponent: Value) -> Value:
    """x to a power that is computed."""
    if not c.dtype.is_float:
        raise refuse(c.node, "with an exponent that is a tensor of integers is not covered")
    return c.graph.emit("Pow", c.operand(x), c.operand(exponent))


@translates("masked_fill.Scalar", "masked_fill.Tensor")
def masked_fill(c: Call, x: Value, mask: Value, value: Number) -> Value:
    """`value` where the mask holds, else x."""
    return where(c, mask, value, x)


@translates(
    "clone.default", "detach.default", "alias.default", "lift_fresh_copy.default", "lift_fresh.default",
    "contiguous.default",
)  # fmt: skip
def same(c: Call, x: Value, **options: object) -> Value:
    """The same tensor."""
    return x


@translates("copy.default")
def copy(c: Call, x: Value, source: Value, *rest: object) -> Value:
    """`source` in the shape and type of x."""
    return c.graph.expand(c.operand(source), x.shape)


@translates("_to_copy.default", "to.dtype", "prims.convert_element_type.default")
def to(c: Call, x: Value, *rest: object, **options: object) -> Value:
    """x as another type."""
    return c.operand(x)


def _floor(g: Graph, x: Value) -> Value:
    return g.emit("Floor", x)


def _trunc(g: Graph, x: Value) -> Value:
    return g.emit("Mul", g.emit("Sign", x), g.emit("Floor", g.emit("Abs", x)))


def _square(g: Graph, x: Value) -> Value:
    return g.emit("Mul", x, x)


_POWERS: dict[float, Callable[[Graph, Value], Value]] = {
    0: lambda g, x: g.full(x.shape, 1, x.dtype),
    0.5: lambda g, x: g.emit("Sqrt", x),
    1: lambda g, x: x,
    2: _square,
    3: lambda g, x: g.emit("Mul", _square(g, x), x),
    4: lambda g, x: _square(g, _square(g, x)),
    -0.5: lambda g, x: g.emit("Reciprocal", g.emit("Sqrt", x)),
    -1: lambda g, x: g.emit("Reciprocal", x),
    -2: lambda g, x: g.emit("Reciprocal", _square(g, x)),
}
