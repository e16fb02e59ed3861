"""Polynomials by Horner's rule, and their coefficients as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from .ops import Ops

__all__ = ["floats", "horner"]

V = TypeVar("V")


def horner(o: Ops[V], x: V, coefficients: Sequence[float]) -> V:
    """Sum of coefficients[k]·x^k, one fma per power, from the highest down."""
    total = o.f32(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = o.fma(total, x, o.f32(c))
    return total


def floats(text: str) -> tuple[float, ...]:
    """Hexadecimal floats separated by white space."""
    return tuple(float.fromhex(word) for word in text.split())
