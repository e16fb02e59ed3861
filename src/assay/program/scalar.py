"""The scalar operations of exact-1: names, arities and result types. Semantics are in docs/numerics.md.

Float operands are binary32 (float16 and bfloat16 are widened when read, and rounded once when written).
"""

from __future__ import annotations

import msgspec

__all__ = ["OPS", "ScalarOp"]


class ScalarOp(msgspec.Struct, frozen=True):
    """One scalar operation. `domain` says which element types it accepts: f(loat), i(nteger), b(ool)."""

    name: str
    arity: int
    domain: str
    result: str = "same"
    """'same' as the (last) operand, 'bool', or 'output': the kernel's dtype decides (cast, bitcast)."""
    weight: int = 1
    """Scalar operations it counts for in a cost: the length of its sequence."""


def _table(*ops: ScalarOp) -> dict[str, ScalarOp]:
    return {op.name: op for op in ops}


OPS: dict[str, ScalarOp] = _table(
    # arithmetic; integers wrap
    ScalarOp("add", 2, "fi"),
    ScalarOp("sub", 2, "fi"),
    ScalarOp("mul", 2, "fi"),
    ScalarOp("div", 2, "fi"),  # integers: toward zero; x / 0 = 0; MIN / -1 = MIN
    ScalarOp("mod", 2, "i"),  # sign of the divisor; x mod 0 = 0
    ScalarOp("rem", 2, "i"),  # sign of the dividend; x rem 0 = 0
    ScalarOp("fma", 3, "fi"),  # x0·x1 + x2, rounded once; integers wrap
    ScalarOp("sqrt", 1, "f"),
    ScalarOp("neg", 1, "fi"),
    ScalarOp("abs", 1, "fi"),
    ScalarOp("sign", 1, "fi"),
    ScalarOp("floor", 1, "f"),
    ScalarOp("ceil", 1, "f"),
    ScalarOp("round", 1, "f"),  # to nearest, ties to even
    ScalarOp("trunc", 1, "f"),
    ScalarOp("min", 2, "fib"),  # x0 if x0 < x1 or x0 is NaN, else x1
    ScalarOp("max", 2, "fib"),  # x0 if x0 > x1 or x0 is NaN, else x1
    # comparison and choice
    ScalarOp("lt", 2, "fi", "bool"),
    ScalarOp("le", 2, "fi", "bool"),
    ScalarOp("gt", 2, "fi", "bool"),
    ScalarOp("ge", 2, "fi", "bool"),
    ScalarOp("eq", 2, "fib", "bool"),
    ScalarOp("ne", 2, "fib", "bool"),
    ScalarOp("isnan", 1, "f", "bool"),
    ScalarOp("isinf", 1, "f", "bool"),
    ScalarOp("select", 3, "fib"),  # x1 if x0 else x2; x0 is bool
    ScalarOp("copy", 1, "fib"),
    ScalarOp("first", -1, "fib"),  # the first operand whose read lies inside its view; the last one if none does
    # bits
    ScalarOp("and", 2, "ib"),
    ScalarOp("or", 2, "ib"),
    ScalarOp("xor", 2, "ib"),
    ScalarOp("not", 1, "ib"),
    ScalarOp("shl", 2, "i"),  # a shift of the width or more gives 0
    ScalarOp("shr", 2, "i"),  # arithmetic for signed types: a shift of the width or more gives 0 or -1
    # conversion
    ScalarOp("cast", 1, "fib", "output"),  # float to integer: toward zero, saturating, NaN gives 0; to bool: x != 0
    ScalarOp("bitcast", 1, "fi", "output"),  # same width
    # named functions, defined in functions.py as sequences of the above
    ScalarOp("exp", 1, "f", weight=22),
    ScalarOp("log", 1, "f", weight=27),
    ScalarOp("tanh", 1, "f", weight=30),
    ScalarOp("erf", 1, "f", weight=34),
    ScalarOp("sin", 1, "f", weight=66),
    ScalarOp("cos", 1, "f", weight=65),
    ScalarOp("pow", 2, "f", weight=94),
    ScalarOp("sigmoid", 1, "f", weight=33),
)
