"""Random ONNX programs, run by every engine: `python tests/support/random_programs.py --seconds 300 --seed 1`.

A program is a function of its seed alone. On a difference the graph is cut down to the nodes that show it, printed with
the seed that draws it again (`--only SEED`), and the exit code is 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import msgspec
import numpy as np
import onnx
from onnx import NodeProto, TypeProto, helper, numpy_helper, shape_inference

from assay.engine import Executable
from assay.engine.clear import Interpreter
from assay.engine.exact import compile, executable
from assay.engine.exact.cache import Cache
from assay.engine.exact.native import LEVELS, machine
from assay.errors import ConfigError
from assay.program import Program, load
from assay.program.types import DType

__all__ = ["OPSET", "Graph", "Shape", "Value", "check", "draw", "levels", "run"]

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]

OPSET = 26
LIMIT = 4000
"""Elements of a tensor that is drawn; a node may make more of them."""
FLOATS = [d for d in DType if d.is_float]
INTEGERS = [d for d in DType if d.is_integer]
EXTENTS = [1, 1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 31, 32, 33, 64, 65, 100]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, np.inf, -np.inf, np.nan, 1e-40, -1e-45, 3.4e38, 65519.0, 65520.0, 6e-8, 2.5, 1e10]


@dataclass(frozen=True)
class Value:
    """A tensor of the graph."""

    name: str
    dtype: DType
    shape: Shape

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)


class Graph:
    """A model that grows node by node; `values` are the tensors that later nodes may read."""

    def __init__(self, random: Random, wild: bool) -> None:
        self.random = random
        self.wild = wild
        self.nodes: list[NodeProto] = []
        self.inputs: dict[str, Array] = {}
        self.constants: dict[str, Array] = {}
        self.values: list[Value] = []
        self._types: dict[str, TypeProto] = {}

    def _define(self, name: str, dtype: DType, shape: Shape) -> Value:
        self._types[name] = helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(dtype.numpy), shape)
        return Value(name, dtype, shape)

    def input(self, dtype: DType, shape: Shape, array: Array | None = None) -> Value:
        """A new input of the program, with an example value."""
        name = f"state/x{len(self.inputs)}"
        self.inputs[name] = self.data(dtype, shape) if array is None else np.asarray(array)
        self.values.append(self._define(name, dtype, shape))
        return self.values[-1]

    def constant(self, array: Array | list[int]) -> Value:
        """An initializer; a list is int64. Later nodes do not find it."""
        array = np.array(array, np.int64) if isinstance(array, list) else np.asarray(array)
        name = f"c{len(self.constants)}"
        self.constants[name] = array
        return self._define(name, DType.of(array), array.shape)

    def either(self, dtype: DType, shape: Shape, array: Array | None = None) -> Value:
        """A new input, or now and then an initializer."""
        if self.random.random() < 0.25:
            return self.constant(self.data(dtype, shape) if array is None else array)
        return self.input(dtype, shape, array)

    def add(self, op: str, inputs: Sequence[Value | None], outputs: int = 1, **attributes: Any) -> list[Value]:
        """Append a node; types and shapes of its outputs come from ONNX's own inference."""
        names = ["" if v is None else v.name for v in inputs]
        made = [f"n{len(self.nodes)}_{k}" for k in range(outputs)]
        node = helper.make_node(op, names, made, **attributes)
        known = {n: numpy_helper.from_array(self.constants[n], n) for n in names if n in self.constants}
        types = shape_inference.infer_node_outputs(
            onnx.defs.get_schema(op, OPSET),
            node,
            {n: self._types[n] for n in names if n},
            known,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=10,
        )
        self.nodes.append(node)
        results = []
        for name in made:
            tensor = types[name].tensor_type
            dtype = DType.of(np.empty(0, helper.tensor_dtype_to_np_dtype(tensor.elem_type)))
            shape = tuple(d.dim_value for d in tensor.shape.dim)
            if not tensor.HasField("shape"):  # ONNX infers none for these
                assert op in ("GroupNormalization", "MeanVarianceNormalization"), node
                shape = inputs[0].shape
            results.append(self._define(name, dtype, shape))
            assert results[-1].size, node
        self.values += results
        return results

    def type(self, name: str) -> str:
        """Element type and shape of a tensor, and `!` after a constant."""
        tensor = self._types[name].tensor_type
        shape = [d.dim_value for d in tensor.shape.dim]
        return f"{onnx.TensorProto.DataType.Name(tensor.elem_type).lower()}{shape}{'!' * (name in self.constants)}"

    def shape(self, least: int = 0, most: int = 4, limit: int = LIMIT) -> Shape:
        while True:
            shape = tuple(self.random.choice(EXTENTS) for _ in range(self.random.randint(least, most)))
            if prod(shape) <= limit:
                return shape

    def pick(
        self, dtypes: Sequence[DType], least: int = 0, most: int = 5, limit: int = 2 * LIMIT, fresh: bool = True
    ) -> Value:
        """A value of one of the types with `least` to `most` axes, preferably a recent one; sometimes a new input."""
        known = [v for v in self.values if v.dtype in dtypes and least <= v.rank <= most and v.size <= limit]
        if known and (self.random.random() < 0.9 or not fresh):
            return self.random.choice(known[-6:] if self.random.random() < 0.7 else known)
        dtype = DType.FLOAT32 if DType.FLOAT32 in dtypes and self.random.random() < 0.8 else self.random.choice(dtypes)
        return self.input(dtype, self.shape(least, max(least, min(most, 4))))

    def partner(self, x: Value, dtype: DType | None = None, *, within: bool = False) -> Value:
        """A value that broadcasts with x (`within`: to x's own shape)."""
        dtype = dtype or x.dtype
        known = [v for v in self.values if v.dtype is dtype and _broadcasts(x.shape, v.shape, within)]
        if known and self.random.random() < 0.7:
            return self.random.choice(known)
        shape = tuple(d if self.random.random() < 0.7 else 1 for d in x.shape)
        return self.either(dtype, shape[self.random.randint(0, len(shape)) if self.random.random() < 0.4 else 0 :])

    def data(self, dtype: DType, shape: Shape) -> Array:
        """Ordinary numbers; in a wild graph also edges and plain random bits (any NaN, any subnormal)."""
        rng, size = np.random.default_rng(self.random.getrandbits(32)), prod(shape)
        bits = rng.integers(0, 256, size * dtype.itemsize, dtype=np.uint8)
        if dtype is DType.BOOL:
            return (bits & 1).view(bool).reshape(shape)
        random_bits = bits.view(dtype.numpy)
        with np.errstate(all="ignore"):
            if dtype.is_float:
                tame = rng.normal(size=size) * rng.choice([0.1, 1.0, 3.0])
                edges = np.where(rng.random(size) < 0.1, rng.choice(SPECIAL, size), tame).astype(dtype.numpy)
                edges = np.where(rng.random(size) < 0.05, random_bits, edges).astype(dtype.numpy)
            else:
                info = np.iinfo(dtype.numpy)
                tame = rng.integers(-4 if info.min else 0, 9, size)
                corners = np.array([0, 1, info.min, info.max, info.max - 1, dtype.bits], dtype.numpy)
                edges = np.choose(
                    rng.integers(0, 3, size), [random_bits, tame.astype(dtype.numpy), rng.choice(corners, size)]
                )
            return (edges if self.wild else tame).astype(dtype.numpy).reshape(shape)

    def model(self, outputs: Sequence[str] | None = None, nodes: Sequence[NodeProto] | None = None) -> onnx.ModelProto:
        """The model with these outputs (default: every value that a node makes) and nodes (default: all)."""
        nodes = self.nodes if nodes is None else nodes
        outputs = [n for node in nodes for n in node.output] if outputs is None else outputs
        made = {n for node in nodes for n in node.output}
        read = dict.fromkeys(n for node in nodes for n in node.input if n and n not in made)
        infos = [onnx.ValueInfoProto(name=n, type=self._types[n]) for n in read if n not in self.constants]
        constants = [numpy_helper.from_array(self.constants[n], n) for n in read if n in self.constants]
        results = [onnx.ValueInfoProto(name=n, type=self._types[n]) for n in outputs]
        graph = helper.make_graph(nodes, "random", infos, results, constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)

    def program(self, outputs: Sequence[str] | None = None, nodes: Sequence[NodeProto] | None = None) -> Program:
        return load(self.model(outputs, nodes).SerializeToString(), named=False)


