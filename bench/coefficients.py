"""The polynomial coefficients of the named functions, fitted again: `python bench/coefficients.py`.

Weighted minimax fits (Lawson's iteration on Chebyshev nodes, 50-digit reference values). Coefficients are rounded to
binary32 one by one from the lowest power up; what remains is fitted again around those already rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import log2

import mpmath as mp
import numpy as np

Function = Callable[[mp.mpf], mp.mpf]
NODES, ITERATIONS = 400, 60


def _lawson(a: np.ndarray, target: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Coefficients c that nearly minimise max |weight·(a·c - target)|."""
    scale = np.abs(a).max(0)
    a = a / scale
    emphasis, best, least = np.full(len(target), 1 / len(target)), np.zeros(a.shape[1]), np.inf
    for _ in range(ITERATIONS):
        root = np.sqrt(emphasis) * weight
        c, *_ = np.linalg.lstsq(a * root[:, None], target * root, rcond=None)
        error = np.abs((a @ c - target) * weight)
        if error.max() < least:
            least, best = error.max(), c
        emphasis = emphasis * error
        emphasis /= emphasis.sum()
    return best / scale


def fit(
    f: Function, low: float, high: float, powers: Iterable[int], weight: Function, fixed: dict[int, float] | None = None
) -> tuple[dict[int, float], float]:
    """(binary32 coefficient by power, largest weighted error) of a polynomial for f on [low, high]."""
    low, high = mp.mpf(low), mp.mpf(high)
    x = [(low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * NODES)) for i in range(NODES)]
    exact, w = [f(v) for v in x], np.array([float(weight(v)) for v in x])
    found = dict(fixed or {})
    free = [p for p in powers if p not in found]
    while True:
        taken = [sum(mp.mpf(c) * v**p for p, c in found.items()) for v in x]
        rest = np.array([float(e - t) for e, t in zip(exact, taken, strict=True)])
        if not free:
            return found, float(np.abs(rest * w).max())
        a = np.stack([np.array([float(v) for v in x]) ** p for p in free], 1)
        found[free.pop(0)] = float(np.float32(_lawson(a, rest, w)[0]))


def main() -> None:
    """Print every set of coefficients, with the largest error as a power of two."""
    mp.mp.dps = 50
    near_zero, half_ln2 = mp.mpf("1e-12"), mp.log(2) / 2 * mp.mpf("1.001")
    quarter, third = mp.pi / 4 * mp.mpf("1.02"), mp.mpf(1) / 3
    ratio = (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1) * mp.mpf("1.001")

    def odd(f: Function) -> tuple[Function, Function]:
        """(f(x)/x - 1)/x^2 in s = x^2, and the weight that makes its error that of f, relatively."""
        return (lambda s: (f(mp.sqrt(s)) / mp.sqrt(s) - 1) / s), (lambda s: s * mp.sqrt(s) / f(mp.sqrt(s)))

    sets = {
        "EXP": fit(mp.exp, -half_ln2, half_ln2, range(7), lambda x: 1 / mp.exp(x), {0: 1.0, 1: 1.0}),
        "TANH_NEAR": fit(odd(mp.tanh)[0], near_zero, 0.625**2, range(5), odd(mp.tanh)[1]),
        "ERF_NEAR": fit(
            lambda s: mp.erf(mp.sqrt(s)) / mp.sqrt(s) - 1,
            near_zero,
            0.93**2,
            range(6),
            lambda s: mp.sqrt(s) / mp.erf(mp.sqrt(s)),
        ),
        "ERF_FAR": fit(lambda t: mp.log(mp.erfc(t)), 0.92, 4.0, range(1, 8), mp.erfc),
        "LOG": fit(
            lambda x: (mp.log1p(x) - x + x * x / 2) / x**3, -third, third, range(8), lambda x: x**3 / mp.log1p(x)
        ),
        "ATANH": fit(odd(mp.atanh)[0], near_zero, ratio**2, range(4), odd(mp.atanh)[1]),
        "SIN": fit(odd(mp.sin)[0], near_zero, quarter**2, range(4), odd(mp.sin)[1]),
        "COS": fit(
            lambda s: mp.cos(mp.sqrt(s)),
            near_zero,
            quarter**2,
            range(5),
            lambda s: 1 / mp.cos(mp.sqrt(s)),
            {0: 1.0, 1: -0.5},
        ),
    }
    for name, (coefficients, error) in sets.items():
        words = " ".join(coefficients[p].hex().replace("0000000p", "p") for p in sorted(coefficients))
        print(f"{name:9s} 2^{log2(error):.1f}  {words}")


if __name__ == "__main__":
    main()
