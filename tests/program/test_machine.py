"""The register code of the named functions, executed by nothing but scalar operations."""

from __future__ import annotations

import numpy as np
import pytest

from assay.engine.clear_float import store
from assay.engine.clear_ops import apply
from assay.program.functions import FUNCTIONS
from assay.program.functions.machine import assemble
from assay.program.types import DType

CODE = assemble()
NUMPY = {DType.FLOAT32: np.float32, DType.INT32: np.int32}


def seen(slot: np.ndarray, kind: DType) -> np.ndarray:
    """The bits in a slot as what an instruction takes."""
    return slot != 0 if kind is DType.BOOL else slot.view(NUMPY[kind])


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_code_gives_the_functions_bits(name: str) -> None:
    rng = np.random.default_rng(3)
    n, arity = 5000, 2 if name == "pow" else 1
    ordinary = [rng.normal(0, 3, n).astype(np.float32).view(np.uint32) for _ in range(arity)]
    arguments = [np.concatenate([x, rng.integers(0, 1 << 32, n, dtype=np.uint32)]) for x in ordinary]
    slots = [np.full(2 * n, c, np.uint32) for c in CODE.constants] + arguments
    slots += [np.full(2 * n, 0xDEADBEEF, np.uint32)] * (CODE.registers - arity)  # nothing is read before it is written
    with np.errstate(all="ignore"):
        for op, kind, out, target, operands in CODE.functions[name]:
            kinds = [DType.BOOL if op == "select" and k == 0 else kind for k in range(len(operands))]
            y = apply(op, [seen(slots[s], k) for s, k in zip(operands, kinds, strict=True)], out)
            slots[target] = y.astype(np.uint32) if y.dtype == bool else y.view(np.uint32)
        right = apply(name, [x.view(np.float32) for x in arguments], DType.FLOAT32)
        found = store(slots[CODE.functions[name][-1].target].view(np.float32), DType.FLOAT32)
        assert (found.view(np.uint32) == store(right, DType.FLOAT32).view(np.uint32)).all()


def test_slots_have_numbers_of_one_byte() -> None:
    assert len(CODE.constants) + CODE.registers <= 256
    assert len(set(CODE.constants)) == len(CODE.constants)
    assert all(0 <= c < 1 << 32 for c in CODE.constants)


def test_constants_are_never_overwritten() -> None:
    targets = {i.target for code in CODE.functions.values() for i in code}
    assert min(targets) >= len(CODE.constants)
    assert max(targets) == len(CODE.constants) + CODE.registers - 1
