"""A second architecture: the engine's code for 64-bit Arm, run by an emulator, has the same bits.

Needs Debian's packages qemu-user and binutils-aarch64-linux-gnu; .ci/run installs them.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from random import Random
from unittest import mock

import numpy as np
import pytest

from assay.engine.clear import Interpreter
from assay.engine.exact import runner
from assay.errors import AssayError, UsageError
from assay.program.kernel import Const, Order
from assay.program.program import Program
from assay.program.scalar import OPS
from assay.program.types import DType

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).parent))

from foreign import ASSEMBLER, EMULATOR, LINKER, Emulated
from random_programs import draw
from test_exact_kernels import FOLDS, Maker, convolution, folded, pointwise, product, scattered
from test_exact_programs import each, program
from test_exact_programs import pointwise as kernel

MISSING = [name for name in (ASSEMBLER, LINKER, EMULATOR) if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"{', '.join(MISSING)} not installed: nothing was run on a second architecture"
)

FLUSH, FLUSH_HALF, TOWARD_ZERO, DEFAULT_NAN, OTHER_HALF = 1 << 24, 1 << 19, 3 << 22, 1 << 25, 1 << 26


def differing(program: Program, inputs: dict[str, np.ndarray], **options: int) -> list[str]:
    """Outputs whose bits are not those of the clear interpreter."""
    given = {port.name: inputs[port.name] for port in program.inputs}
    wanted, found = Interpreter(program).run(given), Emulated(program, **options).run(given)
    assert found.keys() == wanted.keys()
    return [n for n, a in wanted.items() if (a.tobytes(), a.shape) != (found[n].tobytes(), found[n].shape)]


@pytest.mark.parametrize("seed", range(12))
def test_random_programs(seed: int) -> None:
    graph = draw(Random(seed))
    assert differing(graph.program(), graph.inputs, threads=1 + seed % 4, shared_from=64) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1300))
def test_many_random_programs(seed: int) -> None:
    graph = draw(Random(seed))
    assert differing(graph.program(), graph.inputs, threads=1 + seed % 8, shared_from=1) == []


def test_every_scalar_operation() -> None:
    make = Maker(Random(5))
    for op in sorted(OPS):
        pointwise(make, op)
        pointwise(make, op)
    assert differing(make.program(), make.inputs) == []


@pytest.mark.parametrize("seed", range(3))
def test_folds_scatters_and_products(seed: int) -> None:
    make = Maker(Random(seed))
    for _ in range(4):
        folded(make, make.random.choice(FOLDS), Order.CHAIN)
        folded(make, make.random.choice(FOLDS[:-2]), Order.LANES)
        scattered(make)
    product(make)
    convolution(make)
    assert differing(make.program(), make.inputs, threads=1 + seed, shared_from=64) == []


def sums(count: int) -> Program:
    third = Const(DType.FLOAT32, 0x3EAAAAAB)
    kernels = [
        kernel("mul", "m", (count,), each("x", count), third),
        kernel("add", "y", (count,), each("m", count), each("x", count)),
    ]
    return program({"x": (count,)}, kernels, {"y": "y"})


ODD = np.array([1e-40, 1.0, 3.0, -1e-42, 1e-20, 16777216.0, 7.0, 0.1], np.float32)


@pytest.mark.parametrize("mode", [FLUSH, TOWARD_ZERO, DEFAULT_NAN, FLUSH | TOWARD_ZERO | DEFAULT_NAN], ids=hex)
def test_the_callers_control_word_does_not_matter_and_is_put_back(mode: int) -> None:
    engine = Emulated(sums(8), mode=mode)
    assert engine.run({"x": ODD})["y"].tobytes() == Interpreter(sums(8)).run({"x": ODD})["y"].tobytes()
    assert engine.mode_after == mode


@pytest.mark.parametrize("mode", [FLUSH, TOWARD_ZERO], ids=hex)
def test_without_the_guard_it_would_matter(mode: int) -> None:
    """So the emulator does what the control word says, and the test above sees it."""
    with mock.patch.object(runner, "_environment", return_value=lambda: None):
        engine = Emulated(sums(8), mode=mode)
    assert engine.run({"x": ODD})["y"].tobytes() != Interpreter(sums(8)).run({"x": ODD})["y"].tobytes()


def test_helpers_have_the_control_word_of_exact_1_too() -> None:
    """Threads of a careless process: each share sets its own."""
    x = np.resize(ODD, 40_000)
    engine = Emulated(sums(40_000), threads=4, mode=FLUSH | TOWARD_ZERO)
    assert engine.run({"x": x})["y"].tobytes() == Interpreter(sums(40_000)).run({"x": x})["y"].tobytes()


def test_half_precision_is_stored_as_ieee_says_whatever_the_mode() -> None:
    """FPCR can flush halves of their own, and has another format for them."""
    make = Maker(Random(2))
    for _ in range(4):
        make.add("cast", DType.FLOAT16, (65,), [make.window(DType.FLOAT32, (65,), (), [0])])
        make.add("cast", DType.FLOAT32, (65,), [make.window(DType.FLOAT16, (65,), (), [0])])
        make.add("cast", DType.BFLOAT16, (65,), [make.window(DType.FLOAT32, (65,), (), [0])])
    assert differing(make.program(), make.inputs, mode=FLUSH_HALF | OTHER_HALF) == []


def test_inputs_are_checked_and_a_failing_tool_is_an_error() -> None:
    engine = Emulated(sums(8))
    with pytest.raises(UsageError):
        engine.run({})
    engine._executable = engine._executable[:100]
    with pytest.raises(AssayError, match=EMULATOR):
        engine.run({"x": ODD})
