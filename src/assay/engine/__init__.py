"""Engines run programs, all with the same bits (docs/numerics.md): `clear` is the obvious one, `exact` the fast one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

import numpy as np

from ..errors import UsageError
from ..program.program import Program
from ..program.types import DType, Port

__all__ = ["Executable", "check_inputs"]

Array = np.ndarray[Any, np.dtype[Any]]


class Executable(Protocol):
    """A program made ready to run."""

    program: Program

    def run(self, inputs: Mapping[str, Array], donate: Collection[str] = ()) -> dict[str, Array]:
        """Run once. `inputs` and the result are keyed by port name; the result's arrays are fresh and C-contiguous.

        An engine may overwrite the arrays of the inputs named in `donate`, and return them as outputs.

        Raises UsageError if an input is missing, unknown, or has another dtype or shape than its port.
        """


def check_inputs(program: Program, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """`inputs` as C-contiguous arrays, one per input port and in the ports' order.

    Raises UsageError, with the port's name as evidence, if a name is missing or unknown or a dtype or shape differs.
    """
    ports = {port.name: port for port in program.inputs}
    unknown = sorted(set(inputs) - set(ports))
    if unknown:
        raise UsageError(f"the program has no input named {unknown[0]}", name=unknown[0], inputs=sorted(ports))
    return {name: _checked(port, inputs) for name, port in ports.items()}


def _checked(port: Port, inputs: Mapping[str, Array]) -> Array:
    if port.name not in inputs:
        raise UsageError(f"input {port.name} is missing", name=port.name)
    array = np.asarray(inputs[port.name])
    if array.dtype != port.dtype.numpy or array.shape != port.shape:
        raise UsageError(
            f"input {port.name} is {array.dtype}{list(array.shape)}, not {port.dtype.value}{list(port.shape)}",
            name=port.name,
            dtype=str(array.dtype),
            shape=array.shape,
            expected_dtype=port.dtype.value,
            expected_shape=port.shape,
        )
    if port.dtype is DType.BOOL:  # a byte other than 0 and 1 would be copied by one engine and compared by another
        array = np.ascontiguousarray(array).view(np.uint8) != 0
    return np.ascontiguousarray(array).reshape(port.shape)
