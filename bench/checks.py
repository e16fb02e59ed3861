"""Whether the engines compute the same thing. What does not agree is not timed."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Disagreement", "same_first", "same_outputs"]

OUTPUTS = 2e-2
"""Largest root-mean-square difference of an output, relative to its own size. Rounding alone makes up to some 1e-3
after one step: a ReLU whose input is within an ulp of zero passes a gradient or does not, and Adam's first step has
the size of the learning rate where a gradient is nothing but rounding."""
LOSS = 1e-4
"""Largest relative difference of a loss."""

Array = np.ndarray[Any, Any]


class Disagreement(Exception):
    """Two engines compute different things."""


def same_outputs(ours: dict[str, Array], theirs: dict[str, Array]) -> float:
    """The largest relative difference over the outputs of two runs on the same inputs. Raises Disagreement."""
    if set(ours) != set(theirs):
        raise Disagreement(f"outputs differ: {sorted(set(ours) ^ set(theirs))[:4]}")
    worst = 0.0
    for name, a in ours.items():
        error = _difference(a, theirs[name])
        worst = max(worst, error)
        if not error <= (LOSS if name == "metric/loss" else OUTPUTS):
            raise Disagreement(f"{name} differs from ONNX Runtime's by {error:.2g}")
    return worst


def same_first(ours: Array, theirs: Array, name: str) -> float:
    """The relative difference of the loss, or of the first result, from that of `name`. Raises Disagreement."""
    error = _difference(ours.reshape(theirs.shape), theirs)
    if not error <= LOSS:
        raise Disagreement(f"the first result differs from that of {name} by {error:.2g}")
    return error


def _difference(a: Array, b: Array) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    size = float(np.linalg.norm(b))
    return float(np.linalg.norm(a - b)) / size if size else float(np.linalg.norm(a))
