"""Einsum: operands are combined from left to right, each pair as one product fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..kernel import Order
from .context import Context
from .elementwise import same_type
from .node import Node, lowers
from .reduce import fold
from .value import Value

__all__: list[str] = []

_LONGEST = 512
"""Characters of an equation."""


def _terms(node: Node, ranks: Sequence[int]) -> tuple[list[list[str]], list[str]]:
    """Labels per operand, and of the result. Axes that `...` stands for are labelled by their distance from its end."""
    equation = node.text("equation").replace(" ", "")
    if len(equation) > _LONGEST or equation.count("->") > 1:
        node.refuse(f"equation {equation[:64]!r}")
    left, arrow, right = equation.partition("->")
    texts = left.split(",")
    if len(texts) != len(ranks):
        node.refuse(f"equation {equation[:64]!r} for {len(ranks)} operands")
    terms = [_labels(node, text, rank) for text, rank in zip(texts, ranks, strict=True)]
    dots = sorted({label for term in terms for label in term if len(label) > 1}, reverse=True)
    if not arrow:
        flat = [label for term in terms for label in term]
        return terms, dots + sorted(label for label in set(flat) if len(label) == 1 and flat.count(label) == 1)
    if right.count("...") > 1 or "." in right.replace("...", ""):
        node.refuse(f"result {right[:64]!r}")
    before, dotted, after = right.partition("...")
    result = [*before, *(dots if dotted else ()), *after]
    if len(set(result)) != len(result) or not set(result) <= {label for term in terms for label in term}:
        node.refuse(f"result {right[:64]!r}")
    return terms, result


def _labels(node: Node, text: str, rank: int) -> list[str]:
    before, dotted, after = text.partition("...")
    if not (before + after).isalpha() and before + after:
        node.refuse(f"term {text[:64]!r}")
    hidden = rank - len(before) - len(after)
    if hidden < 0 or (hidden and not dotted):
        node.refuse(f"term {text[:64]!r} for an operand with {rank} axes")
    return [*before, *(f"...{n:03}" for n in reversed(range(hidden))), *after]


def _diagonal(node: Node, value: Value, labels: list[str]) -> tuple[Value, list[str]]:
    """One axis per label: an operand that names a label twice is read along its diagonal."""
    distinct = list(dict.fromkeys(labels))
    shape, strides = [], []
    for label in distinct:
        axes = [a for a, other in enumerate(labels) if other == label]
        extents = {value.shape[a] for a in axes}
        if len(extents) != 1:
            node.refuse(f"axes of lengths {sorted(extents)} are both called {label!r}")
        shape.append(extents.pop())
        strides.append(sum(value.strides[a] for a in axes))
    return replace(value, shape=tuple(shape), strides=tuple(strides)), distinct


@lowers("Einsum")
def einsum(ctx: Context, node: Node) -> Value:
    """From left to right: mul, or where labels end a product fold over them as they appear; one operand: an add fold."""
    values = [node[n] for n in range(len(node.inputs))]
    same_type(node, *values)
    terms, result = _terms(node, [v.rank for v in values])
    if len({label for term in terms for label in term}) > ctx.limits.rank:
        node.refuse("too many different labels", limit=ctx.limits.rank)
    extents: dict[str, int] = {}
    operands = [_diagonal(node, value, labels) for value, labels in zip(values, terms, strict=True)]
    for value, labels in operands:
        for label, extent in zip(labels, value.shape, strict=True):
            known = extents.setdefault(label, extent)
            if known != extent and not (len(label) > 1 and 1 in (known, extent)):
                node.refuse(f"axes of lengths {known} and {extent} are both called {label!r}")
            extents[label] = extent if known == 1 else known
    value, labels = operands[0]
    for n, (other, names) in enumerate(operands[1:], 2):
        wanted = {*result, *(label for _, later in operands[n:] for label in later)}
        value, labels = _pair(ctx, (value, labels), (other, names), wanted, extents)
    rest = tuple(a for a, label in enumerate(labels) if label not in result)
    value = fold(ctx, "add", value, rest, False)
    labels = [label for label in labels if label in result]
    return value.transpose(tuple(labels.index(label) for label in result))


def _pair(
    ctx: Context,
    left: tuple[Value, list[str]],
    right: tuple[Value, list[str]],
    wanted: set[str],
    extents: dict[str, int],
) -> tuple[Value, list[str]]:
    """The product of two operands, summed over the labels that nothing wants any more."""
    union = list(dict.fromkeys((*left[1], *right[1])))
    kept, summed = [x for x in union if x in wanted], [x for x in union if x not in wanted]
    loop = ctx.loop(tuple(extents[x] for x in kept), tuple(extents[x] for x in summed))
    reads = []
    for value, labels in (left, right):
        value = value.expand(tuple(extents[x] for x in labels))
        axes = [loop.axis(kept.index(x)) if x in kept else loop.axis(fold=summed.index(x)) for x in labels]
        reads.append(loop.read(value, axes))
    if not summed:
        return loop.emit("mul", reads, left[0].dtype), kept
    return loop.emit("fma", reads, left[0].dtype, order=Order.CHAIN), kept
