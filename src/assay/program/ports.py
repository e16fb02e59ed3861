"""The inputs and outputs of a program: how they are named, and which types go together."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import ValueInfoProto

from assay.errors import ProgramRefused

from .limits import Limits
from .program import BATCH, METRIC, NEXT, RESULT, STATE
from .tensors import check_shape, dtype_of
from .types import DType, Port

__all__ = ["check_inputs", "check_outputs", "declared_output", "input_port"]

_LONGEST_NAME = 1024


def input_port(info: ValueInfoProto, limits: Limits) -> Port:
    """The port that a graph input declares. Refuses other things than tensors, and sizes that are not numbers."""
    what = f"the input {info.name!r}"
    kind = info.type.WhichOneof("value")
    if kind != "tensor_type":
        found = (kind or "value without a type").removesuffix("_type").replace("_", " ")
        raise ProgramRefused(f"{what} is not a tensor, but a {found}", input=info.name)
    tensor = info.type.tensor_type
    dtype = dtype_of(tensor.elem_type, what)
    if not tensor.HasField("shape"):
        raise ProgramRefused(f"{what} has no shape", hint="Export the model with static shapes.", input=info.name)
    for axis, dimension in enumerate(tensor.shape.dim):
        if dimension.WhichOneof("value") != "dim_value":
            raise ProgramRefused(
                f"{what} has a symbolic size {dimension.dim_param!r} on axis {axis}",
                hint="Export the model with static shapes; the batch size is part of a program.",
                input=info.name,
            )
    shape = tuple(d.dim_value for d in tensor.shape.dim)
    check_shape(what, dtype, shape, limits)
    return Port(info.name, dtype, shape)


def declared_output(info: ValueInfoProto, dtype: DType, shape: tuple[int, ...]) -> Port:
    """The port of an output that was lowered to `dtype` and `shape`. Refuses a declaration that says otherwise."""
    if info.type.WhichOneof("value") not in (None, "tensor_type"):
        raise ProgramRefused(f"the output {info.name!r} is not a tensor")
    tensor = info.type.tensor_type
    if tensor.elem_type and dtype_of(tensor.elem_type, f"the output {info.name!r}") is not dtype:
        raise ProgramRefused(f"the output {info.name!r} is {dtype}, but declared as something else")
    if tensor.HasField("shape"):
        declared = [d.dim_value if d.WhichOneof("value") == "dim_value" else None for d in tensor.shape.dim]
        if len(declared) != len(shape) or any(d not in (None, s) for d, s in zip(declared, shape, strict=True)):
            raise ProgramRefused(f"the output {info.name!r} has shape {shape}, but is declared as {declared}")
    return Port(info.name, dtype, shape)


def _check_elements(what: str, port: Port) -> None:
    if 0 in port.shape:
        raise ProgramRefused(f"the {what} {port.name!r} has no elements", shape=port.shape)


def _after(prefix: str, name: str) -> bool:
    return name.startswith(prefix) and len(prefix) < len(name) <= _LONGEST_NAME and name.isprintable()


def check_inputs(ports: Sequence[Port]) -> None:
    """`state/<tensor>`, `batch/<column>`, `step` (int64, shape ()) and `seed` (uint64, shape ())."""
    for port in ports:
        _check_elements("input", port)
        if port.name in ("step", "seed"):
            dtype = DType.INT64 if port.name == "step" else DType.UINT64
            if (port.dtype, port.shape) != (dtype, ()):
                raise ProgramRefused(f"the input {port.name!r} must be one {dtype}", dtype=port.dtype, shape=port.shape)
        elif not _after(STATE, port.name) and not _after(BATCH, port.name):
            raise ProgramRefused(
                f"the input {port.name!r} is not named state/…, batch/…, step or seed",
                hint="Inputs are named by what they are; see docs on programs.",
                input=port.name,
            )


def check_outputs(inputs: Sequence[Port], outputs: Sequence[Port]) -> None:
    """`next/<tensor>` of the type of `state/<tensor>`, all or none of them; `metric/<name>`; `result/<name>`."""
    states = {p.name[len(STATE) :]: p for p in inputs if p.name.startswith(STATE)}
    following = {p.name[len(NEXT) :]: p for p in outputs if p.name.startswith(NEXT)}
    for port in outputs:
        _check_elements("output", port)
        if not any(_after(prefix, port.name) for prefix in (NEXT, METRIC, RESULT)):
            raise ProgramRefused(
                f"the output {port.name!r} is not named next/…, metric/… or result/…", output=port.name
            )
    if not outputs:
        raise ProgramRefused("the program has no outputs")
    for name, port in following.items():
        state = states.get(name)
        if state is None:
            raise ProgramRefused(f"the output {port.name!r} has no input {STATE + name!r}", output=port.name)
        if (state.dtype, state.shape) != (port.dtype, port.shape):
            raise ProgramRefused(
                f"{port.name!r} is {port.dtype}{list(port.shape)}, "
                f"but {state.name!r} is {state.dtype}{list(state.shape)}",
                output=port.name,
            )
    lost = sorted(set(states) - set(following)) if following else []
    if lost:
        raise ProgramRefused(f"the state tensor {lost[0]!r} has no output {NEXT + lost[0]!r}", missing=lost[:16])
    for port in outputs:
        if port.name == METRIC + "loss" and (port.dtype, port.shape) != (DType.FLOAT32, ()):
            raise ProgramRefused("metric/loss must be one float32", dtype=port.dtype, shape=port.shape)
