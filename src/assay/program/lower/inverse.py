"""Trigonometric, hyperbolic and inverse functions that are compositions of the named ones.

Reductions and coefficients of atan, asin, asinh, acosh and atanh are those of Cephes' single-precision library
(Moshier, 1992, https://www.netlib.org/cephes/), whose stated errors are about 2 ulp over the usual ranges.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from .context import Context
from .elementwise import cast
from .formula import Real, polynomial
from .node import Node, lowers
from .value import Value

__all__: list[str] = []

_LARGE = 1500.0
"""From here on x² + 1 and x² - 1 are x² in binary32, and may overflow: log(2x) is taken instead."""


def _signed(x: Real, magnitude: Real) -> Real:
    """`magnitude` with the sign of x."""
    return (-magnitude).where(x.test("lt", 0.0), magnitude)


def _atan(x: Real) -> Real:
    """Reduced at tan(π/8) and tan(3π/8), then a polynomial; odd, and keeps -0."""
    a = x.op("abs")
    far, near = a.test("gt", math.tan(3 * math.pi / 8)), a.test("gt", math.tan(math.pi / 8))
    reduced = (-1.0 / a).where(far, ((a - 1.0) / (a + 1.0)).where(near, a))
    base = x.of(math.pi / 2).where(far, x.of(math.pi / 4).where(near, 0.0))
    z = reduced * reduced
    p = polynomial(z, 8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1)
    result = base + (p * z).fma(reduced, reduced)
    return x.where(x.test("eq", 0.0), _signed(x, result))


def _asin_small(x: Real, z: Real) -> Real:
    """asin(x) for |x| <= 0.5, with z = x²."""
    p = polynomial(z, 4.2163199048e-2, 2.4181311049e-2, 4.5470025998e-2, 7.4953002686e-2, 1.6666752422e-1)
    return (p * z).fma(x, x)


def _asin(x: Real) -> Real:
    """π/2 - 2·asin(√((1 - |x|) / 2)) for |x| > 0.5; odd, and keeps -0; NaN beyond 1."""
    a = x.op("abs")
    large = a.test("gt", 0.5)
    half = (1.0 - a) * 0.5
    root = half.op("sqrt")
    inner = _asin_small(root.where(large, a), half.where(large, a * a))
    result = (math.pi / 2 - (inner + inner)).where(large, inner)
    return x.where(x.test("eq", 0.0), _signed(x, result))


def _acos(x: Real) -> Real:
    """2·asin(√((1 - |x|) / 2)) for |x| > 0.5, for negative x taken from π; else π/2 - asin(x)."""
    a = x.op("abs")
    root = ((1.0 - a) * 0.5).op("sqrt")
    inner = _asin_small(root, root * root)
    twice = inner + inner
    large = (math.pi - twice).where(x.test("lt", 0.0), twice)
    small = math.pi / 2 - _asin_small(x, x * x)
    return large.where(a.test("gt", 0.5), small.where(a.test("le", 0.5), math.nan))


def _halves(x: Real) -> tuple[Real, Real]:
    """exp(|x|) / 2 and exp(-|x|) / 2, by way of exp(|x| / 2), which overflows later."""
    t = (x.op("abs") * 0.5).op("exp")
    return (t * 0.5) * t, (0.5 / t) / t


def _sinh(x: Real) -> Real:
    """(e^|x| - e^-|x|) / 2, near 0 a polynomial; odd, and keeps -0."""
    grows, decays = _halves(x)
    z = x * x
    p = polynomial(z, 2.03721912945e-4, 8.33028376239e-3, 1.66667160211e-1)
    return _signed(x, grows - decays).where(x.op("abs").test("gt", 1.0), (p * z).fma(x, x))


def _cosh(x: Real) -> Real:
    """(e^|x| + e^-|x|) / 2."""
    grows, decays = _halves(x)
    return grows + decays


def _tan(x: Real) -> Real:
    """sin(x) / cos(x)."""
    return x.op("sin") / x.op("cos")


def _asinh(x: Real) -> Real:
    """log(|x| + √(x² + 1)), near 0 a polynomial; odd, and keeps -0."""
    a, z = x.op("abs"), x * x
    p = polynomial(z, 2.0122003309e-2, -4.2699340972e-2, 7.4847586088e-2, -1.6666288134e-1)
    middle = (a + (z + 1.0).op("sqrt")).op("log")
    far = a.op("log") + math.log(2)
    large = _signed(x, far.where(a.test("gt", _LARGE), middle))
    return large.where(a.test("gt", 0.5), x.where(x.test("eq", 0.0), (p * z).fma(x, x)))


def _acosh(x: Real) -> Real:
    """log(x + √((x - 1)(x + 1))), near 1 √(x - 1) times a polynomial; NaN below 1."""
    z = x - 1.0
    p = polynomial(z, 1.7596881071e-3, -7.5272886713e-3, 2.6454905019e-2, -1.1784741703e-1, 1.4142135263)
    middle = (x + (z * (x + 1.0)).op("sqrt")).op("log")
    far = x.op("log") + math.log(2)
    return far.where(x.test("gt", _LARGE), middle.where(z.test("ge", 0.5), p * z.op("sqrt")))


def _atanh(x: Real) -> Real:
    """log((1 + x) / (1 - x)) / 2, near 0 a polynomial; odd, and keeps -0; NaN beyond 1."""
    z = x * x
    p = polynomial(
        z, 1.81740078349e-1, 8.24370301058e-2, 1.46691431730e-1, 1.99782164500e-1, 3.33337300303e-1
    )  # fmt: skip
    large = ((x + 1.0) / (1.0 - x)).op("log") * 0.5
    return large.where(x.op("abs").test("ge", 0.5), (p * z).fma(x, x))


_FUNCTIONS: dict[str, Callable[[Real], Real]] = {
    "Acos": _acos,
    "Acosh": _acosh,
    "Asin": _asin,
    "Asinh": _asinh,
    "Atan": _atan,
    "Atanh": _atanh,
    "Cosh": _cosh,
    "Sinh": _sinh,
    "Tan": _tan,
}


@lowers(*_FUNCTIONS)
def inverse(ctx: Context, node: Node) -> Value:
    """Compositions of sin, cos, exp, log, sqrt and polynomials in binary32 (lower/inverse.py), rounded once to the type."""
    x = node[0]
    if not x.dtype.is_float:
        node.refuse(f"element type {x.dtype}")
    return cast(ctx, _FUNCTIONS[node.op](Real(ctx, x)).value, x.dtype)
