"""Whole programs on the exact engine: buffers, ports, threads, the floating-point environment, and a real training step."""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

import numpy as np
import pytest
from safetensors.numpy import load

from assay.engine.clear import Interpreter
from assay.engine.exact import compile
from assay.engine.exact.native import Library, assemble, machine
from assay.engine.exact.plan import plan
from assay.errors import ConfigError, ProgramRefused, UsageError
from assay.program import load as load_program
from assay.program.kernel import Axis, Const, Kernel, Read
from assay.program.program import Cost, Program
from assay.program.types import DType, Port

F32 = DType.FLOAT32


def each(tensor: str, *shape: int) -> Read:
    axes = tuple(Axis(tuple(int(a == d) for d in range(len(shape)))) for a in range(len(shape)))
    return Read(tensor, shape, axes)


def pointwise(op: str, output: str, shape: tuple[int, ...], *operands: Read | Const) -> Kernel:
    return Kernel(op, output, F32, shape, shape, operands)


def program(inputs: dict[str, tuple[int, ...]], kernels: list[Kernel], outputs: dict[str, str], **rest) -> Program:
    shapes = inputs | {k.output: k.shape for k in kernels} | {n: a.shape for n, a in rest.get("constants", {}).items()}
    ports = tuple(Port(name, F32, shape) for name, shape in inputs.items())
    results = tuple((Port(name, F32, shapes[tensor]), tensor) for name, tensor in outputs.items())
    return Program(b"", ports, results, rest.get("constants", {}), tuple(kernels), Cost(0, 0, 0))


def ladder(length: int, n: int) -> Program:
    """x -> x + 1 -> ... : every intermediate is dead two steps later, and every kernel is the same but for names."""
    one = Const(F32, 0x3F800000)
    kernels = [pointwise("add", f"t{k}", (n,), each("x" if k == 0 else f"t{k - 1}", n), one) for k in range(length)]
    return program({"x": (n,)}, kernels, {"y": f"t{length - 1}"})


def test_a_chain_of_elementwise_kernels_is_one_loop() -> None:
    made = plan(ladder(20, 1000))
    assert len(made.steps) == 1
    assert made.arena == 0
    x = np.arange(1000, dtype=np.float32)
    assert (compile(ladder(40, 1000)).run({"x": x})["y"] == x + 40).all()


def test_intermediates_share_memory_and_code() -> None:
    shifted = (Axis((1,), (), 1),)
    kernels = [
        pointwise("neg", f"t{k}", (1000,), Read(f"t{k - 1}" if k else "x", (1000,), shifted, 0)) for k in range(40)
    ]
    shifts = program({"x": (1000,)}, kernels, {"y": "t39"})
    made = plan(shifts)
    assert len(made.forms) == 1
    assert made.arena <= 2 * 4096
    x = np.arange(1000, dtype=np.float32)
    assert (compile(shifts).run({"x": x})["y"] == np.append(x[40:], np.zeros(40, np.float32))).all()


def test_what_nothing_reads_is_not_computed() -> None:
    kernels = [pointwise("neg", "dead", (5,), each("x", 5)), pointwise("abs", "y", (5,), each("x", 5))]
    assert len(plan(program({"x": (5,)}, kernels, {"y": "y"})).steps) == 1


def test_a_read_that_is_always_outside_is_no_dependence() -> None:
    """Its producer has no reader then, and must not run as a loop that stores nothing."""
    beyond = Read("t", (1, 4), (Axis((0,), (), 1), Axis((1,))), 0x40000000)
    kernels = [pointwise("neg", "t", (4,), each("x", 4)), pointwise("add", "y", (4,), each("x", 4), beyond)]
    made = program({"x": (4,)}, kernels, {"y": "y"})
    assert len(plan(made).steps) == 1
    assert compile(made).run({"x": np.ones(4, np.float32)})["y"].tolist() == [3, 3, 3, 3]