def _broadcasts(a: Shape, b: Shape, within: bool) -> bool:
    if within and len(b) > len(a):
        return False
    pairs = zip(reversed(a), reversed(b), strict=False)
    return all(d == e or e == 1 or (d == 1 and not within) for d, e in pairs)


def draw(random: Random, wild: bool | None = None, nodes: int = 14) -> Graph:
    """A graph of about `nodes` nodes; `wild` data has NaN, infinities, subnormals and every other bit pattern."""
    import random_patterns  # noqa: F401 - its families, and those of what it imports, are registered on import
    from random_nodes import FAMILIES, WEIGHTS

    graph = Graph(random, random.random() < 0.5 if wild is None else wild)
    wanted = random.randint(2, nodes)
    while len(graph.nodes) < wanted:
        random.choices(FAMILIES, WEIGHTS)[0](graph)
    return graph


def levels() -> list[str]:
    """The instruction sets that this machine has."""

    def present(level: str) -> bool:
        try:
            machine(level)
        except ConfigError:
            return False
        return True

    return [level for level in LEVELS if present(level)]


@contextmanager
def sharing(points: int) -> Iterator[None]:
    """Within this, threads share every kernel of at least `points` operations, so that small ones show races, too."""
    with mock.patch.object(executable, "SHARED_FROM", points):
        yield


