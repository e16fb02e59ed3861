"""Affine indices put into one another: what a reader's loops say about the loops of the kernel that made the element."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from .form import Affine, Form, rewritten

__all__ = ["Index", "Split", "digits", "identity", "inside_of", "split"]

Index = tuple[Affine, ...]
"""One expression over a reader's loops for each loop of the domain of what it reads."""


class Split(Exception):
    """The loop `dim` runs through several loops of what is read: it should become two, the inner one of `inner`."""

    def __init__(self, dim: int, inner: int) -> None:
        super().__init__(dim, inner)
        self.dim, self.inner, self.tensor = dim, inner, ""


def identity(count: int) -> Index:
    """Every loop is itself."""
    return tuple(Affine(0, tuple(int(d == e) for e in range(count))) for d in range(count))


def digits(flat: Affine, extents: tuple[int, ...], domain: tuple[int, ...]) -> Index | None:
    """The index in `domain` of the row-major position `flat`, over loops of `extents`; None where it is not affine.

    Raises Split where it would be affine if one loop were two. What it returns holds at every point: the digits of a
    position in mixed radix are unique, and these lie within their radix.
    """
    wide = [d for d in range(len(domain)) if domain[d] > 1]
    below = [prod(domain[d + 1 :]) for d in wide]
    rest, bases = flat.base, []
    for stride in below:
        digit, rest = divmod(rest, stride)
        bases.append(digit)
    if rest:
        return None
    strides = [[0] * len(extents) for _ in wide]
    for k, (step, extent) in enumerate(zip(flat.strides, extents, strict=True)):
        if step == 0 or extent == 1:
            continue
        place = next((n for n, stride in enumerate(below) if stride <= abs(step)), None)
        if place is None or step % below[place]:
            return None
        strides[place][k] = step // below[place]
        reach = domain[wide[place]] * below[place]
        if abs(step) * extent > reach and place and reach % abs(step) == 0 and extent % (reach // abs(step)) == 0:
            raise Split(k, reach // abs(step))
    found = dict(zip(wide, (Affine(b, tuple(s)) for b, s in zip(bases, strides, strict=True)), strict=True))
    for d, affine in found.items():
        low, high = affine.bounds(extents)
        if low < 0 or high >= domain[d]:
            return None
    nothing = Affine(0, (0,) * len(extents))
    return tuple(found.get(d, nothing) for d in range(len(domain)))


def inside_of(affine: Affine, index: Sequence[Affine], loops: int) -> Affine:
    """`affine` over loops that are themselves the expressions `index` over so many `loops`."""
    base, strides = affine.base, [0] * loops
    for step, inner in zip(affine.strides, index, strict=True):
        if step:
            base += step * inner.base
            for k, s in enumerate(inner.strides):
                if s:
                    strides[k] += step * s
    return Affine(base, tuple(strides))


def split(form: Form, dim: int, inner: int) -> Form:
    """The same nest with the loop `dim` as two, the inner one of `inner` iterations."""

    def affine(a: Affine) -> Affine:
        step = a.strides[dim]
        return Affine(a.base, (*a.strides[:dim], step * inner, step, *a.strides[dim + 1 :]))

    def two(loops: tuple[int, ...], at: int) -> tuple[int, ...]:
        return (*loops[:at], loops[at] // inner, inner, *loops[at + 1 :])

    depth = len(form.domain)
    return replace(
        form,
        domain=two(form.domain, dim) if dim < depth else form.domain,
        fold=form.fold if dim < depth else two(form.fold, dim - depth),
        statements=tuple(s._replace(args=tuple(rewritten(a, affine) for a in s.args)) for s in form.statements),
    )
