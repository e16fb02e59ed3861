"""What compilation leaves: functions that fit several lengths are compiled once, and each length has its own bits."""

from __future__ import annotations

import numpy as np
import pytest

from assay.engine.clear import Interpreter
from assay.engine.exact import compile
from assay.engine.exact.compiled import build
from assay.engine.exact.native import machine
from assay.program.kernel import Axis, Const, Kernel, Read
from assay.program.program import Cost, Program
from assay.program.types import DType, Port

F32 = DType.FLOAT32
ONE = Const(F32, 0x3F800000)
VIEW = 900


def rows(*lengths: int) -> Program:
    """For each length, x + 1 · reversed x, and w times what has 900 elements, with ones beyond them."""
    inputs, outputs, kernels = [], [], []
    for n in lengths:
        x, whole = f"x{n}", Port(f"x{n}", F32, (n,))
        forth, back = Read(x, (n,), (Axis((1,)),)), Read(x, (n,), (Axis((-1,), offset=n - 1),))
        kernels.append(Kernel("fma", f"y{n}", F32, (n,), (n,), (forth, ONE, back)))
        part = Read("short", (VIEW,), (Axis((1,), offset=-5),), 0x3F800000)
        other = Read(f"w{n}", (n,), (Axis((1,)),))  # reading x again, it would run in the same loop
        kernels.append(Kernel("mul", f"z{n}", F32, (n,), (n,), (part, other)))
        inputs += [whole, Port(f"w{n}", F32, (n,))]
        outputs += [(Port(name, F32, (n,)), name) for name in (f"y{n}", f"z{n}")]
    inputs.append(Port("short", F32, (VIEW,)))
    return Program(b"", tuple(inputs), tuple(outputs), {}, tuple(kernels), Cost(0, 0, 0))


def given(program: Program) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {port.name: rng.normal(size=port.shape).astype(np.float32) for port in program.inputs}


@pytest.mark.parametrize("threads", [1, 2])
def test_rows_have_the_bits_of_the_clear_interpreter_at_every_length(threads: int) -> None:
    program = rows(1, 63, 64, 65, 66, 127, 128, 129, 192, 193, 1000, 1000 + 64, 1000 + 6400, 40_000, 40_003)
    inputs = given(program)
    found, expected = compile(program, threads=threads).run(inputs), Interpreter(program).run(inputs)
    assert [name for name in expected if found[name].tobytes() != expected[name].tobytes()] == []


def test_one_function_runs_rows_that_leave_the_same_rest() -> None:
    made = [build(rows(*lengths), machine()).forms for lengths in ((1000,), (1000, 1064, 7400), (1000, 1001))]
    assert made == [2, 4, 4]  # what reads from its end on starts elsewhere at every length