def test_ports_may_name_inputs_constants_and_one_tensor_twice() -> None:
    constants = {"c": np.arange(4, dtype=np.float32)}
    kernels = [pointwise("add", "s", (4,), each("x", 4), each("c", 4))]
    made = program({"x": (4,)}, kernels, {"in": "x", "one": "s", "two": "s", "constant": "c"}, constants=constants)
    engine, x = compile(made), np.ones(4, np.float32)
    first = engine.run({"x": x})
    for name, values in {
        "in": [1, 1, 1, 1],
        "one": [1, 2, 3, 4],
        "two": [1, 2, 3, 4],
        "constant": [0, 1, 2, 3],
    }.items():
        assert first[name].tolist() == values
    for array in first.values():
        array += 1  # fresh arrays: writing into them reaches nothing else
    assert engine.run({"x": x})["one"].tolist() == [1, 2, 3, 4]
    assert constants["c"].tolist() == [0, 1, 2, 3]


def test_inputs_may_be_strided_unaligned_or_read_only() -> None:
    engine = compile(ladder(1, 8))
    strided = np.arange(16, dtype=np.float32)[::2]
    unaligned = np.frombuffer(b"\0" + strided.tobytes(), np.uint8)[1:].view(np.float32)
    assert not unaligned.flags.aligned or unaligned.ctypes.data % 4 == 0
    for x in (strided, unaligned, np.broadcast_to(np.float32(3), 8)):
        assert (engine.run({"x": x})["y"] == x + 1).all()


@pytest.mark.parametrize(
    "inputs",
    [{}, {"x": np.zeros(9, np.float32)}, {"x": np.zeros(8)}, {"x": np.zeros(8, np.float32), "z": np.zeros(1)}],
    ids=["missing", "shape", "dtype", "unknown"],
)
def test_wrong_inputs_are_refused(inputs: dict[str, np.ndarray]) -> None:
    with pytest.raises(UsageError):
        compile(ladder(1, 8)).run(inputs)


def test_wrong_settings_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError):
        compile(ladder(1, 8), threads=0)
    with pytest.raises(ConfigError):
        compile(ladder(1, 8), features="mmx")
    monkeypatch.setenv("ASSAY_CPU_FEATURES", "none of these")
    with pytest.raises(ConfigError):
        compile(ladder(1, 8))


@pytest.mark.parametrize(
    "kernel",
    [
        pointwise("add", "y", (8,), each("x", 8)),
        pointwise("frobnicate", "y", (8,), each("x", 8)),
        pointwise("neg", "y", (8,), Read("x", (8,), (Axis((1,), (), 1),))),
        pointwise("neg", "y", (8,), Read("x", (8,), (Axis((1, 1)),))),
    ],
    ids=["arity", "name", "outside", "loops"],
)
def test_malformed_kernels_are_refused(kernel: Kernel) -> None:
    with pytest.raises(ProgramRefused):
        compile(program({"x": (8,)}, [kernel], {"y": "y"}))


def test_two_programs_and_many_callers_at_once() -> None:
    engines = [compile(ladder(k, 70_000), threads=k) for k in (1, 2, 3)]
    x = np.arange(70_000, dtype=np.float32)

    def work(n: int) -> bool:
        engine = engines[n % 3]
        return bool((engine.run({"x": x + n})["y"] == x + n + len(engine.program.kernels)).all())

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(work, range(60)))


@pytest.fixture
def control_word():
    """Reads and writes the SSE control word of this thread; puts it back afterwards."""
    if not machine().x86:
        pytest.skip("only x86 has this control word")
    source = """
        define i32 @get() {
          %p = alloca i32
          call void @llvm.x86.sse.stmxcsr(ptr %p)
          %v = load i32, ptr %p
          ret i32 %v
        }
        define void @set(i32 %v) {
          %p = alloca i32
          store i32 %v, ptr %p
          call void @llvm.x86.sse.ldmxcsr(ptr %p)
          ret void
        }
        declare void @llvm.x86.sse.stmxcsr(ptr)
        declare void @llvm.x86.sse.ldmxcsr(ptr)
    """
    library = Library([assemble(source, machine())], machine())
    get = ctypes.CFUNCTYPE(ctypes.c_uint32)(library.address("get"))
    put = ctypes.CFUNCTYPE(None, ctypes.c_uint32)(library.address("set"))
    before = get()
    yield get, put
    put(before)


