"""A model's forward pass as a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from assay.errors import CaptureError
from assay.program.program import BATCH, RESULT, STATE, Program

from . import loss as losses
from .parts import check_constants, columns, mode, split
from .precision import FLOAT32, precision_of
from .trace import trace
from .training import MODEL
from .translate import translate

__all__ = ["inference", "inference_onnx"]


def inference(module: nn.Module, example_inputs: Any, *, precision: str = FLOAT32) -> Program:
    """Capture the forward pass of `module` in evaluation mode.

    `example_inputs` is a tensor (the column x), a tuple of tensors (x, or x0, x1, ... if there are several), or a dict
    of columns as in `training_step`, of which those that do not start with x are ignored. Inputs of the program are
    `state/model.<name>` and `batch/<column>`; the output is `result/output`, or `result/output0`, ... for a tuple. Of a
    mapping, such as the outputs of `transformers`, every tensor is `result/<key>`; what is no tensor is left out.

    `precision` is that of the training whose state it reads; results are float32 in either.

    Raises CaptureError that names the operator and the line of the model.
    """
    from assay.program import load

    return load(inference_onnx(module, example_inputs, precision=precision))


def inference_onnx(module: nn.Module, example_inputs: Any, *, precision: str = FLOAT32) -> bytes:
    """The ONNX model of `inference`."""
    parts, batch = split(module), columns(_named(example_inputs))
    kind = precision_of(precision)
    state = dict(sorted((kind.stored(parts.parameters) | parts.buffers).items()))
    names: list[str] = []

    def forward(*flat: Tensor) -> list[Tensor]:
        given = dict(zip([*state, *batch, *parts.constants], flat, strict=True))
        args, keywords = losses.positional({name: given[name] for name in batch})
        tensors = {name: given[name] for name in [*state, *parts.constants]}
        with torch.no_grad(), kind.forward():
            found = functional_call(module, tensors, tuple(args), keywords, tie_weights=True)
        outputs = _outputs(kind.widened(found))
        names[:] = [RESULT + name for name in outputs]
        return [*outputs.values(), *(tensors[name] for name in parts.constants)]

    examples = [*state.values(), *batch.values(), *parts.constants.values()]
    with mode(module, training=False):
        graph = trace(forward, [tensor.detach() for tensor in examples])
    check_constants(graph, len(names), list(parts.constants))
    sources = [*(STATE + MODEL + name for name in state), *(BATCH + name for name in batch), *parts.constants.values()]
    return translate(graph, sources, names, name="inference")


def _named(example: Any) -> dict[str, Any]:
    if isinstance(example, dict):
        return {name: column for name, column in example.items() if name.startswith("x")}
    if isinstance(example, (tuple, list)):
        return {"x": example[0]} if len(example) == 1 else {f"x{i}": column for i, column in enumerate(example)}
    return {"x": example}


def _outputs(found: Any) -> dict[str, Tensor]:
    if isinstance(found, Mapping):
        named = {str(key): tensor for key, tensor in found.items() if isinstance(tensor, Tensor)}
    else:
        outputs = list(found) if isinstance(found, (tuple, list)) else [found]
        named = {f"output{i}" if len(outputs) > 1 else "output": tensor for i, tensor in enumerate(outputs)}
    if not named or not all(isinstance(tensor, Tensor) for tensor in named.values()):
        raise CaptureError(
            "the model's output is not a tensor, or a tuple or mapping of tensors", hint="Return tensors."
        )
    return named
