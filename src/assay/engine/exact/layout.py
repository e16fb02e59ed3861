"""The order of a result's elements in memory is free as long as nobody outside sees it: readers choose it.

A fold (a product above all) writes each element once, wherever it lies; element-wise readers that walk through the
result in another order than it was made pay for every element that is not beside the last one. If all of them walk
in the same order, the fold's loops are put into that order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from .compose import Index, Split, digits, identity, inside_of, split
from .form import Access, Affine, Arg, Form, rewritten
from .part import Part

__all__ = ["arranged"]


def arranged(parts: Sequence[Part], kept: set[str]) -> list[Part]:
    """The same parts, with the results of folds laid out as their readers walk through them."""
    found = {part.output: part for part in parts}
    readers: dict[str, list[str]] = {}
    for part in parts:
        for tensor in dict.fromkeys(part.tensors[1:]):
            readers.setdefault(tensor, []).append(part.output)
    for part in parts:
        by = [found[r] for r in readers.get(part.output, ())]
        if part.output in kept or not part.form.fold or not by or not all(_free(r, part.output) for r in by):
            continue
        changed = _turned(found[part.output], by)
        if changed:
            found |= {p.output: p for p in changed}
    return list(found.values())


def _free(reader: Part, tensor: str) -> bool:
    """Whether a reader walks through a tensor element by element, and takes no index from it."""
    direct = reader.form.statements[0].args
    reads = [a for a in reader.form.args() if isinstance(a, Access) and reader.tensors[a.slot] == tensor]
    return reader.pointwise and all(a in direct and not a.checks for a in reads)


def _turned(part: Part, readers: list[Part]) -> list[Part] | None:
    """The part and its readers in the order of the first reader, if the others can follow and it is another one."""
    walked = _walk(part, readers[0])
    if walked is None:
        return None
    domain, index = walked
    changed = [_reordered(part, domain, index)]
    for reader in readers:
        new = _following(reader, part, domain, index)
        if new is None:
            return None
        changed.append(new)
    return changed


def _walk(part: Part, reader: Part) -> tuple[tuple[int, ...], Index] | None:
    """The loops of `reader` that run through the result, and where each of them stands in the part's domain."""
    form = reader.form
    accesses = [a for a in form.args() if isinstance(a, Access) and reader.tensors[a.slot] == part.output]
    flat = accesses[0].flat
    while True:
        try:
            index = digits(flat, form.extents, part.form.domain)
            break
        except Split as request:
            form = split(form, request.dim, request.inner)
            accesses = [a for a in form.args() if isinstance(a, Access) and reader.tensors[a.slot] == part.output]
            flat = accesses[0].flat
    loops = [d for d, (s, n) in enumerate(zip(flat.strides, form.extents, strict=True)) if s and n > 1]
    steps = [flat.strides[d] for d in loops]
    if index is None or steps == sorted(steps, reverse=True) or flat.base:
        return None
    below = 1
    for step, d in sorted(zip(steps, loops, strict=True)):  # every element once
        if step != below:
            return None
        below *= form.extents[d]
    if below != prod(part.form.domain):
        return None
    domain = tuple(form.extents[d] for d in loops)
    return domain, tuple(Affine(0, tuple(a.strides[d] for d in loops)) for a in index)


def _reordered(part: Part, domain: tuple[int, ...], index: Index) -> Part:
    """The part with the loops `domain`."""
    count = len(domain) + len(part.form.fold)
    folds = identity(count)[len(domain) :]
    wide = (*(Affine(0, (*a.strides, *(0 for _ in folds))) for a in index), *folds)
    statements = tuple(
        s._replace(args=tuple(rewritten(a, lambda a: inside_of(a, wide, count)) for a in s.args))
        for s in part.form.statements
    )
    return replace(part, form=replace(part.form, domain=domain, statements=statements))


def _following(reader: Part, part: Part, domain: tuple[int, ...], index: Index) -> Part | None:
    """The reader with its accesses to the result in the new order; None where they would not be affine."""
    form = reader.form
    while True:
        places: dict[Arg, Arg] = {}
        try:
            for arg in form.statements[0].args:
                if isinstance(arg, Access) and reader.tensors[arg.slot] == part.output:
                    place = _place(arg, form, part, domain, index)
                    if place is None:
                        return None
                    places[arg] = place
            break
        except Split as request:
            form = split(form, request.dim, request.inner)
    statements = tuple(s._replace(args=tuple(places.get(a, a) for a in s.args)) for s in form.statements)
    return replace(reader, form=replace(form, statements=statements))


def _place(access: Access, form: Form, part: Part, domain: tuple[int, ...], index: Index) -> Access | None:
    """An access by way of the part's loops to the new ones."""
    old = digits(access.flat, form.extents, part.form.domain)
    if old is None:
        return None
    flat = Affine(0, (0,) * len(form.extents))
    for coordinate, place in zip(old, index, strict=True):
        loops = sorted((s, d) for d, s in enumerate(place.strides) if s)
        if not loops:
            continue
        within = digits(coordinate, form.extents, tuple(domain[d] for _, d in reversed(loops)))
        if within is None:
            return None
        for (_, d), inner in zip(reversed(loops), within, strict=True):
            flat = flat.plus(inner.scaled(prod(domain[d + 1 :])))
    return access._replace(flat=flat)
