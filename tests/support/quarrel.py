"""A tiny training run with everything in it that can be disputed, and what each party claims about it.

Folds in a chain, in lanes of 32 and of 64 bits, a scatter, plain kernels, constants, step and seed, values of several KiB.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from hashlib import sha256
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from assay.dispute.arbiter.kernel import execute, start
from assay.dispute.arbiter.openings import reader
from assay.dispute.case import Case, Work
from assay.dispute.evidence import pack
from assay.engine.clear import run_kernel
from assay.program import Program, load
from assay.program.code import decode, layout
from assay.proof import Dataset, Opening, merkle, program_root, rows, state_root
from assay.proof.code import code_leaves, code_root, entries
from assay.proof.roots import row_leaves, tensor_root, type_bytes
from assay.proof.tensors import by_name, dtype_of, raw
from assay.proof.trace import fingerprint, trace_of

WIDTH, BATCH, ROWS, STEPS, INTERVAL, SEED = 300, 140, 150, 7, 3, 11
SOLVER = "0x5151515151515151515151515151515151515151"
Array = np.ndarray[Any, Any]


def onnx_program() -> bytes:
    """w' = w - rate·xᵀ(x·w - y) on a batch, counts' = counts with one added at each label."""
    f32, i64, u64 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.UINT64
    node, info = helper.make_node, helper.make_tensor_value_info
    nodes = [
        node("MatMul", ["batch/x", "state/w"], ["guess"]),
        node("Sub", ["guess", "batch/y"], ["error"]),
        node("Mul", ["error", "error"], ["square"]),
        node("ReduceMean", ["square"], ["metric/loss"], keepdims=0),
        node("Transpose", ["batch/x"], ["x_t"], perm=[1, 0]),
        node("MatMul", ["x_t", "error"], ["gradient"]),
        node("Cast", ["step"], ["step_f"], to=f32),
        node("Cast", ["seed"], ["seed_f"], to=f32),
        node("Add", ["step_f", "seed_f"], ["later"]),
        node("Div", ["rate", "later"], ["pace"]),
        node("Mul", ["gradient", "pace"], ["change"]),
        node("Sub", ["state/w", "change"], ["next/w"]),
        node("ScatterElements", ["state/counts", "batch/label", "ones"], ["next/counts"], reduction="add"),
        node("ReduceSum", ["next/counts"], ["metric/total"], keepdims=0),
    ]
    inputs = [info("state/w", f32, [WIDTH, 1]), info("state/counts", i64, [20])]
    inputs += [
        info("batch/x", f32, [BATCH, WIDTH]),
        info("batch/y", f32, [BATCH, 1]),
        info("batch/label", i64, [BATCH]),
    ]
    inputs += [info("step", i64, []), info("seed", u64, [])]
    outputs = [info("next/w", f32, [WIDTH, 1]), info("next/counts", i64, [20])]
    outputs += [info("metric/loss", f32, []), info("metric/total", i64, [])]
    constants = {"rate": np.array(0.001, np.float32), "ones": np.ones(BATCH, np.int64)}
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "quarrel", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()


@dataclass(frozen=True)
class Lie:
    """Where the solver deviates: at `step`, in `kind`.

    value: byte `place` of value `number`, and all that is computed from it. state: the tensor `number` after the step,
    though not the values. root: the state root at `step`, of nothing. print: the step's fingerprint. rows: a row number.
    padding: of the tree over the values. term: where, in a fold, the accumulators become wrong.
    """

    kind: str
    step: int
    number: int = 0
    place: int = 0
    term: int = 0


def tree(leaves: list[bytes]) -> list[list[bytes]]:
    """All levels of a padded tree, from the leaves up."""
    level = leaves + [merkle.ZERO] * ((1 << merkle.depth(len(leaves))) - len(leaves))
    levels = [level]
    while len(level) > 1:
        level = [merkle.node(a, b) for a, b in zip(level[::2], level[1::2], strict=True)]
        levels.append(level)
    return levels


class Toy:
    """The task: program, dataset, initial state."""

    steps, interval = STEPS, INTERVAL

    def __init__(self, ways: int = 4) -> None:
        self.program: Program = load(onnx_program())
        self.layout = layout(self.program)
        self.entries = entries(self.program)
        self.leaves = code_leaves(self.program)
        rng = np.random.default_rng(3)
        self.dataset = Dataset(
            {
                "x": rng.standard_normal((ROWS, WIDTH)).astype(np.float32),
                "y": rng.standard_normal((ROWS, 1)).astype(np.float32),
                "label": rng.integers(0, 20, ROWS).astype(np.int64),
            }
        )
        self.initial = {"w": np.zeros((WIDTH, 1), np.float32), "counts": np.zeros(20, np.int64)}
        self.work = Work(
            spec=b"\x07" * 32,
            code_root=code_root(self.program),
            initial_root=state_root(self.initial),
            dataset_root=self.dataset.root,
            rows=ROWS,
            batch_size=BATCH,
            seed=SEED,
            ways=ways,
            clock=1000,
            extension=100,
            bond=1001,
        )
        self.program_root = program_root(self.program)

    @cached_property
    def shape(self) -> int:
        """The counts of the code root, as one number."""
        outputs, metrics = len(self.program.state), len(self.program.metrics)
        counts = (len(self.layout.names), outputs, metrics, len(self.program.state))
        row = sum(c[:1].nbytes for c in self.dataset.columns.values())
        return int.from_bytes(b"".join(n.to_bytes(4, "big") for n in counts) + row.to_bytes(8, "big"), "big")

    @property
    def coded(self) -> tuple[int, bytes]:
        """Counts, and root over the entries."""
        return self.shape, merkle.root(self.leaves)

    @cached_property
    def columns(self) -> bytes:
        """The dataset's header."""
        ordered = [(name, self.dataset.columns[name]) for name in by_name(self.dataset.columns)]
        types = b"".join(type_bytes(name, dtype_of(name, c), c.shape[1:]) for name, c in ordered)
        return len(ordered).to_bytes(4, "big") + types

    @cached_property
    def row_leaves(self) -> list[bytes]:
        """Of the dataset's tree."""
        return row_leaves(self.dataset.columns)

    def row(self, number: int) -> bytes:
        """The bytes of a row."""
        return b"".join(bytes(raw(self.dataset.columns[n][number])) for n in by_name(self.dataset.columns))

    def entry(self, place: int) -> tuple[bytes, tuple[bytes, ...]]:
        """An entry and its proof."""
        return self.entries[place], merkle.prove(self.leaves, place)

    def case(self, claims: Claims) -> Case:
        """The dispute over these claims."""
        return Case(
            task=b"\x42" * 32,
            result=b"\x43" * 32,
            solver=SOLVER,
            work=self.work,
            program_root=self.program_root,
            steps=STEPS,
            interval=INTERVAL,
            root=claims.root,
            final_root=claims.final_root,
        )


