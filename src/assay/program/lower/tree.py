"""Ensembles of decision trees: all trees walk at once, one level per round, through a table of nodes.

A round reads, for each row and tree, the feature and the threshold of the node that it is at, compares, and steps to one
of the node's children; a leaf is its own child. After as many rounds as the deepest tree has levels, every walk is at a
leaf. The weights of the leaves are then added up over the trees, in the order in which the file lists the trees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from onnx import AttributeProto

from ..tensors import tensor_array
from ..types import DType
from .classic import classic, floats, labels, named, post_transform, rows, standard
from .context import Array, Context
from .node import Node, Result
from .reduce import fold
from .value import Value

__all__ = ["classifier", "regressor"]

F32, INT64 = DType.FLOAT32, DType.INT64

_MODES = {
    "BRANCH_LEQ": "le", "BRANCH_LT": "lt", "BRANCH_GTE": "ge", "BRANCH_GT": "gt", "BRANCH_EQ": "eq", "BRANCH_NEQ": "ne",
}  # fmt: skip
_AGGREGATES = {"SUM": "add", "AVERAGE": "add", "MIN": "min", "MAX": "max"}


@dataclass(frozen=True)
class Forest:
    """The nodes of all trees in one table, by position; children and roots are positions too.

    `place` is the position of (tree, node).
    """

    place: dict[tuple[int, int], int]
    feature: Array
    threshold: Array
    if_true: Array
    if_false: Array
    tracks_missing: Array
    roots: Array
    depth: int
    mode: str


def forest(ctx: Context, node: Node) -> Forest:
    """Read the node table. Refuses children that do not exist, cycles, and nodes with two parents."""
    trees, ids = node.integers("nodes_treeids"), node.integers("nodes_nodeids")
    place = {key: n for n, key in enumerate(zip(trees, ids, strict=True))}
    modes = node.attribute("nodes_modes", AttributeProto.STRINGS)
    kinds = [m.decode("utf-8", "replace") for m in modes.strings] if modes else node.absent("nodes_modes")
    leaf = np.array([kind == "LEAF" for kind in kinds])
    used = sorted(set(kinds) - {"LEAF"})
    if len(used) > 1 or not set(used) <= set(_MODES):
        node.unsupported(f"branches of the kinds {used}")
    own = np.arange(len(place))
    yes, no = (
        np.where(
            leaf, own, [place.get((tree, child), -1) for tree, child in zip(trees, node.integers(name), strict=True)]
        )
        for name in ("nodes_truenodeids", "nodes_falsenodeids")
    )
    if len(place) != len(trees) or min(int(yes.min()), int(no.min())) < 0:
        node.refuse("a tree has the same node twice, or lacks one")
    below = np.concatenate([yes[~leaf], no[~leaf]])
    roots = np.setdiff1d(own, below)
    if len(set(below.tolist())) != len(below) or sorted(trees[n] for n in roots) != sorted(set(trees)):
        node.refuse("a tree is not a tree")
    order = {tree: n for n, tree in reversed(list(enumerate(trees)))}
    roots = np.array(sorted(roots.tolist(), key=lambda n: order[trees[n]]))
    return Forest(
        place,
        np.where(leaf, 0, node.integers("nodes_featureids")),
        _numbers(ctx, node, "nodes_values", len(trees)),
        yes,
        no,
        np.array(node.integers("nodes_missing_value_tracks_true", ()) or [0] * len(trees)),
        roots,
        _depth(node, roots, leaf, yes, no),
        _MODES[used[0]] if used else "le",
    )


def _depth(node: Node, roots: Array, leaf: Array, *children: Array) -> int:
    """Levels below the roots. Refuses nodes that no root leads to: they are a cycle."""
    depth, level, met = 0, roots, len(roots)
    while not leaf[level].all():
        inner = level[~leaf[level]]
        level, depth = np.concatenate([c[inner] for c in children]), depth + 1
        met += len(level)
    if met != len(leaf):
        node.refuse("a tree has a cycle")
    return depth


def _numbers(ctx: Context, node: Node, name: str, count: int) -> Array:
    """A list of floats, or the same as a tensor."""
    tensor = node.attribute(f"{name}_as_tensor", AttributeProto.TENSOR)
    if tensor is None:
        found = floats(node, name)
    else:
        found = tensor_array(tensor.t, f"{name} of {node.label}", ctx.limits).astype(np.float32)
    if found is None or found.size != count:
        node.refuse(f"{name} are not {count} numbers")
    return found.reshape(count)


def leaves(ctx: Context, node: Node, trees: Forest) -> Value:
    """The position of the leaf that each row reaches in each tree: int64 (rows, trees)."""
    x = rows(ctx, node)
    if not 0 <= int(trees.feature.min()) <= int(trees.feature.max()) < x.shape[1]:
        node.refuse(f"a tree asks for feature {trees.feature.max()} of {x.shape[1]}")
    at = ctx.constant(trees.roots.astype(np.int64)).expand((x.shape[0], len(trees.roots)))
    for _ in range(trees.depth):
        feature = _look_up(ctx, trees.feature.astype(np.int64), at)
        loop = ctx.loop(at.shape)
        index = loop.read(feature, loop.identity())
        value = loop.emit("copy", [index, loop.read(x, [loop.axis(0), loop.axis(indirect=0)], 0)], F32)
        goes = ctx.map(trees.mode, value, _look_up(ctx, trees.threshold, at))
        if trees.tracks_missing.any():
            tracks = _look_up(ctx, trees.tracks_missing.astype(bool), at)
            goes = ctx.map("or", goes, ctx.map("and", ctx.map("isnan", value), tracks))
        children = (_look_up(ctx, c.astype(np.int64), at) for c in (trees.if_true, trees.if_false))
        at = ctx.map("select", goes, *children, dtype=INT64)
    return at


def _look_up(ctx: Context, table: Array, at: Value) -> Value:
    """table[at]; `at` is always inside."""
    values, loop = ctx.constant(table), ctx.loop(at.shape)
    index = loop.read(at, loop.identity())
    return loop.emit("copy", [index, loop.read(values, [loop.axis(indirect=0)], 0)], values.dtype)


def _scores(ctx: Context, node: Node, trees: Forest, what: str, targets: int, op: str = "add") -> Value:
    """The weights of the leaves, combined over the trees: (rows, targets). A leaf weighs 0 where nothing is said."""
    ids, owners = node.integers(f"{what}_ids"), (node.integers(f"{what}_treeids"), node.integers(f"{what}_nodeids"))
    table = np.zeros((len(trees.place), targets), np.float32)
    weights = _numbers(ctx, node, f"{what}_weights", len(ids))
    for tree, leaf, target, weight in zip(*owners, ids, weights, strict=True):
        if not 0 <= target < targets:
            node.refuse(f"weight for target {target} of {targets}")
        table[trees.place[(tree, leaf)], target] += weight
    at, values = leaves(ctx, node, trees), ctx.constant(table)
    loop = ctx.loop((*at.shape, targets))
    index = loop.read(at, [loop.axis(0), loop.axis(1)])
    weighed = loop.emit("copy", [index, loop.read(values, [loop.axis(indirect=0), loop.axis(2)], 0)], F32)
    return fold(ctx, op, weighed, (1,), False)


def _with_base(ctx: Context, node: Node, scores: Value) -> Value:
    if not node.has("base_values") and not node.has("base_values_as_tensor"):
        return scores
    return ctx.map("add", scores, ctx.constant(_numbers(ctx, node, "base_values", scores.shape[1])))


@classic("TreeEnsembleRegressor")
def regressor(ctx: Context, node: Node) -> Value:
    """Per row and target: the leaves' weights, combined by `aggregate_function`, plus the base value."""
    how = node.text("aggregate_function", "SUM")
    if how not in _AGGREGATES:
        node.refuse(f"aggregate_function {how!r}")
    trees = forest(ctx, node)
    scores = _scores(ctx, node, trees, "target", node.integer("n_targets", 1), _AGGREGATES[how])
    if how == "AVERAGE":
        scores = ctx.map("div", scores, ctx.real(len(trees.roots), scores))
    return post_transform(ctx, node, _with_base(ctx, node, scores))


