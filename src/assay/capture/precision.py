"""In which type a program stores weights and activations: float32, or bfloat16 with everything computed in float32.

Under bfloat16 the parameters of the state are bfloat16, and so is what a layer hands to the next, forward and backward.
Which operator takes which type follows torch.autocast(bfloat16): matrix products and convolutions take bfloat16 operands
(accumulated in float32), losses take float32, everything else what it is given. Every ATen operator computes in float32 and
rounds its result once. Small updates would be lost in bfloat16's 8 bits, so each trained parameter has a float32 master copy
among the optimizer's tensors (Micikevicius et al., "Mixed precision training", ICLR 2018), which the step updates and
rounds to the parameter.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import ml_dtypes
import numpy as np
import torch
from torch import Tensor, fx

from assay.errors import CaptureError
from assay.program.types import DType

from .graph import Value
from .operators import Call

__all__ = ["BFLOAT16", "FLOAT32", "MASTER", "Precision", "in_float32", "precision_of", "to_numpy"]

FLOAT32, BFLOAT16 = "float32", "bfloat16"
MASTER = "master"
"""The optimizer's float32 copy of a bfloat16 parameter."""

Translation = Callable[..., Any]


class Precision:
    """What capture does differently under a precision."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.narrow = name == BFLOAT16

    def stored(self, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The parameters as the state holds them."""
        return {n: p.detach().to(torch.bfloat16) if self.narrow else p for n, p in parameters.items()}

    def masters(self, parameters: Mapping[str, Tensor], trained: Sequence[str]) -> dict[str, Tensor]:
        """The float32 copies that the optimizer keeps, named as its moments are: their values are the module's."""
        return {f"{MASTER}.{name}": parameters[name] for name in trained} if self.narrow else {}

    @contextlib.contextmanager
    def forward(self) -> Iterator[None]:
        """Within it, the operators of a forward pass take the types of this precision."""
        if not self.narrow:
            yield
            return
        reduced = torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
        torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)  # else attention's products would be float32
        try:
            with torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=False):
                yield
        finally:
            torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(reduced)

    def widened(self, outputs: Any) -> Any:
        """The model's outputs with every bfloat16 tensor as float32: what a loss and a result are made of."""
        if not self.narrow:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs.float() if outputs.dtype == torch.bfloat16 else outputs
        if is_dataclass(outputs) and not isinstance(outputs, type):
            return replace(outputs, **{f.name: self.widened(getattr(outputs, f.name)) for f in fields(outputs)})
        if isinstance(outputs, Mapping):
            return {name: self.widened(value) for name, value in outputs.items()}
        return type(outputs)(map(self.widened, outputs)) if type(outputs) in (tuple, list) else outputs


def precision_of(name: str) -> Precision:
    """The precision called `name`. Raises CaptureError for a name that is none."""
    if name not in (FLOAT32, BFLOAT16):
        raise CaptureError(f"precision {name!r} is not covered", hint=f"Use {FLOAT32!r} or {BFLOAT16!r}.")
    return Precision(name)


def to_numpy(tensor: Tensor) -> np.ndarray[Any, Any]:
    """A copy of `tensor`, row-major; bfloat16 as ml_dtypes.bfloat16."""
    tensor = tensor.detach().cpu().contiguous()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().copy().view(ml_dtypes.bfloat16)
    return tensor.numpy().copy()


# the translation of operators on bfloat16

_MOVES = frozenset(
    (
        "alias", "amax", "amin", "arange", "as_strided", "cat", "clone", "constant_pad_nd", "contiguous", "copy",
        "detach", "embedding", "empty", "empty_like", "expand", "fill", "flip", "full", "full_like", "gather", "index",
        "index_select", "lift_fresh", "lift_fresh_copy", "masked_fill", "max", "min", "new_empty", "new_full",
        "new_ones", "new_zeros", "ones", "ones_like", "permute", "repeat", "reshape", "reshape_alias", "roll",
        "scalar_tensor", "scatter", "select", "select_backward", "select_scatter", "slice", "slice_backward",
        "slice_scatter", "split", "split_with_sizes", "squeeze", "stack", "t", "transpose", "tril", "triu", "unbind",
        "unsafe_index", "unsafe_view", "unsqueeze", "view", "view_copy", "where", "zeros", "zeros_like", "to_copy",
        "convert_element_type", "clamp", "clamp_max", "clamp_min", "maximum", "minimum", "neg", "abs", "relu", "sign",
        "eq", "ge", "gt", "le", "lt", "ne",
    )
)  # fmt: skip
"""Operators that move, choose or compare elements: nothing is rounded."""

_PRODUCTS = frozenset(
    (
        "addmm", "baddbmm", "bmm", "convolution", "convolution_backward", "dot", "mm", "mv", "vdot",
    )
)  # fmt: skip
"""Folds of products of bfloat16 numbers in float32, rounded once; a bias is added to the rounded product."""

_SINGLE = frozenset(
    (
        "add", "div", "erf", "exp", "log", "mul", "reciprocal", "sigmoid", "sqrt", "sub", "sum", "tanh",
    )
)  # fmt: skip
"""One scalar operation or one fold, unless a number beside it is none of bfloat16."""


def in_float32(function: Translation, call: Call, args: Any, kwargs: Any) -> Any:
    """`function` applied to float32 operands, its bfloat16 results rounded; as it stands where that is the same."""
    values = [v for v in _leaves((args, kwargs)) if isinstance(v, Value)]
    if not any(v.dtype is DType.BFLOAT16 for v in values) and call.declared is not DType.BFLOAT16:
        return function(call, *args, **kwargs)
    if _rounds_once(call.node):
        return function(call, *args, **kwargs)
    wide = replace(call, wide=True)
    args, kwargs = fx.node.map_aggregate((args, kwargs), lambda v: _widen(call, v))
    found = function(wide, *args, **kwargs)
    expected = call.node.meta["val"]
    if isinstance(found, Value):
        return _round(call, found, expected)
    return [_round(call, value, fake) for value, fake in zip(found, expected, strict=True)]


def _leaves(tree: Any) -> list[Any]:
    if isinstance(tree, Mapping):
        tree = list(tree.values())
    return [leaf for part in tree for leaf in _leaves(part)] if isinstance(tree, (tuple, list)) else [tree]


def _rounds_once(node: fx.Node) -> bool:
    _, name, overload = str(node.target).split(".")
    name = name.lstrip("_")
    numbers = [n for n in node.args if isinstance(n, (int, float))]
    plain = not overload.endswith("_mode") and node.kwargs.get("alpha", 1) == 1 and all(map(_fits, numbers))
    return name in _MOVES or name in _PRODUCTS or (name in _SINGLE and plain)


def _fits(number: float) -> bool:
    """Whether `number`, rounded to float32, is a bfloat16."""
    single = np.float32(number)
    return bool(np.isnan(single) or np.float32(ml_dtypes.bfloat16(single)) == single)


def _widen(call: Call, value: Any) -> Any:
    narrow = isinstance(value, Value) and value.dtype is DType.BFLOAT16
    return call.graph.cast(value, DType.FLOAT32) if narrow else value


def _round(call: Call, value: Value | None, fake: Any) -> Value | None:
    if value is None or fake is None or fake.dtype != torch.bfloat16 or value.dtype is DType.BFLOAT16:
        return value
    return call.graph.cast(value, DType.BFLOAT16)
