"""If, Loop and Scan. Programs have no control flow: loops are unrolled, and a choice computes both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.errors import RefusedError

from ..types import DType
from .context import Context
from .known import undecided
from .node import Body, Node, lowers
from .shape import concat
from .value import Value

__all__: list[str] = []

_LARGEST = np.iinfo(np.int64).max


@lowers("If")
def if_node(ctx: Context, node: Node) -> Sequence[Value]:
    """The branch that a known condition names; else both are computed, and each result is select(condition, ...)."""
    condition = node[0]
    if condition.dtype is not DType.BOOL or condition.count != 1:
        node.refuse(f"a condition of {condition.dtype} and shape {condition.shape}")
    known, branches = ctx.known(condition), (node.body("else_branch"), node.body("then_branch"))
    if known is not None:
        return _results(node, branches[int(known.reshape(()))].run([]))
    try:
        pairs = list(zip(*(_results(node, branch.run([])) for branch in reversed(branches)), strict=True))
    except RefusedError as refusal:
        undecided(ctx, node, condition, f"the condition is not known, and one branch is refused: {refusal.message}")
    if any((yes.dtype, yes.shape) != (no.dtype, no.shape) for yes, no in pairs):
        undecided(ctx, node, condition, "the condition is not known, and the branches give different types")
    condition = ctx.reshape(condition, ())
    return [yes if yes == no else ctx.map("select", condition, yes, no, dtype=yes.dtype) for yes, no in pairs]


def _results(node: Node, values: Sequence[Value]) -> Sequence[Value]:
    if len(values) < len(node.outputs):
        node.refuse(f"a branch gives {len(values)} results for {len(node.outputs)} outputs")
    return values[: len(node.outputs)]


@lowers("Loop")
def loop_node(ctx: Context, node: Node) -> Sequence[Value]:
    """The body as often as trip count and conditions say, all of which must be known; scan outputs are stacked."""
    body, carried = node.body("body"), [node[n] for n in range(2, len(node.inputs))]
    if body.inputs != 2 + len(carried) or body.outputs != 1 + len(node.outputs) or len(node.outputs) < len(carried):
        node.refuse(f"the body has {body.inputs} inputs and {body.outputs} outputs")
    trips = _LARGEST if node.get(0) is None else _scalar(ctx, node, node[0], "the trip count")
    going = node.get(1) is None or bool(_scalar(ctx, node, node[1], "the condition"))
    if node.get(1) is None and node.get(0) is None:
        node.refuse("neither a trip count nor a condition")
    if node.get(0) is not None:
        _bounded(node, body, trips if going else 0)
    rows: list[list[Value]] = [[] for _ in node.outputs[len(carried) :]]
    done = 0
    while going and done < trips:
        results = body.run([ctx.scalar(done, DType.INT64), ctx.full(True, DType.BOOL, ()), *carried])
        done, carried = done + 1, list(results[1 : 1 + len(carried)])
        for row, value in zip(rows, results[1 + len(carried) :], strict=True):
            row.append(value)
        going = bool(_scalar(ctx, node, results[0], "the condition that the body computes"))
    if not done and rows:  # what a round would give shows the types of the empty results
        results = body.run([ctx.scalar(0, DType.INT64), ctx.full(True, DType.BOOL, ()), *carried])
        samples = results[1 + len(carried) :]
        return [*carried, *(ctx.full(0, s.dtype, (0, *s.shape)) for s in samples)]
    return [*carried, *(_stacked(ctx, node, row, 0) for row in rows)]


def _scalar(ctx: Context, node: Node, value: Value, what: str) -> int:
    known = ctx.known(value)
    if known is None:
        undecided(ctx, node, value, f"{what} is not known")
    if known.size != 1 or known.dtype.kind not in "iub":
        node.refuse(f"{what} has shape {value.shape} and type {value.dtype}")
    return int(known.reshape(()))


def _bounded(node: Node, body: Body, trips: int) -> None:
    """Refuse at once what would exceed the limit on nodes after long work."""
    if trips * max(1, body.nodes) > body.room:
        node.refuse(f"{trips} rounds of {body.nodes} nodes are too many to unroll", limit=body.room, trips=trips)


def _stacked(ctx: Context, node: Node, values: Sequence[Value], axis: int) -> Value:
    """One value per round, side by side along a new axis."""
    if len({(v.dtype, v.shape) for v in values}) != 1:
        node.refuse("the rounds give scan outputs of different types")
    return concat(ctx, [v.insert(axis) for v in values], axis)


def _per(node: Node, name: str, count: int) -> tuple[int, ...]:
    given = node.integers(name, (0,) * count)
    if len(given) != count:
        node.refuse(f"{len(given)} {name} for {count} tensors")
    return given


@lowers("Scan")
def scan_node(ctx: Context, node: Node) -> Sequence[Value]:
    """The body once per slice of the scan inputs; scan outputs are stacked, in either direction along any axis."""
    body, count = node.body("body"), node.integer("num_scan_inputs")
    states = len(node.inputs) - count
    if count < 1 or states < 0 or body.inputs != len(node.inputs) or body.outputs != len(node.outputs):
        node.refuse(f"{count} scan inputs of {len(node.inputs)} for a body with {body.inputs} inputs")
    if len(node.outputs) < states:
        node.refuse(f"{len(node.outputs)} outputs for {states} states")
    carried = [node[n] for n in range(states)]
    inputs = [node[states + n] for n in range(count)]
    axes = [node.axis(a, x.rank) for a, x in zip(_per(node, "scan_input_axes", count), inputs, strict=True)]
    lengths = {x.shape[a] for x, a in zip(inputs, axes, strict=True)}
    if len(lengths) != 1:
        node.refuse(f"scan inputs of different lengths {sorted(lengths)}")
    trips = lengths.pop()
    _bounded(node, body, trips)
    backward = _per(node, "scan_input_directions", count)
    rows: list[list[Value]] = [[] for _ in node.outputs[states:]]
    if not trips:
        node.unsupported("a scan over no elements")
    for at in range(trips):
        places = [trips - 1 - at if reverse else at for reverse in backward]
        slices = [x.slice(a, p, 1).drop(a) for x, a, p in zip(inputs, axes, places, strict=True)]
        results = body.run([*carried, *slices])
        carried = list(results[:states])
        for row, value in zip(rows, results[states:], strict=True):
            row.append(value)
    reverse = _per(node, "scan_output_directions", len(rows))
    placed = _per(node, "scan_output_axes", len(rows))
    stacked = []
    for row, last_first, axis in zip(rows, reverse, placed, strict=True):
        ordered = row[::-1] if last_first else row
        stacked.append(_stacked(ctx, node, ordered, node.axis(axis, row[0].rank + 1)))
    return [*carried, *stacked]