def _first(name: str, found: Array, wanted: Array) -> str:
    """Where two arrays differ first."""
    if (found.dtype, found.shape) != (wanted.dtype, wanted.shape):
        return f"{name}: {found.dtype}{found.shape} instead of {wanted.dtype}{wanted.shape}"
    kind = f"u{found.dtype.itemsize}"
    a, b = found.reshape(-1).view(kind), wanted.reshape(-1).view(kind)
    where = np.flatnonzero(a != b)
    at = tuple(int(n) for n in np.unravel_index(where[0], found.shape)) if found.shape else ()
    values = f"{found.reshape(-1)[where[0]]!r} ({a[where[0]]:x}) instead of {wanted.reshape(-1)[where[0]]!r} ({b[where[0]]:x})"
    return f"{name}{list(at)}: {values}, {len(where)} of {found.size} elements"


def _paired(program: Program, wanted: dict[str, Array]) -> tuple[Program, dict[str, Array]]:
    """With outputs called after the inputs that they could replace: the engine may write them over inputs given away."""
    free, outputs, renamed = {port.name: port for port in program.inputs}, [], {}
    for port, tensor in program.outputs:
        fits = [n for n, p in free.items() if (p.dtype, p.shape) == (port.dtype, port.shape)]
        name = "next/" + fits[0].removeprefix("state/") if fits else port.name
        free.pop(fits[0] if fits else "", None)
        outputs.append((msgspec.structs.replace(port, name=name), tensor))
        renamed[name] = wanted[port.name]
    return replace(program, outputs=tuple(outputs)), renamed


def differences(
    program: Program,
    inputs: dict[str, Array],
    wanted: dict[str, Array],
    level: str,
    threads: int,
    cache: Cache | None = None,
) -> str:
    """What the LLVM engine computes otherwise than `wanted`; "" if nothing.

    The program runs twice, then with some of its inputs given away, then with all. The level `aarch64` runs in an emulator.
    """
    program, wanted = _paired(program, wanted)
    if level == "aarch64":
        from foreign import Emulated

        engine: Executable = Emulated(program, threads=threads, shared_from=executable.SHARED_FROM)
    else:
        engine = compile(program, features=level, threads=threads, cache=cache)
    given = {port.name: inputs[port.name] for port in program.inputs}
    held: list[dict[str, Array]] = []
    for donated in ((), (), list(given)[::2], list(given)):
        found = engine.run({n: a.copy() if n in donated else a for n, a in given.items()}, donated)
        held.append(found)  # what was returned before stays as it is
        for results in held:
            for name, array in results.items():
                if array.tobytes() != wanted[name].tobytes() or array.shape != wanted[name].shape:
                    how = f"given {donated}: " if donated else ""
                    return how + _first(name, array, wanted[name])
    return ""


def visible(graph: Graph, share: float) -> list[str]:
    """Names of outputs: all that no node reads, and this share of the rest."""
    read = {n for node in graph.nodes for n in node.input}
    made = [n for node in graph.nodes for n in node.output]
    return [n for n in made if n not in read or graph.random.random() < share]


class Failure(AssertionError):
    """An engine computes other bits; the message has the smallest part of the graph that was found to show it."""


def _told(graph: Graph, nodes: Sequence[NodeProto], what: str) -> str:
    lines = [what]
    for node in nodes:
        attributes = ", ".join(f"{a.name}={helper.get_attribute_value(a)!r}" for a in node.attribute)
        inputs = ", ".join(f"{n}: {graph.type(n)}" for n in node.input if n)
        lines.append(f"  {', '.join(node.output)} = {node.op_type}({inputs}) {attributes}")
    return "\n".join(lines)


