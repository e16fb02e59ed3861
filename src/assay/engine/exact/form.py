"""A kernel in the engine's own form: flat affine offsets, only the guards that can fail, and as few loops as possible.

A `Form` no longer names tensors: a kernel's buffers are numbered in order of first use (slot 0 is the output), so two
kernels with equal forms share one native function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import NamedTuple

from assay.program.kernel import Order
from assay.program.types import DType

__all__ = [
    "Access",
    "Affine",
    "Arg",
    "Check",
    "Form",
    "Immediate",
    "Iota",
    "Local",
    "Statement",
    "Target",
    "check_depends",
    "collapse",
    "depends",
    "rewritten",
]


class Affine(NamedTuple):
    """base + sum of strides[d] · index[d], over the domain's dimensions and then the fold's."""

    base: int
    strides: tuple[int, ...]

    def bounds(self, extents: tuple[int, ...]) -> tuple[int, int]:
        """Least and greatest value over the (non-empty) box of `extents`."""
        ends = [s * (n - 1) for s, n in zip(self.strides, extents, strict=True)]
        return self.base + sum(min(0, e) for e in ends), self.base + sum(max(0, e) for e in ends)

    def scaled(self, factor: int) -> Affine:
        """This times a constant."""
        return Affine(self.base * factor, tuple(s * factor for s in self.strides))

    def plus(self, other: Affine) -> Affine:
        """The sum of both."""
        return Affine(self.base + other.base, tuple(a + b for a, b in zip(self.strides, other.strides, strict=True)))


class Immediate(NamedTuple):
    """A constant; `inside` is False for a read that is known to lie outside its view."""

    dtype: DType
    bits: int
    inside: bool = True


class Local(NamedTuple):
    """The value of an earlier statement of the same form, rounded to that statement's dtype."""

    statement: int


class Check(NamedTuple):
    """One coordinate that has to be looked at: (coord + via) / divisor, inside where it is exact and in [0, extent).

    It adds coordinate · scale to the flat offset.
    """

    coord: Affine
    via: Arg | None
    divisor: int
    extent: int
    scale: int


class Access(NamedTuple):
    """A read of buffer `slot` at element `flat` + the checks' contributions, or the bits `outside`."""

    slot: int
    dtype: DType
    flat: Affine
    checks: tuple[Check, ...] = ()
    outside: int = 0


class Iota(NamedTuple):
    """The int64 value coord + via."""

    coord: Affine
    via: Arg | None = None


Arg = Access | Immediate | Iota | Local


class Statement(NamedTuple):
    """value = op(args), rounded to `dtype`. In a fold the last one also takes the accumulator, after its arguments."""

    op: str
    dtype: DType
    args: tuple[Arg, ...]


class Target(NamedTuple):
    """Where a scatter writes: an access to the output, and the slot and element count of the base.

    A `blank` base is all zero bits, and is not read.
    """

    access: Access
    base: int
    size: int
    blank: bool = False


