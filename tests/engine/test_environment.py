"""The floating-point environment that a process happens to have: the fast engine sets its own, the clear one refuses."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable, Iterator
from unittest import mock

import numpy as np
import pytest

from assay.engine.clear import Interpreter
from assay.engine.exact import compile, native
from assay.engine.exact.native import LEVELS, Library, assemble, machine
from assay.errors import AssayError, ConfigError
from assay.program.kernel import Axis, Const, Kernel, Read
from assay.program.program import Cost, Program
from assay.program.types import DType, Port

F32 = DType.FLOAT32
SIZE = 40_000
"""Elements: enough for several threads to share them."""
USUAL = 0x1F80
MODES = {"flush": 0x8000, "denormals are zero": 0x0040, "down": 0x2000, "up": 0x4000, "toward zero": 0x6000}


def sums() -> Program:
    """y = x·third + x in two roundings, and its float16."""
    x = Read("batch/x", (SIZE,), (Axis((1,)),))
    m, y = (Read(name, (SIZE,), (Axis((1,)),)) for name in ("m", "y"))
    kernels = (
        Kernel("mul", "m", F32, (SIZE,), (SIZE,), (x, Const(F32, 0x3EAAAAAB))),
        Kernel("add", "y", F32, (SIZE,), (SIZE,), (m, x)),
        Kernel("cast", "h", DType.FLOAT16, (SIZE,), (SIZE,), (y,)),
    )
    outputs = ((Port("result/y", F32, (SIZE,)), "y"), (Port("result/h", DType.FLOAT16, (SIZE,)), "h"))
    return Program(b"", (Port("batch/x", F32, (SIZE,)),), outputs, {}, kernels, Cost(0, 0, 0))


INPUTS = {"batch/x": np.resize(np.array([1e-40, 1, 3, -1e-42, 1e-20, 2**24, 7, 0.1, 6e-8], np.float32), SIZE)}


@pytest.fixture
def control() -> Iterator[Callable[[int], None]]:
    """Sets deviations in MXCSR of this thread; puts the usual word back afterwards."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        pytest.skip("only x86 has this control word; test_aarch64.py does the same for the other one")
    source = """
        define void @set(i32 %v) {
          %p = alloca i32
          store i32 %v, ptr %p
          call void @llvm.x86.sse.ldmxcsr(ptr %p)
          ret void
        }
        declare void @llvm.x86.sse.ldmxcsr(ptr)
    """
    library = Library([assemble(source, machine())], machine())
    put = ctypes.CFUNCTYPE(None, ctypes.c_uint32)(library.address("set"))
    yield lambda deviation: put(USUAL | deviation)
    put(USUAL)


@pytest.mark.parametrize("mode", MODES)
def test_the_clear_engine_refuses_an_environment_with_other_bits(mode: str, control: Callable[[int], None]) -> None:
    engine = Interpreter(sums())
    control(MODES[mode])
    try:
        with pytest.raises(AssayError, match="flushes" if mode in ("flush", "denormals are zero") else "nearest"):
            engine.run(INPUTS)
    finally:
        control(0)
    engine.run(INPUTS)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("threads", [1, 3])
def test_the_exact_engine_sets_its_own_on_every_thread(
    level: str, threads: int, control: Callable[[int], None]
) -> None:
    wanted = Interpreter(sums()).run(INPUTS)
    try:
        machine(level)
    except ConfigError:
        pytest.skip(f"this machine has no {level}")
    for deviation in MODES.values():
        control(deviation)
        try:  # compiled and first run here: threads begin with the word of the one that makes them
            found = compile(sums(), threads=threads, features=level, cache=None).run(INPUTS)
        finally:
            control(0)
        assert all(found[name].tobytes() == array.tobytes() for name, array in wanted.items())


def test_other_processors_are_refused() -> None:
    """Nobody has said how their environment is set."""
    with mock.patch.object(native.platform, "machine", return_value="riscv64"), pytest.raises(ConfigError):
        machine()