def check(
    graph: Graph, settings: Sequence[tuple[str, int]], share: float = 0.2, cache: Cache | None = None
) -> dict[str, Array]:
    """Compare the LLVM engine at each (level, threads) with the clear interpreter, bit for bit; raises Failure.

    With a `cache` the program is compiled once per level. Returns every value of the graph as the clear interpreter computes it.
    """
    whole = graph.program()
    wanted = Interpreter(whole).run({port.name: graph.inputs[port.name] for port in whole.inputs})
    values = {**graph.inputs, **graph.constants, **wanted}
    outputs = visible(graph, share)
    program = graph.program(outputs)
    for level, threads in settings:
        with sharing(graph.random.choice([1, 64, executable.SHARED_FROM])):
            what = differences(program, values, wanted, level, threads, cache)
            if what:
                nodes = _reduced(graph, values, outputs, level, threads)
                raise Failure(_told(graph, nodes, f"{level}, {threads} threads: {what}"))
    return values


def _reduced(
    graph: Graph, values: dict[str, Array], outputs: Sequence[str], level: str, threads: int
) -> list[NodeProto]:
    """The nodes without those that the difference can do without; what they made becomes an input."""

    def shows(nodes: list[NodeProto]) -> bool:
        made = {n for node in nodes for n in node.output}
        read = {n for node in nodes for n in node.input}
        kept = [n for node in nodes for n in node.output if n in outputs or n not in read]
        if not made:
            return False
        return differences(graph.program(kept, nodes), values, values, level, threads) != ""

    nodes = list(graph.nodes)
    for node in list(nodes):
        fewer = [n for n in nodes if n is not node]
        if shows(fewer):
            nodes = fewer
    return nodes


def run(
    seed: int,
    nodes: int,
    report: Counter[str],
    settings: Sequence[tuple[str, int]] | None = None,
    *,
    only: Sequence[str] | None = None,
    guard: bool = False,
    wild: bool | None = None,
) -> None:
    """Draw the program of one seed and check it at every (level, threads), by default at all levels or those of `only`.

    With `guard`, an engine that touches memory beside a tensor ends the process, and nothing else is compared.
    Raises Failure, or the AssertionError of a comparison with ONNX Runtime.
    """
    from guarded import guarded, guarding
    from ort_nodes import compare

    random = Random(seed)
    graph = draw(random, wild, nodes)
    drawn = [(level, random.randint(1, 8)) for level in (levels() if only is None else only)]
    share = random.choice([0.0, 0.2, 1.0])
    if guard:
        graph.inputs = {name: guarded(array, random.random() < 0.7) for name, array in graph.inputs.items()}
        with guarding(random):
            check(graph, drawn, share)
        return
    values = check(graph, drawn if settings is None else settings, share)
    report["programs"] += 1
    report["nodes"] += len(graph.nodes)
    for node in graph.nodes:
        report[compare(node, graph, values) or "compared with ONNX Runtime"] += 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=10**9, help="programs at most")
    parser.add_argument("--only", type=int, help="check the program of this seed alone")
    parser.add_argument("--nodes", type=int, default=14)
    parser.add_argument("--levels", nargs="*", help="sse2 avx2 avx512 aarch64; none: ONNX Runtime alone")
    parser.add_argument("--guard", action="store_true", help="end the process where memory beside a tensor is touched")
    parser.add_argument("--keep-going", action="store_true", help="report every failure until the time is over")
    given = parser.parse_args()
    report: Counter[str] = Counter()
    end, seed, failed = time.monotonic() + given.seconds, given.seed if given.only is None else given.only, 0
    last = seed + given.count
    while seed < last and time.monotonic() < end and (given.keep_going or not failed):
        if given.guard:
            sys.stderr.write(f"--only {seed}\n")  # the last one is the culprit if the process ends
        try:
            run(seed, given.nodes, report, only=given.levels, guard=given.guard)
        except Exception as error:  # whatever goes wrong is a finding, and names its seed
            failed += 1
            sys.stdout.write(f"--only {seed} --nodes {given.nodes}: {type(error).__name__}: {error}\n")
            sys.stdout.flush()
            if given.only is not None:
                raise
        if given.only is not None:
            break
        seed += 1
    sys.stdout.write("".join(f"{count:8d} {what}\n" for what, count in report.most_common()) + f"{failed} failed\n")
    return int(failed > 0)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.modules["random_programs"] = sys.modules["__main__"]
    sys.exit(main())
