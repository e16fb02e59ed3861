"""Element-wise ONNX operators as expressions of scalar operations, read off the kernels that they are lowered to."""

from __future__ import annotations

from collections import Counter

import onnx
from onnx import NodeProto, helper

from assay.errors import RefusedError

from ..kernel import Const, Kernel, Operand, Read
from ..limits import Limits
from ..lower import BODIES, LOWERINGS, Context, Scope, lower_nodes
from ..scalar import OPS
from ..types import DType, Port
from .operators import versions_of
from .table import table

__all__ = ["composition_of", "composition_table"]

_SHAPE = (4, 3)
_NAMES = "xyz"
_PREFIXES = {DType.FLOAT32: "f", DType.INT32: "i"}


def composition_table() -> str:
    """Every operator that is element-wise on inputs of one type, with its attributes at their defaults."""
    rows = []
    for op in sorted({*LOWERINGS, *BODIES}):
        found = composition_of(op)
        if found is not None:
            rows.append((f"{op}({', '.join(found[1])})", ", ".join(dict.fromkeys(d.value for d in found[0])), found[2]))
    return table(("operator", "type", "is"), rows)


def composition_of(op: str) -> tuple[tuple[DType, ...], tuple[str, ...], str] | None:
    """(types of the inputs, their names, the operator as an expression); None where it is not element-wise."""
    versions = versions_of(op)
    if not versions:
        return None
    schema = onnx.defs.get_schema(op, versions[-1], "")
    variadic = any(i.option == onnx.defs.OpSchema.FormalParameterOption.Variadic for i in schema.inputs)
    count = max(int(schema.min_input), 2 if variadic else 0)
    if not 1 <= count <= len(_NAMES):
        return None
    f32, i32, flag = DType.FLOAT32, DType.INT32, DType.BOOL
    for types in ((f32,) * count, (i32,) * count, (flag,) * count, (flag, *(f32,) * (count - 1))):
        try:
            text = _expression(helper.make_node(op, list(_NAMES[:count]), ["result"]), versions[-1], types)
        except RefusedError:
            continue
        if text is not None:
            return types, tuple(_NAMES[:count]), text
    return None


def _expression(node: NodeProto, version: int, types: tuple[DType, ...]) -> str | None:
    context = Context(Limits())
    scope = Scope(context, {}, {"": version})
    for name, dtype in zip(_NAMES, types, strict=False):
        scope.define(name, context.input(Port(name, dtype, _SHAPE)))
    lower_nodes(scope, [node])
    result, kernels = scope.values["result"], {k.output: k for k in context.kernels}
    whole = result.is_whole and result.shape == _SHAPE and result.tensor in kernels
    return _render(result.tensor, kernels) if whole and all(map(_elementwise, kernels.values())) else None


def _elementwise(kernel: Kernel) -> bool:
    """Whether each element comes from the elements at its own position."""
    identity = tuple(tuple(int(a == d) for d in range(len(kernel.domain))) for a in range(len(kernel.domain)))
    if kernel.fold or kernel.scatter:
        return False
    for operand in kernel.operands:
        if isinstance(operand, Const):
            continue
        if not isinstance(operand, Read) or operand.view != kernel.domain:
            return False
        plain = all(a.offset == 0 and a.divisor == 1 and a.indirect < 0 for a in operand.axes)
        if not plain or tuple(a.strides for a in operand.axes) != identity:
            return False
    return True


def _render(result: str, kernels: dict[str, Kernel]) -> str:
    """`t1 = ...; t2 = ...; the result`: a kernel that is read more than once has a name, any other stands in place."""
    needed = {result}
    for kernel in reversed(kernels.values()):
        if kernel.output in needed:
            needed.update(kernel.reads)
    readers = Counter(name for k in kernels.values() if k.output in needed for name in k.reads)
    texts: dict[str, str] = {}
    parts: list[str] = []

    def operand(x: Operand) -> str:
        if isinstance(x, Const):
            return f"{_PREFIXES.get(x.dtype, x.dtype.value)}:{x.bits:0{x.dtype.itemsize * 2}x}"
        assert isinstance(x, Read)
        return texts.get(x.tensor, x.tensor.removeprefix("="))

    for kernel in kernels.values():
        if kernel.output not in needed:
            continue
        op = kernel.op if OPS[kernel.op].result != "output" else f"{kernel.op}[{kernel.dtype.value}]"
        text = f"{op}({', '.join(map(operand, kernel.operands))})"
        if readers[kernel.output] > 1:
            parts.append(f"t{len(parts) + 1} = {text}")
            text = f"t{len(parts)}"
        texts[kernel.output] = text
    return "; ".join(f"`{part}`" for part in [*parts, texts[result]])
