"""Kernels that feed each other become one loop; what only they read never reaches memory.

The bits stay: each statement is rounded to its own dtype whether or not it is stored.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import prod

from .compose import Index, digits, identity, inside_of
from .form import Access, Affine, Arg, Form, Iota, Local, Statement, collapse
from .inline import Inlining, choose
from .part import Part

__all__ = ["Part", "fused"]

STATEMENTS, TENSORS = 40, 14
"""A loop has at most so many statements, and reads at most so many tensors: registers are few."""
SHORT, LONG = 16, 64
"""The last loop is not cut to less than this for the sake of a kernel that reads from another, or beside another."""
ROUNDS = 3
"""How often the groups are gone through in search of two that can be one."""


class _Group:
    """Kernels that run in one loop, and what they need between them. `place` orders the groups."""

    def __init__(self, part: Part, number: int, choice: Inlining) -> None:
        self.parts = {number: part}
        self.place = number
        self.pointwise = part.pointwise
        self.size = prod(part.form.domain)
        self.cuts = _cuts(part.form)
        self.made = {part.output}
        self.read = set(part.tensors[1:]) - choice.gone  # a scatter's base is no operand
        self.elsewhere: set[str] = set()
        """Tensors that are read at another place than the loop's own."""
        position = _plain(part.form, part.form.flat)
        for tensor, access, direct in choice.reads(part):
            self.read.add(tensor)
            if access.checks or not direct or _plain(part.form, access.flat) != position:
                self.elsewhere.add(tensor)
        self.weight = len(choice.operations(part))

    def fits(self, other: _Group) -> bool:
        """Whether this and a later group `other` can run in one loop."""
        if not (self.pointwise and other.pointwise) or self.size != other.size:
            return False
        made, read = self.made | other.made, self.read | other.read
        full = self.weight + other.weight > STATEMENTS or len(read - made) > TENSORS
        if full or other.elsewhere & self.made or not _chain(self.cuts | other.cuts):
            return False
        inner = min(_inner(self.cuts), _inner(other.cuts))
        fed = not self.made.isdisjoint(other.read)
        return inner >= (SHORT if fed else LONG) or _inner(self.cuts) == _inner(other.cuts)

    def take(self, other: _Group, place: int) -> None:
        """Become both."""
        self.parts |= other.parts
        self.place, self.weight = place, self.weight + other.weight
        self.cuts |= other.cuts
        self.made |= other.made
        self.read = (self.read | other.read) - self.made
        self.elsewhere |= other.elsewhere


def fused(parts: Sequence[Part], kept: set[str]) -> list[Part]:
    """The loops to run, in an order that respects what they read; each stores what another one or a port reads."""
    choice = choose([_collapsed(part) for part in parts], kept)
    groups = _Partition(choice).groups()
    readers: dict[str, set[int]] = {}
    for n, group in enumerate(groups):
        for tensor in group.read:
            readers.setdefault(tensor, set()).add(n)
    wanted = [kept | {t for t in g.made if readers.get(t, set()) - {n}} for n, g in enumerate(groups)]
    return [merge([g.parts[n] for n in sorted(g.parts)], choice, wanted[k]) for k, g in enumerate(groups)]


def _collapsed(part: Part) -> Part:
    return replace(part, form=collapse(part.form)) if part.pointwise else part


class _Partition:
    """Groups in a total order that respects what they read. Two become one at the place of either.

    The earlier one may sink to the later one's place if all that read from it come after that; the later one may rise
    if all it reads is made before. Either keeps the order, so nothing has to be searched for cycles.
    """

    def __init__(self, choice: Inlining) -> None:
        parts = [p for t, p in choice.parts.items() if t not in choice.gone]
        self.all = [_Group(part, n, choice) for n, part in enumerate(parts)]
        self.home = {part.output: group for part, group in zip(parts, self.all, strict=True)}
        self.readers: dict[str, list[_Group]] = {}
        for group in self.all:
            for tensor in group.read:
                self.readers.setdefault(tensor, []).append(group)

    def groups(self) -> list[_Group]:
        """The groups, first to run first."""
        for group in self.all:
            if group.pointwise:
                self._follow(group)
        for _ in range(ROUNDS):
            before = len(self.all)
            for group in reversed(self.all):
                if group.parts and group.pointwise:
                    self._grow(group)
            self.all = sorted((g for g in self.all if g.parts), key=lambda g: g.place)
            if len(self.all) == before:
                break
        return self.all

    def _follow(self, group: _Group) -> None:
        """Join the last group that it reads from or that reads the same, so that the result is kept, not its origin."""
        near = [self.home[t] for t in group.read if t in self.home]
        near += [g for t in group.read for g in self.readers[t] if g.place < group.place and g.size == group.size]
        last = max(near, key=lambda g: g.place, default=None)
        if last is not None and last.fits(group):
            self._joined(last, group, last)

    def _grow(self, group: _Group) -> None:
        """Join with neighbours: those that it reads from, and those that read the same."""
        tried = {id(group)}
        while True:
            near = {id(g): g for g in self._neighbours(group) if id(g) not in tried}
            if not near:
                return
            for other in sorted(near.values(), key=lambda g: -g.place):
                tried.add(id(other))
                first, second = (other, group) if other.place < group.place else (group, other)
                if first.fits(second) and self._joined(first, second, group):
                    break

    def _neighbours(self, group: _Group) -> list[_Group]:
        found = [self.home[t] for t in group.read if t in self.home]
        found += [g for t in group.read for g in self.readers[t] if g.size == group.size]
        return [g for g in found if g is not group and g.pointwise and g.size == group.size]

    def _joined(self, first: _Group, second: _Group, into: _Group) -> bool:
        """Put both into one of them, if the order allows it."""
        after = min((g.place for t in first.made for g in self.readers.get(t, ()) if g is not second), default=1 << 62)
        before = max((self.home[t].place for t in second.read if t in self.home and t not in first.made), default=-1)
        if after > second.place:
            place = second.place
        elif before < first.place:
            place = first.place
        else:
            return False
        gone = second if into is first else first
        for tensor in gone.read | (into.read & gone.made):
            by = self.readers[tensor]
            by[:] = [g for g in by if g is not gone and g is not into] + [into]
        for tensor in gone.made:
            self.home[tensor] = into
        into.take(gone, place)
        for tensor in into.made:
            if tensor in self.readers:
                self.readers[tensor] = [g for g in self.readers[tensor] if g is not into]
        gone.parts = {}
        return True


