"""The table of scalar operations: names, types and weights from `OPS`, with each one's meaning."""

from __future__ import annotations

from ..functions.trace import trace
from ..scalar import OPS, ScalarOp
from .table import table

__all__ = ["MEANINGS", "scalar_table"]

_KINDS = {"f": "float", "i": "integer", "b": "bool"}
_RESULTS = {"same": "same", "bool": "bool", "output": "the kernel's type"}

MEANINGS: dict[str, tuple[str, dict[str, str]]] = {
    # operands, meaning by the letters of the domain; "fib" alone where all types mean the same
    "add": ("a, b", {"f": "rounded", "i": "wraps"}),
    "sub": ("a, b", {"f": "rounded", "i": "wraps"}),
    "mul": ("a, b", {"f": "rounded", "i": "wraps"}),
    "div": ("a, b", {"f": "rounded; by zero as IEEE 754", "i": "toward zero; a / 0 = 0; least / -1 = least"}),
    "mod": ("a, b", {"i": "a - b·⌊a / b⌋: 0 or the sign of b; a mod 0 = 0; a mod -1 = 0"}),
    "rem": ("a, b", {"i": "a - b·(a / b toward zero): 0 or the sign of a; a rem 0 = 0; a rem -1 = 0"}),
    "fma": ("a, b, c", {"f": "a·b + c, rounded once", "i": "a·b + c, wraps"}),
    "sqrt": ("a", {"f": "rounded; of a negative number NaN, of -0 it is -0"}),
    "neg": ("a", {"f": "flips the sign bit", "i": "0 - a, wraps"}),
    "abs": ("a", {"f": "clears the sign bit", "i": "a if a >= 0, else 0 - a: abs(least) = least"}),
    "sign": ("a", {"f": "1 if a > 0, -1 if a < 0, else a (so ±0 and NaN stay)", "i": "1, 0 or -1"}),
    "floor": ("a", {"f": "the greatest integer <= a; a zero has the sign of a"}),
    "ceil": ("a", {"f": "the least integer >= a; a zero has the sign of a"}),
    "round": ("a", {"f": "the nearest integer, ties to even; a zero has the sign of a"}),
    "trunc": ("a", {"f": "the nearest integer toward zero; a zero has the sign of a"}),
    "min": ("a, b", {"f": "a if a < b or a is NaN, else b", "i": "a if a < b, else b", "b": "a and b"}),
    "max": ("a, b", {"f": "a if a > b or a is NaN, else b", "i": "a if a > b, else b", "b": "a or b"}),
    "lt": ("a, b", {"f": "a < b; false if either is NaN", "i": "by value"}),
    "le": ("a, b", {"f": "a <= b; false if either is NaN", "i": "by value"}),
    "gt": ("a, b", {"f": "a > b; false if either is NaN", "i": "by value"}),
    "ge": ("a, b", {"f": "a >= b; false if either is NaN", "i": "by value"}),
    "eq": ("a, b", {"f": "-0 = +0; NaN equals nothing", "ib": "by value"}),
    "ne": ("a, b", {"f": "not eq: true if either is NaN", "ib": "by value"}),
    "isnan": ("a", {"f": "a is NaN"}),
    "isinf": ("a", {"f": "a is +∞ or -∞"}),
    "select": ("c, a, b", {"fib": "a if c, else b; c is bool"}),
    "copy": ("a", {"fib": "a"}),
    "first": ("a, b, ...", {"fib": "the first operand whose read is inside; if none is, the last one's value"}),
    "and": ("a, b", {"i": "bitwise", "b": "logical"}),
    "or": ("a, b", {"i": "bitwise", "b": "logical"}),
    "xor": ("a, b", {"i": "bitwise", "b": "logical"}),
    "not": ("a", {"i": "bitwise", "b": "logical"}),
    "shl": ("a, n", {"i": "a·2^n, wraps; n as unsigned; 0 if n >= width"}),
    "shr": ("a, n", {"i": "⌊a / 2^n⌋; n as unsigned; n >= width gives 0, or -1 if a < 0"}),
    "cast": ("a", {"fib": "see the rules of casts"}),
    "bitcast": ("a", {"fi": "the stored bits, as another type of the same width; stored as that type stores"}),
}


def _meaning(op: ScalarOp) -> tuple[str, str]:
    """(operands, meaning). Raises KeyError or AssertionError for an operation that this module does not describe."""
    if op.weight > 1:
        _, parameters, _ = trace(op.name)
        return ", ".join(parameters), "the sequence in section 10"
    operands, by_type = MEANINGS[op.name]
    assert "".join(by_type) == op.domain, f"{op.name} is described for {list(by_type)}, and defined on {op.domain}"
    if len(by_type) == 1:
        return operands, next(iter(by_type.values()))
    named = (f"{' and '.join(_KINDS[k] for k in letters)}: {text}" for letters, text in by_type.items())
    return operands, "; ".join(named) if len(by_type) < 2 else " · ".join(named)


def scalar_table() -> str:
    """Every scalar operation: operands, element types, type of the result, what it counts, what it means."""
    rows = []
    for op in OPS.values():
        operands, meaning = _meaning(op)
        kinds = ", ".join(_KINDS[k] for k in op.domain)
        assert op.arity == (-1 if "..." in operands else len(operands.split(", "))), op.name
        rows.append((f"{op.name}({operands})", kinds, _RESULTS[op.result], str(op.weight), meaning))
    return table(("operation", "takes", "gives", "counts", "meaning"), rows)