@dataclass(frozen=True)
class Computed:
    """One step as somebody claims it: its values by number, the state after it, the fingerprint, the row numbers."""

    data: tuple[bytes, ...]
    after: dict[str, Array]
    print: bytes
    rows: bytes


class Claims:
    """What a party says of the run: the truth, or the truth with a lie in it."""

    def __init__(self, toy: Toy, lie: Lie | None = None) -> None:
        self.toy, self.lie = toy, lie
        self.states = [toy.initial]
        self.steps: list[Computed] = []
        for step in range(STEPS):
            self.steps.append(self._compute(step, self.states[-1]))
            self.states.append(self.steps[-1].after)
        self.tensors = [[tensor_root(name, state[name]) for name in by_name(state)] for state in self.states]
        self.roots = [state_root(state) for state in self.states]
        if lie and lie.kind == "root":
            self.roots[lie.step] = sha256(b"nothing").digest()
        self.trees: dict[object, list[list[bytes]]] = {}

    def _is(self, kind: str, step: int) -> bool:
        return self.lie is not None and (self.lie.kind, self.lie.step) == (kind, step)

    def _compute(self, step: int, state: dict[str, Array]) -> Computed:
        toy, lie = self.toy, self.lie
        drawn = rows(SEED, step, BATCH, ROWS)
        given: dict[str, Array] = {"state/" + name: array for name, array in state.items()}
        given |= {"batch/" + name: array for name, array in toy.dataset.take(drawn).items()}
        given |= {"step": np.array(step, np.int64), "seed": np.array(SEED, np.uint64)}
        given |= toy.program.constants
        makers = {kernel.output: kernel for kernel in toy.program.kernels}
        for number, name in enumerate(toy.layout.names):
            if name in makers:
                given[name] = run_kernel(makers[name], given)
            if lie and self._is("value", step) and lie.number == number:
                given[name] = _bent(given[name], lie.place)
        after, metrics = {}, {}
        for port, name in toy.program.outputs:
            kind, _, rest = port.name.partition("/")
            (after if kind == "next" else metrics)[rest] = given[name].reshape(port.shape)
        if lie and self._is("state", step):
            name = by_name(after)[lie.number]
            after[name] = _bent(after[name], lie.place)
        printed, numbers = fingerprint(step, metrics), bytearray(drawn.astype(">i8").tobytes())
        if lie and self._is("print", step):
            printed = sha256(printed).digest()
        if lie and self._is("rows", step):
            numbers[lie.place % len(numbers)] ^= 1
        data = tuple(bytes(raw(given[name])) for name in toy.layout.names)
        return Computed(data, after, printed, bytes(numbers))

    # -- the trajectory --------------------------------------------------------------------------------------------

    def bounds(self, k: int) -> tuple[int, int]:
        """First and one-past-last step of an interval."""
        return k * INTERVAL, min(STEPS, (k + 1) * INTERVAL)

    @cached_property
    def openings(self) -> list[Opening]:
        """The leaves of the trajectory."""
        zero = merkle.ZERO
        found = [Opening(0, zero, self.roots[0], 0, zero, self.toy.program_root, zero, ())]
        for k in range(-(-STEPS // INTERVAL)):
            lo, hi = self.bounds(k)
            batches = merkle.root([merkle.bytes_root(self.steps[s].rows) for s in range(lo, hi)])
            trace = trace_of(merkle.root([self.steps[s].print for s in range(lo, hi)]))
            state = self.roots[hi]
            found.append(Opening(k + 1, self.roots[lo], state, hi, batches, self.toy.program_root, trace, ()))
        hashes = [one.leaf for one in found]
        return [replace(one, proof=merkle.prove(hashes, i)) for i, one in enumerate(found)]

    @property
    def root(self) -> bytes:
        """The commitment."""
        return merkle.root([one.leaf for one in self.openings])

    @property
    def final_root(self) -> bytes:
        """Root of the last state."""
        return self.roots[STEPS]

    # -- trees -----------------------------------------------------------------------------------------------------

    def _tree(self, key: object, leaves: Callable[[], list[bytes]]) -> list[list[bytes]]:
        if key not in self.trees:
            self.trees[key] = tree(leaves())
        return self.trees[key]

    def values(self, step: int) -> list[list[bytes]]:
        """The tree over the values of a step."""

        def leaves() -> list[bytes]:
            found = [merkle.bytes_root(data) for data in self.steps[step].data]
            full = 1 << merkle.depth(len(found))
            if self._is("padding", step) and full > len(found):
                found += [merkle.ZERO] * (full - len(found) - 1) + [sha256(b"trap").digest()]
            return found

        return self._tree(("values", step), leaves)

    def data_roots(self, step: int) -> list[bytes]:
        """The data roots of the values of a step."""
        return self.values(step)[0][: len(self.toy.layout.names)]

    def state(self, step: int) -> list[list[bytes]]:
        """The tree over the tensors of the state at a step."""
        return self._tree(("state", step), lambda: self.tensors[step])

    def chunks(self, step: int, number: int) -> list[list[bytes]]:
        """The tree over the KiB of a value."""
        return self._tree(("chunks", step, number), lambda: merkle.chunk_leaves(self.steps[step].data[number]))

    def draws(self, k: int) -> list[list[bytes]]:
        """The tree over the row numbers of an interval's steps."""
        lo, hi = self.bounds(k)
        return self._tree(("draws", k), lambda: [merkle.bytes_root(self.steps[s].rows) for s in range(lo, hi)])

    def row_chunks(self, step: int) -> list[list[bytes]]:
        """The tree over the KiB of a step's row numbers."""
        return self._tree(("rows", step), lambda: merkle.chunk_leaves(self.steps[step].rows))

    def prints(self, k: int) -> list[list[bytes]]:
        """The tree over the fingerprints of an interval."""
        lo, hi = self.bounds(k)
        return self._tree(("prints", k), lambda: [self.steps[s].print for s in range(lo, hi)])

    # -- folds -----------------------------------------------------------------------------------------------------

    def accumulator(self, step: int, number: int, element: int, terms: int, width: int) -> tuple[bytes, ...]:
        """The words of the accumulator after so many terms."""
        code = decode(self.toy.entries[number][10:])
        read = reader(code, lambda n: self.steps[step].data[n])
        acc, at = start(code, element, read), 0
        while at < terms:
            last = min(terms, at + code.piece)
            acc, at = execute(code, element, at, last, acc, read), last
        lie = self.lie
        if lie and self._is("value", step) and lie.number == number and terms > lie.term:
            item = code.kernel.dtype.itemsize
            if element == lie.place % len(self.steps[step].data[number]) // item:
                acc = [acc[0] ^ 1, *acc[1:]]
        return pack(acc, width)


def _bent(array: Array, place: int) -> Array:
    """The array with one byte changed."""
    data = bytearray(raw(array))
    data[place % len(data)] ^= 1 + place * 7 % 255
    return np.frombuffer(bytes(data), array.dtype).reshape(array.shape)


@cache
def toy(ways: int = 4) -> Toy:
    """The task, once."""
    return Toy(ways)


@cache
def claims(lie: Lie | None = None, ways: int = 4) -> Claims:
    """Claims are expensive and never change."""
    return Claims(toy(ways), lie)
