"""A toy task that exercises the real machine: linear regression by SGD, trained by the exact engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from assay.engine import exact
from assay.program import Program, load
from assay.proof import (
    Dataset,
    Runner,
    blob_of,
    build_trajectory,
    encode_state,
    new_checkpoint,
    program_root,
    state_root,
)
from assay.words.task import Audit, Blob, TaskSpec, Trajectory

BATCH, ROWS, WIDTH = 4, 30, 3


def onnx_program(*, seeded: bool = False, rate: float = 0.05) -> bytes:
    """w' = w - rate / (1 + step) · d(mean squared error)/dw, and `calls` counts the steps; ONNX bytes."""
    f32, i64 = TensorProto.FLOAT, TensorProto.INT64
    node, info = helper.make_node, helper.make_tensor_value_info
    nodes = [
        node("MatMul", ["batch/x", "state/w"], ["guess"]),
        node("Sub", ["guess", "batch/y"], ["error"]),
        node("Mul", ["error", "error"], ["square"]),
        node("ReduceMean", ["square"], ["metric/loss"], keepdims=0),
        node("Transpose", ["batch/x"], ["x_t"], perm=[1, 0]),
        node("MatMul", ["x_t", "error"], ["pull"]),
        node("Mul", ["pull", "two_over_batch"], ["gradient"]),
        node("Reshape", ["gradient", "flat"], ["metric/probe"]),
        node("Cast", ["step"], ["step_f"], to=f32),
        node("Add", ["step_f", "one"], ["later"]),
        node("Div", ["rate", "later"], ["learning_rate"]),
        node("Mul", ["gradient", "learning_rate"], ["change"]),
        node("Sub", ["state/w", "change"], ["next/w"]),
        node("Add", ["state/calls", "one_i"], ["next/calls"]),
    ]
    inputs = [info("state/w", f32, [WIDTH, 1]), info("state/calls", i64, [])]
    inputs += [info("batch/x", f32, [BATCH, WIDTH]), info("batch/y", f32, [BATCH, 1]), info("step", i64, [])]
    outputs = [info("next/w", f32, [WIDTH, 1]), info("next/calls", i64, [])]
    outputs += [info("metric/loss", f32, []), info("metric/probe", f32, [WIDTH])]
    if seeded:
        inputs.append(info("seed", TensorProto.UINT64, []))
        nodes.append(node("Cast", ["seed"], ["metric/seed"], to=f32))
        outputs.append(info("metric/seed", f32, []))
    constants = {
        "two_over_batch": np.array(2 / BATCH, np.float32),
        "one": np.array(1, np.float32),
        "one_i": np.array(1, np.int64),
        "rate": np.array(rate, np.float32),
        "flat": np.array([WIDTH], np.int64),
    }
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "regression", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()


def stored(folder: Path, data: bytes) -> Blob:
    from hashlib import sha256

    blob = Blob(sha256(data).hexdigest(), len(data))
    (folder / blob.sha256).write_bytes(data)
    return blob


@dataclass
class Toy:
    """A task with all its blobs in a folder, and a solver that can be told to lie."""

    folder: Path
    program: Program
    dataset: Dataset
    initial: dict[str, np.ndarray]
    spec: TaskSpec
    runner: Runner

    def source(self, blob: Blob) -> Path:
        return self.folder / blob.sha256

    def solve(self, tamper: Callable[[int, dict[str, np.ndarray]], Any] | None = None) -> Trajectory:
        """Train; `tamper(step, state)` may change the state in place before it becomes a checkpoint."""
        state, spec = self.initial, self.spec
        found = [new_checkpoint(0, state_root(state), stored(self.folder, encode_state(state)))]
        for k in range(spec.intervals):
            segment = self.runner.interval(state, *spec.bounds(k))
            state = segment.state
            if tamper is not None:
                tamper(segment.stop, state)
            stored(self.folder, encode_state(state))
            root = state_root(state)
            found.append(new_checkpoint(segment.stop, root, blob_of(state), segment.batches, segment.trace))
        return build_trajectory(spec, found)


@cache
def compiled(program_bytes: bytes) -> exact.Executable:
    """Compiling takes longer than all else here, so the tests share the few programs that they use."""
    return exact.compile(load(program_bytes))


def make_toy(folder: Path, *, seeded: bool = False, steps: int = 11, interval: int = 4) -> Toy:
    source = onnx_program(seeded=seeded)
    executable = compiled(source)
    program = executable.program
    generator = np.random.Generator(np.random.PCG64(5))
    x = generator.standard_normal((ROWS, WIDTH), np.float32)
    y = (x @ np.array([[1], [-2], [0.5]], np.float32)).astype(np.float32)
    dataset = Dataset({"x": x, "y": y})
    initial = {"w": np.zeros((WIDTH, 1), np.float32), "calls": np.array(0, np.int64)}
    spec = TaskSpec(
        name="toy",
        program=stored(folder, source),
        program_root=program_root(program).hex(),
        initial=stored(folder, encode_state(initial)),
        initial_root=state_root(initial).hex(),
        dataset=stored(folder, dataset.encode()),
        dataset_root=dataset.root.hex(),
        rows=ROWS,
        batch_size=BATCH,
        seed=11,
        steps=steps,
        interval=interval,
        audit=Audit(2, 1),
    )
    return Toy(folder, program, dataset, initial, spec, Runner(executable, spec, dataset))


@pytest.fixture
def quick() -> Callable[[Program], exact.Executable]:
    """A `compile` that remembers."""
    return lambda program: compiled(program.source)


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    """11 steps in intervals of 4: the checkpoints are at 0, 4, 8 and 11."""
    (tmp_path / "blobs").mkdir()
    return make_toy(tmp_path / "blobs")


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Toy]:
    """`make_toy` in a folder of its own."""
    (tmp_path / "made").mkdir()
    return lambda **options: make_toy(tmp_path / "made", **options)