@classic("TreeEnsembleClassifier")
def classifier(ctx: Context, node: Node) -> Result:
    """The label of the largest score, and the scores after `post_transform`.

    Two classes whose weights all speak of one have one score s, as in ONNX Runtime: where no weight is negative the
    scores are (1 - s, s) and s > 0.5 decides; otherwise they are (-s, s) and s > 0 decides.
    """
    names = node.integers("classlabels_int64s", ())
    texts = node.attribute("classlabels_strings", AttributeProto.STRINGS)
    count = max(len(names), len(texts.strings) if texts else 0)
    if count == 2 and len(set(node.integers("class_ids"))) == 1:
        return _one_score(ctx, node)
    scores = _with_base(ctx, node, _scores(ctx, node, forest(ctx, node), "class", count))
    found = labels(ctx, node, scores, "classlabels_int64s") if node.wants(0) else scores
    return [found, post_transform(ctx, node, scores)]


def _one_score(ctx: Context, node: Node) -> Result:
    only = node.integers("class_ids")[0]
    score = _scores(ctx, node, forest(ctx, node), "class", 2).slice(1, only, 1)
    base = floats(node, "base_values")
    if base is not None:
        score = ctx.map("add", score, ctx.constant(base[-1:]))
    positive = bool((_numbers(ctx, node, "class_weights", len(node.integers("class_ids"))) >= 0).all())
    above = ctx.map("gt", score, ctx.real(0.5 if positive else 0, score))
    other = ctx.map("sub", ctx.real(1, score), score, dtype=F32) if positive else ctx.map("neg", score)
    scores = standard(ctx, "Concat", other, score, axis=1)
    place = ctx.map("cast", above.drop(1), dtype=INT64)
    found = named(ctx, node, place, "classlabels_int64s", 2) if node.wants(0) else scores
    return [found, scores if positive else post_transform(ctx, node, scores)]
