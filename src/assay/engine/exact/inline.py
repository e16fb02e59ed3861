"""Which tensors are computed anew where they are read, and never stored.

The bits stay: a statement is rounded to its own dtype wherever it runs. What is saved is a trip through memory, and a
step of its own; what it may cost is the same arithmetic in several places, so only cheap kernels are repeated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import NamedTuple

from assay.program.functions import FUNCTIONS
from assay.program.kernel import Order

from .compose import Index, Split, digits, inside_of, split
from .form import Access, Form, Immediate
from .part import Part

__all__ = ["Inlining", "choose"]

_LOGIC = {"and", "or", "xor", "not", "eq", "ne", "lt", "le", "gt", "ge", "select", "isnan", "isinf"}
CHEAP = _LOGIC | {"copy", "cast", "add", "sub", "mul", "neg", "abs", "min", "max", "floor", "ceil", "trunc"}
"""Operations that take one or two instructions."""
REPEATED, INNER = 4, 24
"""A kernel is repeated at its readers with at most so many statements; a fold runs at most so many inside."""
SHORT = 16
"""A loop that becomes vectors is not cut to less than this."""
MANY = 16
"""A tensor is small beside its readers if each has so many times its elements."""


class Reading(NamedTuple):
    """A read of `tensor`: an operand, or (not `direct`) an index."""

    tensor: str
    access: Access
    direct: bool


@dataclass
class Inlining:
    """`parts` by the tensor that each makes; for each reader, the index at which it needs each element it computes."""

    parts: dict[str, Part]
    indices: dict[str, dict[Access, Index]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def operations(self, part: Part) -> list[str]:
        """Those of a kernel and of all that it computes inside."""
        inner = [self.operations(self.parts[t]) for t in dict.fromkeys(part.tensors[1:]) if t in self.gone]
        return [part.form.statements[0].op, *(op for ops in inner for op in ops)]

    def reads(self, part: Part) -> list[Reading]:
        """What `part` reads from memory, over its own loops, with what it computes inside."""
        found: list[Reading] = []
        loops, direct = len(part.form.extents), set(part.form.statements[0].args)
        for arg in part.form.args():
            if not isinstance(arg, Access):
                continue
            tensor = part.tensors[arg.slot]
            if tensor not in self.gone:
                found.append(Reading(tensor, arg, arg in direct))
                continue
            index = self.indices[part.output][arg]
            for inner in self.reads(self.parts[tensor]):
                flat = inside_of(inner.access.flat, index, loops)
                found.append(inner._replace(access=inner.access._replace(flat=flat)))
        return found


def choose(parts: Sequence[Part], kept: set[str]) -> Inlining:
    """Decide for a program, given the tensors that must be stored."""
    parts = _blanked(_once(parts, kept), kept)
    choice = Inlining({p.output: p for p in parts})
    readers: dict[str, list[str]] = {}
    able: dict[str, set[str]] = {}
    for part in parts:
        for tensor in dict.fromkeys(part.tensors[1:]):
            readers.setdefault(tensor, []).append(part.output)
        able[part.output] = _resolve(choice, part)
    free = {t for t, by in readers.items() if t not in kept and all(t in able[r] for r in by)}
    homes, counts = dict[str, str](), Counter[str]()
    for part in reversed(parts):
        if part.output in free and len(readers[part.output]) == 1:
            _moved(choice, part, readers[part.output][0], homes, counts)
    for part in parts:
        if part.output in free and part.output not in choice.gone:
            _repeated(choice, choice.parts[part.output], readers[part.output])
    return choice


def _once(parts: Sequence[Part], kept: set[str]) -> list[Part]:
    """The parts without those that make what another one has made."""
    known: dict[tuple[Form, tuple[str, ...]], str] = {}
    same: dict[str, str] = {}
    chosen = []
    for part in parts:
        read = tuple(same.get(t, t) for t in part.tensors[1:])
        first = known.setdefault((part.form, read), part.output)
        if first != part.output and part.output not in kept:
            same[part.output] = first
        else:
            chosen.append(replace(part, tensors=(part.output, *read)))
    return chosen


def _blanked(parts: Sequence[Part], kept: set[str]) -> list[Part]:
    """The parts, with scatters onto zeros that need no tensor of zeros."""
    zeros = {p.output for p in parts if p.pointwise and _is_zero(p.form)}
    changed: list[Part] = []
    for part in parts:
        target = part.form.target
        used = {a.slot for a in part.form.args() if isinstance(a, Access)}
        if target is not None and part.tensors[target.base] in zeros and target.base not in used:
            form = replace(part.form, target=target._replace(blank=True))
            tensors = tuple(part.output if n == target.base else t for n, t in enumerate(part.tensors))
            changed.append(Part(form, tensors))
        else:
            changed.append(part)
    read = {t for p in changed for t in p.tensors[1:] if t != p.output} | kept
    return [p for p in changed if p.output in read or p.output not in zeros]


def _is_zero(form: Form) -> bool:
    (statement,) = form.statements
    value = statement.args[0] if statement.op == "copy" else None
    return isinstance(value, Immediate) and value.bits == 0


def _resolve(choice: Inlining, part: Part) -> set[str]:
    """The tensors that `part` could compute itself; its loops are split where that takes it."""
    form, statement = part.form, part.form.statements[0]
    if form.target is not None or not form.points or part.product or statement.op == "bitcast":
        return set()
    candidates = {t for t in part.tensors[1:] if t in choice.parts and choice.parts[t].pointwise}
    for arg in form.args():
        if isinstance(arg, Access) and (arg.checks or arg not in statement.args):
            candidates.discard(part.tensors[arg.slot])
    found: dict[Access, Index] = {}
    while candidates:
        try:
            found = _indices(choice, form, part, candidates)
            break
        except Split as request:
            if _narrows(form, request):
                candidates.discard(request.tensor)
            else:
                form = split(form, request.dim, request.inner)
    choice.parts[part.output] = replace(part, form=form)
    choice.indices[part.output] = found
    return candidates


def _narrows(form: Form, request: Split) -> bool:
    """Whether a split would leave too little of the loop that becomes vectors."""
    lanes, depth = form.order is Order.LANES, len(form.domain)
    last = depth - 1 if not lanes else len(form.extents) - 1
    if lanes and request.dim >= depth:
        return True  # the lanes go round all loops of the fold
    return request.dim == last and request.inner < SHORT <= form.extents[last]


def _indices(choice: Inlining, form: Form, part: Part, candidates: set[str]) -> dict[Access, Index]:
    """Where `part` reads the candidates; those that it cannot compute are taken out of the set."""
    found: dict[Access, Index] = {}
    for arg in form.statements[0].args:
        if isinstance(arg, Access) and part.tensors[arg.slot] in candidates:
            tensor = part.tensors[arg.slot]
            try:
                index = digits(arg.flat, form.extents, choice.parts[tensor].form.domain)
            except Split as request:
                request.tensor = tensor
                raise
            if index is None:
                candidates.discard(tensor)
            else:
                found[arg] = index
    return found


def _moved(choice: Inlining, part: Part, reader: str, homes: dict[str, str], counts: Counter[str]) -> None:
    """What only one fold reads, each element once, is computed there: nothing is repeated.

    So is what only one other kernel reads, if that reads it at another place and could not run in the same loop.
    """
    by, home = choice.parts[reader], homes.get(reader, reader)
    accesses = [a for a in choice.indices[reader] if by.tensors[a.slot] == part.output]
    if len(accesses) != 1 or by.form.points > part.form.points or counts[home] >= INNER:
        return
    if home == reader and by.pointwise and accesses[0].flat == by.form.flat:
        return
    choice.gone.add(part.output)
    homes[part.output] = home
    counts[home] += 1


def _repeated(choice: Inlining, part: Part, readers: list[str]) -> None:
    """What is cheap to make again from no more memory than it would take itself, or is made once for many elements."""
    ops, points, nbytes = choice.operations(part), part.form.points, part.form.statements[0].dtype.itemsize
    if len(ops) > REPEATED or not FUNCTIONS.keys().isdisjoint(ops):
        return
    reads = {a for _, a, _ in choice.reads(part) if MANY * _touched(part.form, a) > points}
    cheap = (
        CHEAP.issuperset(ops) and len(reads) <= 1 and all(a.dtype.itemsize <= nbytes and not a.checks for a in reads)
    )
    if cheap or all(_rarely(choice, part, r) for r in readers):
        choice.gone.add(part.output)


def _touched(form: Form, access: Access) -> int:
    """How many elements an access can reach, about."""
    return prod(n for n, s in zip(form.extents, access.flat.strides, strict=True) if s)


def _rarely(choice: Inlining, part: Part, reader: str) -> bool:
    """Whether a reader's innermost loop always needs the same element, and is long."""
    by = choice.parts[reader]
    if not by.form.extents or by.form.points < MANY * part.form.points:
        return False
    last = len(by.form.domain) - 1 if by.form.order is Order.CHAIN else len(by.form.extents) - 1
    indices = [i for a, i in choice.indices[reader].items() if by.tensors[a.slot] == part.output]
    still = all(affine.strides[last] == 0 for index in indices for affine in index)
    return still and last >= 0 and by.form.extents[last] >= MANY