@dataclass(frozen=True)
class Form:
    """Loops over `domain`, inside them over `fold`, and the statements evaluated there.

    `stores` lists (statement, slot): the values that are written at the row-major position in the domain.
    """

    domain: tuple[int, ...]
    fold: tuple[int, ...]
    order: Order
    initial: int
    statements: tuple[Statement, ...]
    stores: tuple[tuple[int, int], ...]
    slots: int
    target: Target | None = None

    @property
    def extents(self) -> tuple[int, ...]:
        """Extents of all loops, in the order of the affine strides."""
        return self.domain + self.fold

    @property
    def points(self) -> int:
        """Scalar operations of the whole nest."""
        return prod(self.extents) * len(self.statements)

    @property
    def flat(self) -> Affine:
        """The row-major position in the domain."""
        strides = [prod(self.domain[d + 1 :]) for d in range(len(self.domain))]
        return Affine(0, (*strides, *(0 for _ in self.fold)))

    @cached_property
    def reach(self) -> tuple[frozenset[int], ...]:
        """For each statement, the loops along which its value can change."""
        found: list[frozenset[int]] = []
        for statement in self.statements:
            loops = {d for d in range(len(self.extents)) for a in statement.args if _alone(a) and depends(a, d)}
            loops.update(*(found[a.statement] for a in statement.args if isinstance(a, Local)))
            found.append(frozenset(loops))
        return tuple(found)

    def args(self) -> Iterator[Arg]:
        """All arguments, indices of checks included."""
        roots = [a for s in self.statements for a in s.args]
        roots += [self.target.access] if self.target else []
        while roots:
            arg = roots.pop()
            yield arg
            if isinstance(arg, Access):
                roots += [c.via for c in arg.checks if c.via is not None]
            elif isinstance(arg, Iota) and arg.via is not None:
                roots.append(arg.via)

    def affines(self) -> set[Affine]:
        """Every affine expression that the nest needs."""
        found = {self.flat}
        for arg in self.args():
            if isinstance(arg, Access):
                found |= {arg.flat, *(c.coord for c in arg.checks)}
            elif isinstance(arg, Iota):
                found.add(arg.coord)
        return found


def depends(arg: Arg, dim: int) -> bool:
    """Whether an argument's value can change along the loop `dim`."""
    if isinstance(arg, Access):
        return arg.flat.strides[dim] != 0 or any(check_depends(c, dim) for c in arg.checks)
    if isinstance(arg, Iota):
        return arg.coord.strides[dim] != 0 or (arg.via is not None and depends(arg.via, dim))
    return isinstance(arg, Local)


def _alone(arg: Arg) -> bool:
    return not isinstance(arg, Local)


def check_depends(check: Check, dim: int) -> bool:
    """Whether a checked coordinate can change along the loop `dim`."""
    return check.coord.strides[dim] != 0 or (check.via is not None and depends(check.via, dim))


def rewritten(arg: Arg, affine: Callable[[Affine], Affine]) -> Arg:
    """The argument with each of its affine expressions replaced."""

    def via(a: Arg | None) -> Arg | None:
        return None if a is None else rewritten(a, affine)

    if isinstance(arg, Access):
        checks = tuple(c._replace(coord=affine(c.coord), via=via(c.via)) for c in arg.checks)
        return arg._replace(flat=affine(arg.flat), checks=checks)
    if isinstance(arg, Iota):
        return Iota(affine(arg.coord), via(arg.via))
    return arg


def _keep(form: Form, keep: list[int], extents: tuple[int, ...]) -> Form:
    """The form with only the loops `keep` (each with its new extent)."""
    domain = tuple(extents[d] for d in keep if d < len(form.domain))
    fold = tuple(extents[d] for d in keep if d >= len(form.domain))

    def affine(a: Affine) -> Affine:
        return Affine(a.base, tuple(a.strides[d] for d in keep))

    statements = tuple(s._replace(args=tuple(rewritten(a, affine) for a in s.args)) for s in form.statements)
    target = form.target
    if target is not None:
        access = rewritten(target.access, affine)
        assert isinstance(access, Access)
        target = target._replace(access=access)
    return replace(form, domain=domain, fold=fold, statements=statements, target=target)


def collapse(form: Form) -> Form:
    """Drop loops of one iteration and merge neighbours through which every affine expression runs straight."""
    form = _keep(form, [d for d, n in enumerate(form.extents) if n != 1], form.extents)
    extents, affines, keep = list(form.extents), form.affines(), []
    for d in range(len(extents)):
        boundary = d + 1 in (len(form.domain), len(extents))
        if not boundary and all(a.strides[d] == a.strides[d + 1] * extents[d + 1] for a in affines):
            extents[d + 1] *= extents[d]
        else:
            keep.append(d)
    return _keep(form, keep, tuple(extents))
