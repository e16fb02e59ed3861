"""PyTorch function -> flat, functional graph of ATen operators with static shapes.

Two passes over fake tensors. The first runs the user's Python once, autograd included, and records every operator with
the line that asked for it. The second removes mutation and decomposes operators to the core set.
torch.onnx.export is not used: its optimizer changes bits (it drops Adam's eps as if it were zero).
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import torch
import torch.fx.traceback as fx_traceback
from torch import Tensor, fx
from torch._decomp import core_aten_decompositions, get_decompositions
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.attention import SDPBackend, sdpa_kernel

from assay.errors import AssayError, CaptureError

from .source import Lines, line_of_error

__all__ = ["DATA_DEPENDENT", "gradients", "trace"]

aten = torch.ops.aten

DATA_DEPENDENT = "control flow or a shape depends on the values of tensors; a program has one static graph"

_WHOLE = (
    aten.embedding_dense_backward, aten.convolution_backward, aten.max_pool2d_with_indices_backward, aten.var_mean,
    aten.roll,
)  # fmt: skip
"""Operators with a translation of their own, whatever core ATen says."""

_APART = (
    aten._log_softmax, aten._log_softmax_backward_data, aten._softmax, aten._softmax_backward_data,
    aten._native_batch_norm_legit_functional, aten._native_batch_norm_legit_no_training, aten._native_batch_norm_legit,
    aten.native_batch_norm, aten.native_batch_norm_backward,
    aten.native_layer_norm, aten.native_layer_norm_backward, aten.native_group_norm, aten.native_group_norm_backward,
    aten.celu, aten.elu, aten.elu_backward, aten.gelu, aten.gelu_backward, aten.glu, aten.glu_backward,
    aten.hardsigmoid, aten.hardsigmoid_backward, aten.hardswish, aten.hardswish_backward, aten.hardtanh,
    aten.hardtanh_backward, aten.leaky_relu, aten.leaky_relu_backward, aten.log_sigmoid_forward,
    aten.log_sigmoid_backward, aten.mish, aten.mish_backward, aten.relu6, aten.selu, aten.silu, aten.silu_backward,
    aten.softplus, aten.softplus_backward, aten.sigmoid_backward, aten.tanh_backward, aten.threshold_backward,
    aten.addcdiv, aten.addcmul, aten.lerp, aten.logsumexp, aten.mse_loss, aten.mse_loss_backward, aten.huber_loss,
    aten.huber_loss_backward, aten.smooth_l1_loss, aten.smooth_l1_loss_backward, aten.nll_loss_forward,
    aten.nll_loss_backward, aten.nll_loss2d_forward, aten.nll_loss2d_backward, aten.binary_cross_entropy,
    aten.binary_cross_entropy_backward, aten.binary_cross_entropy_with_logits, aten.std_mean, aten.std,
    aten.tril, aten.triu, aten._safe_softmax, aten.linalg_vector_norm, aten.norm, aten.baddbmm,
)  # fmt: skip
"""Operators that are decomposed although core ATen keeps some of them."""


def trace(function: Callable[..., Sequence[Tensor]], arguments: Sequence[Tensor]) -> fx.GraphModule:
    """The graph of `function`, one placeholder per argument; each node's meta holds `val` and, mostly, `stack_trace`.

    Raises CaptureError for control flow or shapes that depend on data, and for whatever else cannot be traced.
    """
    with _quiet(), fx_traceback.preserve_node_meta():
        first = _guarded(lambda: _make_fx(_located(function), _OPENLY)(*arguments))
        first.graph.eliminate_dead_code()

        def again(*args: Tensor) -> Any:
            return fx.Interpreter(first).run(*args)

        functional = torch.func.functionalize(again, remove="mutations")
        return _guarded(lambda: _make_fx(functional, _decompositions())(*arguments))


def gradients(loss: Tensor, parameters: Sequence[Tensor]) -> list[Tensor | None]:
    """Gradients of the scalar `loss`; None for a parameter that it does not depend on. For use inside `trace`."""
    _mark_backward(loss)
    return list(torch.autograd.grad(loss, list(parameters), allow_unused=True))


def _located(function: Callable[..., Any]) -> Callable[..., Any]:
    def located(*args: Tensor) -> Any:
        with Lines():
            return function(*args)

    return located


def _make_fx(function: Callable[..., Any], table: dict[Any, Callable[..., Any]]) -> Callable[..., fx.GraphModule]:
    return make_fx(function, table, tracing_mode="fake", _allow_non_fake_inputs=True)


@cache
def _decompositions() -> dict[Any, Callable[..., Any]]:
    table = dict(core_aten_decompositions())
    table.update(get_decompositions(_APART))
    for packet in _WHOLE:
        for overload in packet.overloads():
            table.pop(getattr(packet, overload), None)
    return table


def _batch_norm(
    x: Tensor, weight: Any, bias: Any, mean: Any, var: Any, training: bool, momentum: float, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """aten.native_batch_norm updates the running statistics behind its schema's back; here it does so openly."""
    if not training:
        return aten._native_batch_norm_legit_no_training(x, weight, bias, mean, var, momentum, eps)
    if mean is None:
        return aten._native_batch_norm_legit.no_stats(x, weight, bias, True, momentum, eps)
    out, saved, rstd, new_mean, new_var = aten._native_batch_norm_legit_functional(
        x, weight, bias, mean, var, True, momentum, eps
    )
    mean.copy_(new_mean)
    var.copy_(new_var)
    return out, saved, rstd


_OPENLY = {aten.native_batch_norm.default: _batch_norm}


def _mark_backward(loss: Tensor) -> None:
    """Let the operators of the backward pass carry the line of the forward operator that they belong to."""
    seen, queue = set(), [loss.grad_fn]
    while queue:
        node = queue.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        queue.extend(following for following, _ in node.next_functions)
        stack = list(node.metadata.get("traceback_", []))  # kept by anomaly mode, from fx's current stack_trace
        node.register_prehook(lambda _, stack=stack: fx_traceback.set_stack_trace(stack))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Switch off fused kernels, which would hide operators, and remember where autograd nodes come from."""
    fast, anomaly = torch.backends.mha.get_fastpath_enabled(), torch.is_anomaly_enabled()
    nan = torch.is_anomaly_check_nan_enabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.backends.mha.set_fastpath_enabled(False)
        torch.autograd.set_detect_anomaly(True, check_nan=False)
        try:
            with sdpa_kernel([SDPBackend.MATH]), torch.backends.mkldnn.flags(enabled=False):
                yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
            torch.autograd.set_detect_anomaly(anomaly, check_nan=nan)


def _guarded(run: Callable[[], fx.GraphModule]) -> fx.GraphModule:
    try:
        return run()
    except AssayError:
        raise
    except Exception as error:
        line, kind = line_of_error(error.__traceback__), type(error).__name__
        where = f"{line}: " if line else ""
        dynamic = any(word in kind for word in ("DataDependent", "DynamicOutputShape", "GuardOnDataDependent"))
        what = DATA_DEPENDENT if dynamic else f"cannot be traced ({kind}: {_first_line(error)})"
        raise CaptureError(f"{where}{what}", line=line, reason=_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:300]
