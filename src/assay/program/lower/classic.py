"""Operators of the domain ai.onnx.ml, in which classical models (scikit-learn and the like) are exported.

Everything is computed in float32. Labels are integers; strings, maps and sequences are not covered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
from onnx import AttributeProto, helper

from ..types import DType
from .context import Array, Context
from .elementwise import cast
from .node import LOWERINGS, Lowering, Node, Result
from .reduce import fold
from .value import Shape, Value

__all__ = ["CLASSIC", "DOMAIN", "classic", "floats", "labels", "lower_classic", "post_transform", "standard"]

DOMAIN = "ai.onnx.ml"

CLASSIC: dict[str, Lowering] = {}
"""Operator name -> its lowering, for ai.onnx.ml."""

F32, INT64 = DType.FLOAT32, DType.INT64


def classic(*operators: str) -> Callable[[Lowering], Lowering]:
    """Register a function as the lowering of `operators` of ai.onnx.ml."""

    def register(function: Lowering) -> Lowering:
        CLASSIC.update(dict.fromkeys(operators, function))
        return function

    return register


def lower_classic(ctx: Context, node: Node) -> Sequence[Value]:
    """The results of a node of ai.onnx.ml. Raises UnsupportedOperator for what is not covered."""
    lowering = CLASSIC.get(node.op)
    if lowering is None:
        node.unsupported(f"the operator {DOMAIN}.{node.op} is not covered", hint=_HINTS.get(node.op))
    result = lowering(ctx, node)
    return [result] if isinstance(result, Value) else result


_HINTS = {"ZipMap": "Convert with options={'zipmap': False}: a map is not a tensor."}


# what the operators share


def standard(ctx: Context, op: str, *inputs: Value, **attributes: object) -> Value:
    """One result of an operator of the standard domain."""
    given = {name: helper.make_attribute(name, value) for name, value in attributes.items()}
    result = LOWERINGS[op](ctx, Node(op, "", 21, inputs, (op,), given))
    return result if isinstance(result, Value) else result[0]


def floats(node: Node, name: str, shape: Shape | None = None) -> Array | None:
    """A list of floats as a float32 array of `shape`, or None where it is absent or empty. Refuses another length."""
    found = node.attribute(name, AttributeProto.FLOATS)
    if found is None or not found.floats:
        return None
    array = np.array(found.floats, np.float32)
    if shape is not None and array.size != prod(shape):
        node.refuse(f"{array.size} {name} for shape {shape}")
    return array if shape is None else array.reshape(shape)


def rows(ctx: Context, node: Node) -> Value:
    """The first input as float32 (rows, features)."""
    if node[0].rank != 2:
        node.unsupported(f"an input of shape {node[0].shape}", hint="Give it the shape (rows, features).")
    return cast(ctx, node[0], F32)


def labels(ctx: Context, node: Node, scores: Value, attribute: str) -> Value:
    """The label of the largest score per row, the first of equals: int64 (rows,)."""
    place = standard(ctx, "ArgMax", scores, axis=1, keepdims=0)
    return named(ctx, node, place, attribute, scores.shape[1])


def named(ctx: Context, node: Node, place: Value, attribute: str, count: int) -> Value:
    """The integer labels at the given places."""
    names = node.integers(attribute, ())
    if len(names) != count:
        node.unsupported(
            f"labels that are not {count} integers",
            hint="Train with integer labels, or leave the output of labels out.",
        )
    if names == tuple(range(count)):
        return place
    return standard(ctx, "Gather", ctx.constant(np.array(names, np.int64)), place, axis=0)


def post_transform(ctx: Context, node: Node, scores: Value) -> Value:
    """What `post_transform` makes of scores (rows, classes)."""
    how = node.text("post_transform", "NONE")
    if how == "NONE":
        return scores
    if how not in ("LOGISTIC", "SOFTMAX"):
        node.unsupported(f"post_transform {how}")
    return ctx.map("sigmoid", scores) if how == "LOGISTIC" else standard(ctx, "Softmax", scores, axis=1)


def _per_feature(node: Node, name: str, x: Value) -> Array:
    """One number for all features, or one for each."""
    found = floats(node, name)
    if found is None:
        node.absent(name)
    if found.size not in (1, x.shape[-1]):
        node.refuse(f"{found.size} {name} for {x.shape[-1]} features")
    return found


# the operators


@classic("Scaler")
def scaler(ctx: Context, node: Node) -> Value:
    """(x - offset)·scale, per feature."""
    x = rows(ctx, node)
    shifted = ctx.map("sub", x, ctx.constant(_per_feature(node, "offset", x)))
    return ctx.map("mul", shifted, ctx.constant(_per_feature(node, "scale", x)))


@classic("Normalizer")
def normalizer(ctx: Context, node: Node) -> Value:
    """Each row divided by its largest element (MAX), sum of magnitudes (L1) or 2-norm (L2); a row whose norm is 0 stays."""
    x, how = rows(ctx, node), node.text("norm", "MAX")
    if how == "MAX":
        norm = fold(ctx, "max", x, (1,), True)
    elif how == "L1":
        norm = fold(ctx, "add", ctx.map("abs", x), (1,), True)
    elif how == "L2":
        norm = ctx.map("sqrt", fold(ctx, "add", ctx.map("mul", x, x), (1,), True))
    else:
        node.refuse(f"norm {how!r}")
    nothing = ctx.map("eq", norm, ctx.real(0, norm))
    return ctx.map("div", x, ctx.map("select", nothing, ctx.real(1, norm), norm, dtype=F32))


@classic("Binarizer")
def binarizer(ctx: Context, node: Node) -> Value:
    """1 where x is above the threshold, else 0."""
    x = node[0]
    above = ctx.map("gt", x, ctx.real(node.real("threshold", 0.0), x))
    return ctx.map("select", above, ctx.real(1, x), ctx.real(0, x), dtype=x.dtype).expand(x.shape)


@classic("Imputer")
def imputer(ctx: Context, node: Node) -> Value:
    """The given number per feature, where x is `replaced_value_float` (NaN for missing values)."""
    x, replaced = rows(ctx, node), node.real("replaced_value_float", 0.0)
    missing = ctx.map("isnan", x) if np.isnan(replaced) else ctx.map("eq", x, ctx.real(replaced, x))
    return ctx.map("select", missing, ctx.constant(_per_feature(node, "imputed_value_floats", x)), x, dtype=F32)


@classic("ArrayFeatureExtractor")
def array_feature_extractor(ctx: Context, node: Node) -> Value:
    """Elements of the last axis at the indices; a vector becomes one row."""
    x, places = node[0], node[1]
    found = standard(ctx, "Gather", x, ctx.reshape(places, (places.count,)), axis=x.rank - 1)
    return ctx.reshape(found, (1, places.count)) if x.rank == 1 else found


@classic("OneHotEncoder")
def one_hot_encoder(ctx: Context, node: Node) -> Value:
    """A new last axis with 1 at the category that x is and 0 elsewhere; nothing but 0 for a category it does not know."""
    categories, x = node.integers("cats_int64s", ()), cast(ctx, node[0], INT64)
    if not categories:
        node.unsupported("categories that are not integers")
    if not node.integer("zeros", 1):
        node.unsupported("zeros=0: an unknown category cannot be refused")
    same = ctx.map("eq", x.insert(x.rank), ctx.constant(np.array(categories, np.int64)))
    return ctx.map("cast", same, dtype=F32)


def _linear(ctx: Context, node: Node, targets: int) -> Value:
    """x · coefficientsᵀ, then the intercepts added: (rows, targets)."""
    x = rows(ctx, node)
    weights = floats(node, "coefficients", (targets, x.shape[1]))
    if weights is None:
        node.absent("coefficients")
    scores = standard(ctx, "MatMul", x, ctx.constant(np.ascontiguousarray(weights.T)))
    bias = floats(node, "intercepts", (targets,))
    return scores if bias is None else ctx.map("add", scores, ctx.constant(bias))


@classic("LinearRegressor")
def linear_regressor(ctx: Context, node: Node) -> Value:
    """One score per row and target."""
    return post_transform(ctx, node, _linear(ctx, node, node.integer("targets", 1)))


@classic("LinearClassifier")
def linear_classifier(ctx: Context, node: Node) -> Result:
    """The label of the largest score, and the scores after `post_transform`."""
    classes = max(len(node.integers("classlabels_ints", ())), _texts(node, "classlabels_strings"))
    intercepts = floats(node, "intercepts")
    if classes < 2 or (intercepts is not None and intercepts.size != classes):
        node.unsupported(f"{classes} classes, but not as many intercepts", hint="Export one score per class.")
    scores = _linear(ctx, node, classes)
    found = labels(ctx, node, scores, "classlabels_ints") if node.wants(0) else scores
    return [found, post_transform(ctx, node, scores)]


def _texts(node: Node, name: str) -> int:
    found = node.attribute(name, AttributeProto.STRINGS)
    return 0 if found is None else len(found.strings)
