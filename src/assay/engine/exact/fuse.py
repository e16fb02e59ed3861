"""Element-wise kernels that feed each other become one loop; what only they read never reaches memory.

The bits stay: each statement is rounded to its own dtype whether or not it is stored.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from assay.program.kernel import Order

from .form import Access, Affine, Arg, Form, Iota, Local, Statement

__all__ = ["Part", "group", "merge"]

STATEMENTS, TENSORS = 32, 12
"""A group has at most so many statements, and reads at most so many tensors: registers are few."""


@dataclass
class Part:
    """One kernel, lowered but not collapsed, and the tensor in each of its slots (its output first)."""

    form: Form
    tensors: tuple[str, ...]

    @property
    def output(self) -> str:
        """The tensor that it makes."""
        return self.tensors[0]

    @property
    def pointwise(self) -> bool:
        """Whether it is a plain loop over its output."""
        return self.form.order is Order.NONE and self.form.target is None and prod(self.form.domain) > 0


class _Group:
    """Parts that run in one loop, and what they need between them."""

    def __init__(self, first: Part) -> None:
        self.parts: list[Part] = []
        self.size = prod(first.form.domain)
        self.cuts: set[int] = set()
        self.made: set[str] = set()
        self.read: set[str] = set()
        self.add(first)

    def takes(self, part: Part) -> bool:
        """Whether `part` can run inside the same loop."""
        if not part.pointwise or not self.parts[0].pointwise or self.size != prod(part.form.domain):
            return False
        outside = self.read | (set(part.tensors[1:]) - self.made)
        full = len(self.parts) >= STATEMENTS or len(outside) > TENSORS
        return not full and _chain(self.cuts | _cuts(part.form)) and _reads_in_place(part, self.made)

    def add(self, part: Part) -> None:
        """Take `part` in."""
        self.parts.append(part)
        self.cuts |= _cuts(part.form)
        self.read |= set(part.tensors[1:]) - self.made
        self.made.add(part.output)


def group(parts: Iterable[Part]) -> list[list[Part]]:
    """The parts in an order that respects what they read, those of one loop together.

    A part joins the last group among its producers', or opens a new one at the end; so every group comes after all
    that its members read.
    """
    groups: list[_Group] = []
    home: dict[str, int] = {}
    for part in parts:
        last = max((home.get(t, -1) for t in part.tensors[1:]), default=-1)
        if last < 0 or not groups[last].takes(part):
            last = len(groups)
            groups.append(_Group(part))
        else:
            groups[last].add(part)
        home[part.output] = last
    return [g.parts for g in groups]


def merge(parts: Sequence[Part], kept: set[str]) -> Part:
    """One form for a group; of its results only those in `kept` are stored, in the first slots."""
    if len(parts) == 1:
        return parts[0]
    cuts = set().union(*(_cuts(p.form) for p in parts))
    domain = _domain(cuts)
    made = {p.output: n for n, p in enumerate(parts)}
    stored = [p.output for p in parts if p.output in kept]
    slots = {tensor: n for n, tensor in enumerate(stored)}
    statements = []
    for part in parts:
        refined = _Refined(part, domain, cuts, made, slots)
        (statement,) = part.form.statements
        statements.append(Statement(statement.op, statement.dtype, tuple(refined.arg(a) for a in statement.args)))
    stores = tuple((made[tensor], n) for n, tensor in enumerate(stored))
    form = Form(domain, (), Order.NONE, 0, tuple(statements), stores, len(slots))
    return Part(form, tuple(slots))


class _Refined:
    """Rewrites one part's arguments for the group's domain and slots."""

    def __init__(
        self, part: Part, domain: tuple[int, ...], cuts: set[int], made: dict[str, int], slots: dict[str, int]
    ) -> None:
        self.part, self.domain, self.made, self.slots = part, domain, made, slots
        self.cuts = sorted(cuts, reverse=True)

    def affine(self, a: Affine) -> Affine:
        """The same expression over the finer loops."""
        below, strides = prod(self.part.form.domain), []
        finer = iter(self.cuts[1:])
        for extent, stride in zip(self.part.form.domain, a.strides, strict=True):
            below //= extent
            while extent > 1:
                cut = next(finer)
                strides.append(stride * (cut // below))
                if cut == below:
                    break
        return Affine(a.base, tuple(strides))

    def arg(self, arg: Arg) -> Arg:
        if isinstance(arg, Iota):
            return Iota(self.affine(arg.coord), None if arg.via is None else self.arg(arg.via))
        if not isinstance(arg, Access):
            return arg
        tensor = self.part.tensors[arg.slot]
        if tensor in self.made:
            return Local(self.made[tensor])
        checks = tuple(
            c._replace(coord=self.affine(c.coord), via=None if c.via is None else self.arg(c.via)) for c in arg.checks
        )
        slot = self.slots.setdefault(tensor, len(self.slots))
        return arg._replace(slot=slot, flat=self.affine(arg.flat), checks=checks)


def _cuts(form: Form) -> set[int]:
    """How many elements lie below each boundary between loops: the products of trailing extents."""
    return {prod(form.domain[d:]) for d in range(len(form.domain) + 1)}


def _chain(cuts: set[int]) -> bool:
    """Whether loops with all these boundaries exist."""
    ordered = sorted(cuts)
    return all(b % a == 0 for a, b in itertools.pairwise(ordered))


def _domain(cuts: set[int]) -> tuple[int, ...]:
    ordered = sorted(cuts, reverse=True)
    return tuple(a // b for a, b in itertools.pairwise(ordered))


def _reads_in_place(part: Part, made: set[str]) -> bool:
    """Whether all it reads of `made` is the element at its own position."""
    direct = [a for a in part.form.statements[0].args if isinstance(a, Access) and part.tensors[a.slot] in made]
    touching = [a for a in part.form.args() if isinstance(a, Access) and part.tensors[a.slot] in made]
    if len(direct) != len(touching):
        return False
    flat = part.form.flat
    spans = [n > 1 for n in part.form.domain]

    def plain(a: Affine) -> tuple[int, ...]:
        return (a.base, *(s for s, wide in zip(a.strides, spans, strict=True) if wide))

    return all(not a.checks and plain(a.flat) == plain(flat) for a in direct)
