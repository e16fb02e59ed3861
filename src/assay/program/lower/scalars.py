"""Do the operands of a kernel suit its scalar operation? Checked for every kernel, whichever lowering made it."""

from __future__ import annotations

from collections.abc import Mapping

from assay.errors import ProgramRefused, UnsupportedOperator

from ..kernel import Const, Coordinate, Kernel, Operand
from ..scalar import OPS
from ..types import DType

__all__ = ["check_scalars"]


def check_scalars(kernel: Kernel, types: Mapping[str, DType]) -> None:
    """Operands are all floats, or all of one integer type, or all bool; a selector is bool; the result fits.

    `types` are the element types of all tensors so far. Raises ProgramRefused for a mixture, UnsupportedOperator for
    a type that the operation does not take.
    """
    used = {axis.indirect for x in kernel.operands if not isinstance(x, Const | Coordinate) for axis in x.axes}
    used |= {axis.indirect for axis in kernel.scatter.axes} if kernel.scatter else set()
    taken = [_type(x, types) for n, x in enumerate(kernel.operands) if n not in used]
    if kernel.fold or (kernel.scatter and kernel.op != "copy"):
        taken.append(kernel.dtype)
    op = OPS[kernel.op]
    if op.arity >= 0:
        assert len(taken) == op.arity, kernel
    if kernel.op == "select" and taken.pop(0) is not DType.BOOL:
        raise ProgramRefused("a choice by a value that is not bool")
    kinds = {_kind(dtype) for dtype in taken}
    if len(kinds) != 1:
        raise ProgramRefused(f"{kernel.op} of mixed element types {sorted(taken)}")
    dtype = taken[0]
    if ("f" if dtype.is_float else "i" if dtype.is_integer else "b") not in op.domain:
        raise UnsupportedOperator(f"{kernel.op} does not take {dtype}", scalar_op=kernel.op, element_type=dtype.value)
    expected = {"same": kinds, "bool": {"bool"}}.get(op.result, {_kind(kernel.dtype)})
    assert _kind(kernel.dtype) in expected, kernel


def _kind(dtype: DType) -> str:
    return "float" if dtype.is_float else dtype.value


def _type(operand: Operand, types: Mapping[str, DType]) -> DType:
    if isinstance(operand, Const):
        return operand.dtype
    return DType.INT64 if isinstance(operand, Coordinate) else types[operand.tensor]
