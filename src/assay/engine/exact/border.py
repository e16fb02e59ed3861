"""Products read what they guard from a copy with a border, so that packing needs no guards.

A guard that can fail asks, for every element that is packed, whether a coordinate lies inside; and a window is packed
as often as it has cells. The copy asks once per element. A product reads it once per chain, as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import prod

from assay.program.kernel import Order
from assay.program.types import Port

from .form import Access, Affine, Check, Form, Statement
from .fuse import Part
from .native import Machine
from .product import match

__all__ = ["bordered"]

LARGEST = 4
"""A copy has at most so many times the elements of its tensor."""


def bordered(parts: Iterable[Part], tensors: dict[str, Port], target: Machine) -> Iterator[Part]:
    """The parts, with copies before the products that need them; the copies are entered into `tensors`."""
    for part in parts:
        guarded = any(isinstance(a, Access) and a.checks for a in part.form.statements[-1].args)
        if not guarded or match(part.form, target) is None:
            yield part
        else:
            yield from _with_copies(part, tensors)


def _with_copies(part: Part, tensors: dict[str, Port]) -> Iterator[Part]:
    statement, names = part.form.statements[-1], list(part.tensors)
    args = []
    for n, arg in enumerate(statement.args):
        found = _border(arg, part.form.extents, tensors[names[arg.slot]].size) if isinstance(arg, Access) else None
        if found is None:
            args.append(arg)
            continue
        shape, form, inner = found
        assert isinstance(arg, Access)
        name = f"{part.output} border {n}"
        while name in tensors:  # a stranger's program may call its inputs what it likes
            name += "'"
        tensors[name] = Port(name, arg.dtype, shape)
        yield Part(form, (name, names[arg.slot]))
        args.append(inner._replace(slot=len(names)))
        names.append(name)
    form = replace(part.form, statements=(statement._replace(args=tuple(args)),), slots=len(names))
    yield _compact(form, names)


def _compact(form: Form, names: list[str]) -> Part:
    """Without the slots that nothing reads any more."""
    (statement,) = form.statements
    used = [0, *sorted({a.slot for a in statement.args if isinstance(a, Access)})]
    place = {slot: n for n, slot in enumerate(dict.fromkeys(used))}
    args = tuple(a._replace(slot=place[a.slot]) if isinstance(a, Access) else a for a in statement.args)
    tensors = tuple(names[slot] for slot in place)
    return Part(replace(form, statements=(statement._replace(args=args),), slots=len(place)), tensors)


def _border(access: Access, extents: tuple[int, ...], size: int) -> tuple[tuple[int, ...], Form, Access] | None:
    """Shape and form of the copy, and the access to it; None where the guards are not windows on trailing axes."""
    checks = sorted(access.checks, key=lambda c: -c.scale)
    block = 1
    for check in reversed(checks):
        if check.via is not None or check.divisor != 1 or check.scale != block:
            return None
        block *= check.extent
    if not checks or any(n % block for n in (access.flat.base, *access.flat.strides)):
        return None
    ends = [c.coord.bounds(extents) for c in checks]
    begin = [max(0, -low) for low, _ in ends]
    sizes = [b + max(c.extent, high + 1) for b, c, (_, high) in zip(begin, checks, ends, strict=True)]
    if prod(sizes) > LARGEST * block:
        return None
    shape = (size // block, *sizes)
    return shape, _copy(access, shape, begin, checks, block), _inside(access, sizes, begin, checks, block)


def _copy(access: Access, shape: tuple[int, ...], begin: list[int], checks: list[Check], block: int) -> Form:
    unit = [tuple(int(n == d) for n in range(len(shape))) for d in range(len(shape))]
    guards = tuple(
        Check(Affine(-b, unit[n + 1]), None, 1, c.extent, c.scale)
        for n, (b, c) in enumerate(zip(begin, checks, strict=True))
    )
    read = Access(1, access.dtype, Affine(0, tuple(block * u for u in unit[0])), guards, access.outside)
    return Form(shape, (), Order.NONE, 0, (Statement("copy", access.dtype, (read,)),), ((0, 0),), 2)


def _inside(access: Access, sizes: list[int], begin: list[int], checks: list[Check], block: int) -> Access:
    larger = prod(sizes)
    flat = Affine(access.flat.base // block * larger, tuple(s // block * larger for s in access.flat.strides))
    for n, (b, check) in enumerate(zip(begin, checks, strict=True)):
        shifted = Affine(check.coord.base + b, check.coord.strides)
        flat = flat.plus(shifted.scaled(prod(sizes[n + 1 :])))
    return access._replace(flat=flat, checks=())
