"""Casts between float types that are no kernels: widening is what every read does, and rounding what every write does.

A kernel that reads the float32 copy of a bfloat16 or float16 tensor reads the tensor itself, and one whose float32 result is
only ever rounded to such a type writes that type. Both give the bits that they gave before: an operation on floats computes
in binary32 whatever its operands are stored as, and its result is rounded once when it is stored (docs/numerics.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import ml_dtypes
import msgspec
import numpy as np

from .kernel import Axis, Kernel, Operand, Read
from .types import DType

__all__ = ["without_float_casts"]

_NARROW = (DType.BFLOAT16, DType.FLOAT16)
_CONVERSIONS = ("cast", "bitcast")
"""Operations whose result depends on the element type that is written, or read."""


def without_float_casts(kernels: Sequence[Kernel], types: Mapping[str, DType], outputs: set[str]) -> list[Kernel]:
    """The kernels with such casts passed by; those that nothing reads any more are still among them.

    `types` has the element types of inputs and constants, `outputs` the tensors that have to stay as they are.
    """
    types = {**types, **{kernel.output: kernel.dtype for kernel in kernels}}
    sources = {k.output: s for k in kernels if k.dtype is DType.FLOAT32 and (s := _source(k)) and types[s] in _NARROW}
    narrowed = _narrowed(kernels, types, outputs)
    return [_widening(kernel, sources, types) for kernel in narrowed]


def _source(kernel: Kernel) -> str | None:
    """The tensor that a cast copies element for element."""
    if kernel.op != "cast" or kernel.scatter or kernel.fold or not isinstance(kernel.operands[0], Read):
        return None
    read, rank = kernel.operands[0], len(kernel.domain)
    axes = tuple(Axis(tuple(int(a == b) for b in range(rank))) for a in range(rank))
    return read.tensor if read.view == kernel.domain and read.axes == axes else None


def _narrowed(kernels: Sequence[Kernel], types: Mapping[str, DType], outputs: set[str]) -> list[Kernel]:
    """Where a cast to a narrow type is all that reads a float32 result, its kernel writes the narrow type."""
    uses = Counter(name for kernel in kernels for name in kernel.reads)
    makers = {kernel.output: kernel for kernel in kernels}
    replaced: dict[str, Kernel | None] = {}
    for cast in kernels:
        source = _source(cast) if cast.dtype in _NARROW else None
        maker = makers.get(source) if source else None
        if maker is None or source in outputs or uses[maker.output] != 1 or types[maker.output] is not DType.FLOAT32:
            continue
        if maker.scatter is None and maker.op not in _CONVERSIONS:
            replaced[maker.output] = msgspec.structs.replace(
                maker, output=cast.output, dtype=cast.dtype, shape=cast.shape
            )
            replaced[cast.output] = None
    found = (replaced.get(kernel.output, kernel) for kernel in kernels)
    return [kernel for kernel in found if kernel is not None]


def _widening(kernel: Kernel, sources: Mapping[str, str], types: Mapping[str, DType]) -> Kernel:
    """The kernel with narrow tensors read in place of their float32 copies."""
    if kernel.op == "bitcast":
        return kernel

    def direct(operand: Operand) -> Operand:
        if not isinstance(operand, Read) or operand.tensor not in sources:
            return operand
        source = sources[operand.tensor]
        outside = _narrow(operand.outside, types[source])
        if operand.outside is not None and outside is None:
            return operand
        return msgspec.structs.replace(operand, tensor=source, outside=outside)

    return msgspec.structs.replace(kernel, operands=tuple(map(direct, kernel.operands)))


def _narrow(bits: int | None, dtype: DType) -> int | None:
    """The bits in `dtype` of the number that binary32 has as `bits`; None where `dtype` does not have it."""
    if bits is None:
        return None
    single = np.array(bits, np.uint32).view(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = single.astype(ml_dtypes.bfloat16 if dtype is DType.BFLOAT16 else np.float16)
        same = int(narrow.astype(np.float32).view(np.uint32)) == bits
    return int(narrow.view(np.uint16)) if same else None