def test_the_callers_rounding_and_flushing_do_not_matter(control_word) -> None:
    get, put = control_word
    x = np.array([1e-40, 1.0, 3.0, -1e-42, 1e-20, 16777216.0, 7.0, 0.1], np.float32)
    third = Const(F32, 0x3EAAAAAB)
    kernels = [
        pointwise("mul", "m", (8,), each("x", 8), third),
        pointwise("add", "y", (8,), each("m", 8), each("x", 8)),
    ]
    engine = compile(program({"x": (8,)}, kernels, {"y": "y"}))
    expected = engine.run({"x": x})["y"].tobytes()
    odd = 0x1F80 | 0x8000 | 0x0040 | 0x6000  # flush to zero, denormals are zero, round toward zero
    put(odd)
    found = engine.run({"x": x})["y"].tobytes()
    mode = get()
    put(0x1F80)
    assert found == expected
    assert mode & 0xFFC0 == odd & 0xFFC0


class Digits:
    """The digits training step, and its inputs at step s."""

    def __init__(self) -> None:
        folder = files("assay") / "assets" / "digits"
        self.program = load_program((folder / "program.onnx").read_bytes())
        self.initial = load((folder / "initial.safetensors").read_bytes())
        self.rows = load((folder / "train.safetensors").read_bytes())

    def inputs(self, state: dict[str, np.ndarray], step: int) -> dict[str, np.ndarray]:
        size = next(iter(self.program.batch.values())).shape[0]
        batch = {f"batch/{n}": np.take(v, np.arange(size) + step * size, 0, mode="wrap") for n, v in self.rows.items()}
        return {f"state/{n}": v for n, v in state.items()} | batch | {"step": np.array(step)}

    def train(self, engine, steps: int) -> list[dict[str, np.ndarray]]:
        state, trace = self.initial, []
        for step in range(steps):
            trace.append(engine.run(self.inputs(state, step)))
            state = {n.removeprefix("next/"): v for n, v in trace[-1].items() if n.startswith("next/")}
        return trace


@pytest.fixture(scope="module")
def digits() -> Digits:
    return Digits()


@pytest.fixture(scope="module")
def trace(digits: Digits) -> list[dict[str, np.ndarray]]:
    """Six steps of the digits task on one thread."""
    return digits.train(compile(digits.program), 6)


def same(a: list[dict[str, np.ndarray]], b: list[dict[str, np.ndarray]]) -> bool:
    return all(
        x.keys() == y.keys() and all(x[n].tobytes() == y[n].tobytes() for n in x) for x, y in zip(a, b, strict=True)
    )


def test_real_training_steps_have_the_bits_of_the_clear_interpreter(digits: Digits, trace: list[dict]) -> None:
    assert same(trace[:3], digits.train(Interpreter(digits.program), 3))


@pytest.mark.parametrize(
    "options", [{"threads": 2}, {"threads": 3}, {"features": "avx2"}, {"features": "sse2"}], ids=str
)
def test_threads_and_instruction_sets_do_not_matter(
    digits: Digits, trace: list[dict[str, np.ndarray]], options: dict
) -> None:
    level = options.get("features")
    try:
        machine(level)
    except ConfigError:
        pytest.skip(f"this machine has no {level}")
    assert same(digits.train(compile(digits.program, **options), 6), trace)


def test_a_border_takes_nobody_s_name():
    """The copies that products read have names of their own, whatever a foreign program calls its inputs."""
    from onnx import TensorProto, helper

    from assay.program import load

    def graph(name):
        def value(n, shape):
            return helper.make_tensor_value_info(n, TensorProto.FLOAT, shape)

        nodes = [
            helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
            helper.make_node("Add", ["c", name], ["y"]),
        ]
        inputs = [value("x", [2, 8, 12, 12]), value("w", [8, 8, 3, 3]), value(name, [2, 8, 12, 12])]
        made = helper.make_graph(nodes, "g", inputs, [value("y", [2, 8, 12, 12])])
        model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        return load(model.SerializeToString(), named=False)

    (border,) = {t for step in plan(graph("z")).steps for t in step.tensors if "border" in t}
    hostile = graph(border)
    rng = np.random.default_rng(1)
    inputs = {p.name: rng.normal(size=p.shape).astype(np.float32) for p in hostile.inputs}
    assert compile(hostile).run(inputs)["y"].tobytes() == Interpreter(hostile).run(inputs)["y"].tobytes()
