"""A second implementation of exact-1, made from docs/numerics.md alone: integers and fractions, one scalar at a time.

No float arithmetic of any library takes part, and nothing of assay is imported. A value is a pair (type, bits). Kernels
are given as the JSON of section 2, the named functions by the lines of section 10.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import isqrt, prod
from typing import Any, NamedTuple

__all__ = ["Second", "Tensor", "V", "functions_of"]


class V(NamedTuple):
    """A scalar: the name of its type, and its bits."""

    dtype: str
    bits: int


@dataclass
class Tensor:
    """Elements in row-major order, as bits."""

    dtype: str
    shape: tuple[int, ...]
    bits: list[int]


# --- section 1: types, reading, storing

FORMATS = {"float32": (24, 8), "float16": (11, 5), "bfloat16": (8, 8)}
"""Precision with the hidden bit, and width of the exponent."""
NAN, INFINITY, MINUS_ZERO = 0x7FC00000, 0x7F800000, 0x80000000
ONE, TOP = 0x3F800000, 1 << 31
CANONICAL = {"float32": 0x7FC00000, "float16": 0x7E00, "bfloat16": 0x7FC0}


def is_float(dtype: str) -> bool:
    return dtype in FORMATS


def width(dtype: str) -> int:
    return 8 if dtype == "bool" else int(re.sub(r"\D", "", dtype))


def signed(bits: int, size: int) -> int:
    return bits - (1 << size) if bits >> (size - 1) else bits


def integer(v: V) -> int:
    return signed(v.bits, width(v.dtype)) if v.dtype.startswith("int") else v.bits


def wrapped(dtype: str, number: int) -> V:
    return V(dtype, number % (1 << width(dtype)))


def is_nan(bits: int, dtype: str = "float32") -> bool:
    precision, exponent = FORMATS[dtype]
    return bits & ((1 << (precision + exponent - 1)) - 1) > ((1 << exponent) - 1) << (precision - 1)


def is_infinite(bits: int) -> bool:
    return bits & 0x7FFFFFFF == INFINITY


def exact(bits: int, dtype: str = "float32") -> Fraction:
    """The number that finite bits stand for (a zero of either sign is 0)."""
    precision, width_ = FORMATS[dtype]
    fraction = bits & ((1 << (precision - 1)) - 1)
    exponent = bits >> (precision - 1) & ((1 << width_) - 1)
    if exponent:
        fraction += 1 << (precision - 1)
    scale = max(exponent, 1) - ((1 << (width_ - 1)) - 1) - (precision - 1)
    magnitude = Fraction(fraction) * Fraction(2) ** scale
    return -magnitude if bits >> (precision + width_ - 1) else magnitude


def rounded(x: Fraction, negative_zero: bool = False, dtype: str = "float32") -> int:
    """Bits of the nearest number, ties to even; an exact zero has the sign that the caller says."""
    precision, width_ = FORMATS[dtype]
    sign = (x < 0 or (x == 0 and negative_zero)) << (precision + width_ - 1)
    magnitude = abs(x)
    if not magnitude:
        return sign
    least = 2 - (1 << (width_ - 1))  # exponent of the least normal number
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    if magnitude < Fraction(2) ** exponent:
        exponent -= 1
    exponent = max(exponent, least)
    units = magnitude / Fraction(2) ** (exponent - precision + 1)
    whole, rest = divmod(units.numerator, units.denominator)
    if 2 * rest > units.denominator or (2 * rest == units.denominator and whole & 1):
        whole += 1
    # Adding the hidden bit to the exponent field carries into it where the rounding did, and to infinity.
    bits = ((exponent - least) << (precision - 1)) + whole
    return sign | min(bits, ((1 << width_) - 1) << (precision - 1))


def read(v: V) -> V:
    """Float16 and bfloat16 widened to binary32; anything else as it is."""
    if v.dtype not in ("float16", "bfloat16"):
        return v
    precision, width_ = FORMATS[v.dtype]
    sign = v.bits >> (width(v.dtype) - 1) << 31
    if is_nan(v.bits, v.dtype):
        return V("float32", NAN)
    if v.bits & (TOP_OF[v.dtype] - 1) == ((1 << width_) - 1) << (precision - 1):
        return V("float32", sign | INFINITY)
    return V("float32", rounded(exact(v.bits, v.dtype), bool(sign)))


TOP_OF = {"float16": 1 << 15, "bfloat16": 1 << 15, "float32": TOP}


def store(v: V, dtype: str) -> int:
    """Bits in memory of a value (a float is a binary32) in a kernel of type `dtype`."""
    if not is_float(dtype):
        return v.bits
    if is_nan(v.bits):
        return CANONICAL[dtype]
    if is_infinite(v.bits):
        precision, width_ = FORMATS[dtype]
        return (v.bits >> 31) << (width(dtype) - 1) | ((1 << width_) - 1) << (precision - 1)
    return rounded(exact(v.bits), bool(v.bits >> 31), dtype)


# --- section 4: float operations on bits of binary32


def f_add(a: int, b: int) -> int:
    if is_nan(a) or is_nan(b):
        return NAN
    if is_infinite(a) or is_infinite(b):
        return NAN if is_infinite(a) and is_infinite(b) and a != b else a if is_infinite(a) else b
    return rounded(exact(a) + exact(b), a == b == MINUS_ZERO)


def f_neg(a: int) -> int:
    return a ^ TOP


def f_mul(a: int, b: int) -> int:
    sign = (a ^ b) & TOP
    if is_nan(a) or is_nan(b):
        return NAN
    if is_infinite(a) or is_infinite(b):
        return NAN if not a & ~TOP or not b & ~TOP else sign | INFINITY
    return rounded(exact(a) * exact(b), bool(sign))


def f_div(a: int, b: int) -> int:
    sign = (a ^ b) & TOP
    if is_nan(a) or is_nan(b) or (is_infinite(a) and is_infinite(b)) or not (a & ~TOP or b & ~TOP):
        return NAN
    if is_infinite(a) or not b & ~TOP:
        return sign | INFINITY
    return sign if is_infinite(b) else rounded(exact(a) / exact(b), bool(sign))


def f_fma(a: int, b: int, c: int) -> int:
    if is_nan(a) or is_nan(b) or is_nan(c):
        return NAN
    sign = (a ^ b) & TOP
    if is_infinite(a) or is_infinite(b):
        product_ = f_mul(a, b)
        return NAN if is_nan(product_) else f_add(product_, c) if is_infinite(c) else product_
    if is_infinite(c):
        return c
    both = exact(a) * exact(b)
    zeros = both == 0 and exact(c) == 0
    return rounded(both + exact(c), zeros and bool(sign & c))


def f_sqrt(a: int) -> int:
    if a in (MINUS_ZERO, INFINITY) or is_nan(a):
        return a
    if a >> 31:
        return NAN
    x = exact(a)
    scaled = x * 4**200  # an integer: binary32 has no bit below 2^-149
    root = isqrt(scaled.numerator)
    # A root that is not exact lies strictly between two integers: a half stands for all of these.
    return rounded(Fraction(2 * root + (root * root != scaled.numerator), 2) / 2**200)


def f_integral(a: int, way: str) -> int:
    if is_nan(a) or is_infinite(a):
        return a
    x = exact(a)
    down = x.numerator // x.denominator
    number = {
        "floor": down,
        "ceil": down + (x != down),
        "trunc": down + (x != down and x < 0),
        "round": round(x),  # of a Fraction: half to even
    }[way]
    return rounded(Fraction(number), bool(a >> 31))


def f_less(a: int, b: int) -> bool:
    if is_nan(a) or is_nan(b):
        return False

    def order(bits: int) -> int:
        return -(bits & ~TOP) if bits >> 31 else bits

    return order(a) < order(b)


def f_equal(a: int, b: int) -> bool:
    return not is_nan(a) and not is_nan(b) and (a == b or not (a | b) & ~TOP)


def f_to_integer(a: int, dtype: str) -> V:
    low, high = (-(1 << (width(dtype) - 1)), (1 << (width(dtype) - 1)) - 1)
    if dtype.startswith("u"):
        low, high = 0, (1 << width(dtype)) - 1
    if is_nan(a):
        return V(dtype, 0)
    if is_infinite(a):
        return wrapped(dtype, low if a >> 31 else high)
    x = exact(a)
    number = abs(x.numerator) // x.denominator * (-1 if x < 0 else 1)
    return wrapped(dtype, max(low, min(high, number)))


def f_sign(a: int) -> int:
    return ONE if f_less(0, a) else ONE | TOP if f_less(a, 0) else a


FLOAT = {
    "add": f_add,
    "sub": lambda a, b: f_add(a, b if is_nan(b) else f_neg(b)),
    "mul": f_mul,
    "div": f_div,
    "fma": f_fma,
    "sqrt": f_sqrt,
    "neg": f_neg,
    "abs": lambda a: a & ~TOP,
    "sign": f_sign,
    "floor": lambda a: f_integral(a, "floor"),
    "ceil": lambda a: f_integral(a, "ceil"),
    "round": lambda a: f_integral(a, "round"),
    "trunc": lambda a: f_integral(a, "trunc"),
    "min": lambda a, b: a if f_less(a, b) or is_nan(a) else b,
    "max": lambda a, b: a if f_less(b, a) or is_nan(a) else b,
    "copy": lambda a: a,
}
FLOAT_TESTS = {
    "lt": f_less,
    "le": lambda a, b: f_less(a, b) or f_equal(a, b),
    "gt": lambda a, b: f_less(b, a),
    "ge": lambda a, b: f_less(b, a) or f_equal(a, b),
    "eq": f_equal,
    "ne": lambda a, b: not f_equal(a, b),
    "isnan": is_nan,
    "isinf": is_infinite,
}


def toward_zero(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


INTEGER = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: toward_zero(a, b) if b else 0,
    "mod": lambda a, b: a - b * (a // b) if b else 0,
    "rem": lambda a, b: a - b * toward_zero(a, b) if b else 0,
    "fma": lambda a, b, c: a * b + c,
    "neg": lambda a: -a,
    "abs": abs,
    "sign": lambda a: (a > 0) - (a < 0),
    "min": min,
    "max": max,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "not": lambda a: ~a,
    "copy": lambda a: a,
}
TESTS = {
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
}
BOOL = {
    "min": lambda a, b: a & b,
    "max": lambda a, b: a | b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "not": lambda a: 1 - a,
    "copy": lambda a: a,
}


def shift(op: str, a: V, n: V) -> V:
    size = width(a.dtype)
    if op == "shl":
        return wrapped(a.dtype, integer(a) << n.bits) if n.bits < size else V(a.dtype, 0)
    return wrapped(a.dtype, integer(a) >> min(n.bits, size))


def cast(a: V, dtype: str) -> V:
    """A value in another type; a float is left as a binary32, to be stored later."""
    if dtype == "bool":
        return V("bool", int(not f_equal(a.bits, 0) if is_float(a.dtype) else a.bits != 0))
    if is_float(a.dtype):
        return a if is_float(dtype) else f_to_integer(a.bits, dtype)
    number = integer(a)
    return V("float32", rounded(Fraction(number))) if is_float(dtype) else wrapped(dtype, number)


# --- section 10: named functions, as lines


class Function(NamedTuple):
    """Names of the parameters, (target, operation, operands) of each line, and the name of the result."""

    parameters: tuple[str, ...]
    lines: tuple[tuple[str, str, tuple[str, ...]], ...]
    result: str


def functions_of(page: str) -> dict[str, Function]:
    """The sequences that the page prints, by name."""
    found = {}
    for name, parameters, text in re.findall(
        r"### (\w+)\(([\w, ]+)\): \d+ operations\n\n```\n(.*?)```", page, re.DOTALL
    ):
        *body, last = text.splitlines()
        calls = (re.fullmatch(r"(\w+) = (\w+)\((.*)\)", line) for line in body)
        lines = tuple((c[1], c[2], tuple(c[3].split(", "))) for c in calls if c)
        assert len(lines) == len(body)
        found[name] = Function(tuple(parameters.split(", ")), lines, last.removeprefix("return "))
    return found


# --- sections 2 and 3: kernels


class Second:
    """Runs kernels. `page` is the text of docs/numerics.md, from which it has the named functions."""

    def __init__(self, page: str) -> None:
        self.functions = functions_of(page)

    def call(self, name: str, arguments: Sequence[V]) -> V:
        """A named function of binary32 values."""
        function = self.functions[name]
        values = dict(zip(function.parameters, arguments, strict=True))

        def value(word: str) -> V:
            if word.startswith("f:"):
                return V("float32", int(word[2:], 16))
            return wrapped("int32", int(word[2:])) if word.startswith("i:") else values[word]

        for target, op, words in function.lines:
            values[target] = self.line(op, [value(word) for word in words])
        return value(function.result)

    def line(self, op: str, x: Sequence[V]) -> V:
        """One line of a named function."""
        if op in ("bits", "from_bits"):
            return V("int32" if op == "bits" else "float32", x[0].bits)
        if op in ("to_int", "to_float"):
            return cast(x[0], "int32" if op == "to_int" else "float32")
        if op in ("band", "bor", "bnot", "iadd", "isub", "imul", "iand", "ior", "ixor", "ishl", "ishr"):
            op = op[1:]
        return self.apply(op, x, "bool" if op in FLOAT_TESTS else x[-1].dtype)

    def apply(self, op: str, x: Sequence[V], dtype: str) -> V:
        """A scalar operation; floats come widened, and leave as binary32."""
        kind = x[-1].dtype
        if op == "bitcast":
            return V(dtype, x[0].bits)
        if op == "cast":
            return cast(x[0], dtype)
        if op == "select":
            return x[1] if x[0].bits else x[2]
        if op in self.functions:
            return self.call(op, x)
        if op in ("shl", "shr"):
            return shift(op, x[0], x[1])
        if is_float(kind):
            if op in FLOAT_TESTS:
                return V("bool", int(FLOAT_TESTS[op](*(v.bits for v in x))))
            return V("float32", FLOAT[op](*(v.bits for v in x)))
        if op in TESTS:
            return V("bool", int(TESTS[op](*map(integer, x))))
        if kind == "bool":
            return V("bool", BOOL[op](*(v.bits for v in x)))
        return wrapped(kind, INTEGER[op](*map(integer, x)))

    def run(self, kernel: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Tensor:
        """The output of a kernel given as the JSON of section 2."""
        dtype, shape = kernel["dtype"], tuple(kernel["shape"])
        if "scatter" in kernel:
            return Tensor(dtype, shape, self._scatter(kernel, tensors))
        bits = []
        for i in indices(kernel["domain"]):
            value = self._fold(kernel, tensors, i) if "fold" in kernel else self._element(kernel, tensors, i)
            # bitcast stores bits of its type: a NaN is canonical, and nothing is rounded
            bits.append(store(read(value), dtype) if kernel["op"] == "bitcast" else store(value, dtype))
        return Tensor(dtype, shape, bits)

    def _element(self, kernel: Mapping[str, Any], tensors: Mapping[str, Tensor], i: tuple[int, ...]) -> V:
        values, insides = operands(kernel, tensors, i, ())
        taken = arguments(kernel)
        if kernel["op"] == "first":
            return read(values[next((n for n in taken if insides[n]), taken[-1])])
        if kernel["op"] == "bitcast":
            return self.apply("bitcast", [values[taken[0]]], kernel["dtype"])
        return self.apply(kernel["op"], [read(values[n]) for n in taken], kernel["dtype"])

    def _fold(self, kernel: Mapping[str, Any], tensors: Mapping[str, Tensor], i: tuple[int, ...]) -> V:
        op, dtype = kernel["op"], kernel["dtype"]
        start = V("float32" if is_float(dtype) else dtype, kernel.get("initial", 0))
        acc = [start] * (16 if kernel["order"] == "lanes" else 1)
        for k, r in enumerate(indices(kernel["fold"])):
            values, _ = operands(kernel, tensors, i, r)
            lane = k % len(acc)
            acc[lane] = self.apply(op, [*(read(values[n]) for n in arguments(kernel)), acc[lane]], dtype)
        w = len(acc) // 2
        while w:
            acc = [self.apply(op, [acc[lane + w], acc[lane]], dtype) for lane in range(w)]
            w //= 2
        return acc[0]

    def _scatter(self, kernel: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> list[int]:
        scatter, dtype = kernel["scatter"], kernel["dtype"]
        output = list(tensors[scatter["base"]].bits)
        for i in indices(kernel["domain"]):
            values, _ = operands(kernel, tensors, i, ())
            at = place(scatter["axes"], scatter["view"], i, (), values)
            if at is None:
                continue
            x = read(values[-1])
            if kernel["op"] != "copy":
                x = self.apply(kernel["op"], [x, read(V(dtype, output[at]))], dtype)
            output[at] = store(x, dtype)
        return output


def indices(extents: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Row-major."""
    return product(*map(range, extents))


