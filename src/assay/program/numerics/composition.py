"""Element-wise ONNX operators as expressions of scalar operations, read off the kernels that they are lowered to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import onnx
from onnx import helper

from assay.errors import RefusedError

from ..kernel import Const, Kernel, Operand, Read
from ..limits import Limits
from ..lower import LOWERINGS, Context, Scope, lower_nodes
from ..lower.schema import schema_of
from ..scalar import OPS
from ..types import DType, Port
from .operators import versions_of
from .table import table

__all__ = ["composition_table", "compositions_of"]

_SHAPE = (4, 3)
_NAMES = "xyz"
_PREFIXES = {DType.FLOAT32: "f", DType.INT32: "i"}


def composition_table() -> str:
    """Every operator that is element-wise on inputs of one type, with its attributes at their defaults.

    A float operator has a second row where float16 is another expression.
    """
    rows = []
    for op in sorted(LOWERINGS):
        for types, text in compositions_of(op):
            names = ", ".join(_NAMES[: len(types)])
            rows.append((f"{op}({names})", ", ".join(dict.fromkeys(t.value for t in types)), text))
    return table(("operator", "type", "is"), rows)


def compositions_of(op: str) -> list[tuple[tuple[DType, ...], str]]:
    """(types of the inputs, the operator as an expression of x, y, z); empty where it is not element-wise."""
    versions = versions_of(op)
    if not versions:
        return []
    schema = schema_of(op, versions[-1])
    variadic = any(i.option == onnx.defs.OpSchema.FormalParameterOption.Variadic for i in schema.inputs)
    count = max(int(schema.min_input), 2 if variadic else 0)
    if not 1 <= count <= len(_NAMES):
        return []
    f32, f16, i32, flag = DType.FLOAT32, DType.FLOAT16, DType.INT32, DType.BOOL
    for types in ((f32,) * count, (i32,) * count, (flag,) * count, (flag, *(f32,) * (count - 1))):
        text = _expression(op, versions[-1], types)
        if text is None:
            continue
        halves = tuple(f16 if t is f32 else t for t in types)
        half = _expression(op, versions[-1], halves) if halves != types else None
        return [(types, text)] if half in (None, text) else [(types, text), (halves, str(half))]
    return []


def _expression(op: str, version: int, types: tuple[DType, ...]) -> str | None:
    """The operator on inputs of these types; None where it does not take them or is not element-wise."""
    context = Context(Limits())
    scope = Scope(context, {}, {"": version})
    for name, dtype in zip(_NAMES, types, strict=False):
        scope.define(name, context.input(Port(name, dtype, _SHAPE)))
    try:
        lower_nodes(scope, [helper.make_node(op, list(_NAMES[: len(types)]), ["result"])])
    except RefusedError:
        return None
    result, kernels = scope.values["result"], {k.output: k for k in context.kernels}
    whole = result.is_whole and result.shape == _SHAPE and result.tensor in kernels
    if not whole or not all(map(_elementwise, kernels.values())):
        return None
    return _render(result.tensor, kernels, {f"={n}": t for n, t in zip(_NAMES, types, strict=False)})


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


def _render(result: str, kernels: dict[str, Kernel], types: dict[str, DType]) -> str:
    """`t1 = ...; t2 = ...; the result`: a kernel that is read more than once has a name, any other stands in place.

    `types` are those of the inputs.
    """
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
        types[kernel.output] = kernel.dtype
        if kernel.output not in needed:
            continue
        text = f"{_operation(kernel, types)}({', '.join(map(operand, kernel.operands))})"
        if readers[kernel.output] > 1:
            parts.append(f"t{len(parts) + 1} = {text}")
            text = f"t{len(parts)}"
        texts[kernel.output] = text
    return "; ".join(f"`{part}`" for part in [*parts, texts[result]])


def _operation(kernel: Kernel, types: Mapping[str, DType]) -> str:
    """The operation's name; with the result's type where that is not the one of the first operand that tells it."""
    expected: DType | None = DType.BOOL if OPS[kernel.op].result == "bool" else None
    if OPS[kernel.op].result == "same":
        operands = kernel.operands[1:] if kernel.op == "select" else kernel.operands
        expected = next((types[x.tensor] for x in operands if isinstance(x, Read)), None)
    return kernel.op if kernel.dtype is expected else f"{kernel.op}[{kernel.dtype.value}]"