def merge(parts: Sequence[Part], choice: Inlining, wanted: set[str]) -> Part:
    """One form for a group; of its results only those in `wanted` are stored, in the first slots."""
    if len(parts) == 1 and not any(t in choice.gone for t in parts[0].tensors):
        return parts[0]
    first = parts[0].form
    domain = first.domain if not parts[0].pointwise else _domain(set().union(*(_cuts(p.form) for p in parts)))
    stored = [p.output for p in parts if p.output in wanted] if parts[0].pointwise else [parts[0].output]
    writer = _Writer(choice, {p.output: p for p in parts}, domain + first.fold, stored)
    if not parts[0].pointwise:
        at = [writer.value(parts[0].output, identity(len(writer.extents)))]
    else:
        position = Affine(0, tuple(prod(domain[d + 1 :]) for d in range(len(domain))))
        for part in parts:
            index = digits(position, domain, part.form.domain)
            assert index is not None
            writer.places[part.output] = index
        values = {part.output: writer.value(part.output, writer.places[part.output]) for part in parts}
        at = [values[tensor] for tensor in stored]
    stores = tuple((statement, n) for n, statement in enumerate(at))
    form = replace(first, domain=domain, statements=tuple(writer.statements), stores=stores, slots=len(writer.slots))
    return Part(form, tuple(writer.slots))


class _Writer:
    """Writes the statements of several kernels one after another, over common loops."""

    def __init__(self, choice: Inlining, members: dict[str, Part], extents: tuple[int, ...], stored: list[str]) -> None:
        self.choice, self.members, self.extents = choice, members, extents
        self.slots = {tensor: n for n, tensor in enumerate(stored)}
        self.statements: list[Statement] = []
        self.places: dict[str, Index] = {}
        self.known: dict[tuple[str, Index], int] = {}

    def value(self, tensor: str, index: Index) -> int:
        """The statement that makes the element of `tensor` at `index`."""
        known = self.known.get((tensor, index))
        if known is None:
            part = self.choice.parts[tensor]
            (statement,) = part.form.statements
            args = tuple(self.arg(part, a, index) for a in statement.args)
            self.statements.append(Statement(statement.op, statement.dtype, args))
            known = self.known[tensor, index] = len(self.statements) - 1
        return known

    def arg(self, part: Part, arg: Arg, index: Index) -> Arg:
        """An argument of `part`, where its loops stand at `index`."""
        if isinstance(arg, Iota):
            return Iota(self.affine(arg.coord, index), None if arg.via is None else self.arg(part, arg.via, index))
        if not isinstance(arg, Access):
            return arg
        tensor = part.tensors[arg.slot]
        if tensor in self.choice.gone:
            inner = self.choice.indices[part.output][arg]
            return Local(self.value(tensor, tuple(self.affine(a, index) for a in inner)))
        if tensor in self.members and tensor != part.output:
            return Local(self.value(tensor, self.places[tensor]))
        checks = tuple(
            c._replace(coord=self.affine(c.coord, index), via=None if c.via is None else self.arg(part, c.via, index))
            for c in arg.checks
        )
        slot = self.slots.setdefault(tensor, len(self.slots))
        return arg._replace(slot=slot, flat=self.affine(arg.flat, index), checks=checks)

    def affine(self, affine: Affine, index: Index) -> Affine:
        """An expression of a kernel's loops as one of the common loops."""
        return inside_of(affine, index, len(self.extents))


def _plain(form: Form, affine: Affine) -> tuple[int, ...]:
    """An expression without the loops that run once."""
    return (affine.base, *(s for s, n in zip(affine.strides, form.extents, strict=True) if n > 1))


def _cuts(form: Form) -> set[int]:
    """How many elements lie below each boundary between loops: the products of trailing extents."""
    return {prod(form.domain[d:]) for d in range(len(form.domain) + 1)}


def _chain(cuts: Iterable[int]) -> bool:
    """Whether loops with all these boundaries exist."""
    return all(b % a == 0 for a, b in itertools.pairwise(sorted(cuts)))


def _inner(cuts: set[int]) -> int:
    """Iterations of the last loop."""
    return min((c for c in cuts if c > 1), default=1)


def _domain(cuts: set[int]) -> tuple[int, ...]:
    ordered = sorted(cuts, reverse=True)
    return tuple(a // b for a, b in itertools.pairwise(ordered))
