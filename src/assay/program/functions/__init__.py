"""Named functions of exact-1, each a fixed branch-free sequence of scalar operations over `Ops`. No libm, no tables.

They are law: their bits are frozen in tests, and their sequences are printed in docs/numerics.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .exponential import erf, exp, sigmoid, tanh
from .logarithm import log, pow
from .ops import Ops
from .trigonometric import cos, sin

__all__ = ["FUNCTIONS", "Ops"]

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "cos": cos,
    "erf": erf,
    "exp": exp,
    "log": log,
    "pow": pow,
    "sigmoid": sigmoid,
    "sin": sin,
    "tanh": tanh,
}
"""Called as FUNCTIONS[name](ops, x) or, for pow, (ops, x, y): float32 values in, a float32 value out."""