def arguments(kernel: Mapping[str, Any]) -> list[int]:
    """Positions of the operands that the operation takes."""
    axes = [a for x in kernel["operands"] for a in x.get("axes", [x["axis"]] if "axis" in x else [])]
    axes += kernel["scatter"]["axes"] if "scatter" in kernel else []
    used = {a.get("indirect", -1) for a in axes}
    return [n for n in range(len(kernel["operands"])) if n not in used]


def number(axis: Mapping[str, Any], i: tuple[int, ...], r: tuple[int, ...], earlier: Sequence[V]) -> int:
    """n of an axis, as a signed number of 64 bits."""
    n = axis.get("offset", 0) + sum(s * j for s, j in zip(axis["strides"], i, strict=True))
    n += sum(s * j for s, j in zip(axis.get("fold_strides", ()), r, strict=False))
    if axis.get("indirect", -1) >= 0:
        n += integer(earlier[axis["indirect"]])
    return signed(n % (1 << 64), 64)


def place(
    axes: Sequence[Mapping[str, Any]],
    view: Sequence[int],
    i: tuple[int, ...],
    r: tuple[int, ...],
    earlier: Sequence[V],
) -> int | None:
    """Row-major position under `view`; None outside."""
    at = 0
    for n, axis in enumerate(axes):
        whole, rest = divmod(number(axis, i, r, earlier), axis.get("divisor", 1))
        if rest or not 0 <= whole < view[n]:
            return None
        at += whole * prod(view[n + 1 :])
    return at


def operands(
    kernel: Mapping[str, Any], tensors: Mapping[str, Tensor], i: tuple[int, ...], r: tuple[int, ...]
) -> tuple[list[V], list[bool]]:
    """Values as they are stored, and which are inside."""
    values: list[V] = []
    insides: list[bool] = []
    for x in kernel["operands"]:
        inside = True
        if x["type"] == "const":
            values.append(V(x["dtype"], x["bits"]))
        elif x["type"] == "coordinate":
            values.append(wrapped("int64", number(x["axis"], i, r, values)))
        else:
            tensor = tensors[x["tensor"]]
            at = place(x["axes"], x["view"], i, r, values)
            inside = at is not None
            values.append(V(tensor.dtype, x["outside"] if at is None else tensor.bits[at]))
        insides.append(inside)
    return values, insides
