"""Inference as a task: a program whose state is the answer sheet, filled in row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import gcd
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from assay.errors import RefusedError, UsageError

from .limits import Limits
from .loader import load, parse
from .program import BATCH, METRIC, NEXT, RESULT, STATE, Program
from .types import Port

__all__ = ["ROW", "sheet"]

ROW = "row"
"""The column that `sheet` adds: int64, the number of each row in the dataset."""

PROBES = 8
"""Most tensors that `metric/probe` looks at, and most sums of one."""

OWN = "sheet/"
MOVES = {"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
"""Operators whose result tells what they were given."""


def sheet(data: bytes, rows: int, *, results: Sequence[str] | None = None) -> bytes:
    """The inference program `data` as a program with a state, for a dataset of `rows` rows: the bytes for `load`.

    Every `batch/<column>` and every kept `result/<name>` has the batch as first axis. The input `batch/row` (int64,
    shape (batch,)) is added, and each result becomes `state/<name>` and `next/<name>` of shape (rows, ...), in which a
    step overwrites its rows. `results` names the kept ones, by default all. `metric/probe` (float32) holds sums of
    squares, up to 8 of each of up to 8 float tensors that are computed and not kept, spread over the program, the last
    one included: the results themselves lie in the next checkpoint, and would not show that a verifier has computed.

    Raises UsageError for what is no such program, RefusedError if nothing is left to probe.
    """
    program = load(data)
    batch = _batch_size(program)
    if rows < batch:
        raise UsageError(f"a batch of {batch} rows does not fit a dataset of {rows}", rows=rows, batch=batch)
    kept = _kept(program, batch, results)
    model = parse(data, Limits())
    graph = model.graph
    if taken := sorted(name for name in _names(graph) if name.startswith((OWN, STATE, NEXT, METRIC))):
        raise UsageError(f"the name {taken[0]!r} is needed for the answer sheet", tensor=taken[0])
    probed = _probed(model, {RESULT + name for name in kept})
    del graph.output[:]
    _probe(model, probed)
    row = helper.make_tensor_value_info(BATCH + ROW, TensorProto.INT64, [batch])
    graph.input.append(row)
    graph.initializer.append(numpy_helper.from_array(np.array([batch, 1]), OWN + "column"))
    graph.node.append(helper.make_node("Reshape", [BATCH + ROW, OWN + "column"], [OWN + "rows"]))
    for name, port in kept.items():
        kind, shape = helper.np_dtype_to_tensor_dtype(port.dtype.numpy), (rows, *port.shape[1:])
        graph.input.append(helper.make_tensor_value_info(STATE + name, kind, shape))
        graph.output.append(helper.make_tensor_value_info(NEXT + name, kind, shape))
        places = [STATE + name, OWN + "rows", RESULT + name]
        graph.node.append(helper.make_node("ScatterND", places, [NEXT + name]))
    return bytes(model.SerializeToString(deterministic=True))


def _batch_size(program: Program) -> int:
    """The first axis of every column."""
    if program.state or program.is_training:
        raise UsageError("the program has a state already", hint="A sheet is made of a program of inputs and results.")
    if ROW in program.batch:
        raise UsageError(f"the name {BATCH + ROW!r} is needed for the answer sheet", tensor=BATCH + ROW)
    sizes = {port.shape[:1] for port in program.batch.values()}
    if len(sizes) != 1 or () in sizes:
        shapes = {name: port.shape for name, port in program.batch.items()}
        raise UsageError(f"the columns do not share a first axis, the batch: {shapes}")
    ((batch,),) = sizes
    return batch


def _kept(program: Program, batch: int, results: Sequence[str] | None) -> dict[str, Port]:
    found = program.ports(RESULT)
    if missing := sorted(set(results or ()) - set(found)):
        raise UsageError(f"the program has no result {missing[0]!r}", hint=f"It has {', '.join(found) or 'none'}.")
    kept = {name: port for name, port in found.items() if results is None or name in results}
    if not kept:
        raise UsageError("the program gives no result to keep", hint="Its outputs are to be named result/….")
    for name, port in kept.items():
        if port.shape[:1] != (batch,):
            raise UsageError(
                f"the result {name!r} has shape {port.shape}: its first axis is not the batch of {batch} rows",
                hint="Keep only results with one entry per row: results=[...].",
                result=name,
            )
    return kept


def _probed(model: ModelProto, kept: set[str]) -> list[Port]:
    """Float tensors that depend on the batch and that nobody can read off the kept results, in their order."""
    producers = {name: node for node in model.graph.node for name in node.output}

    def origin(name: str) -> str:
        while name in producers and producers[name].op_type in MOVES:
            name = producers[name].input[0]
        return name

    shown, fed, found = {origin(name) for name in kept}, {port.name for port in model.graph.input}, list[str]()
    for node in model.graph.node:
        if fed.intersection(_reads(node)):
            fed.update(name for name in node.output if name)
            if node.op_type not in MOVES:
                found += [name for name in node.output if name and name not in shown]
    floats = _floats(model, found)
    if not floats:
        raise RefusedError(
            "All that the model computes is in its results: a verifier could copy instead of computing.",
            hint="Keep fewer of them, the labels without the probabilities say: results=[...].",
        )
    last = len(floats) - 1
    return floats if last < PROBES else [floats[k * last // (PROBES - 1)] for k in range(PROBES)]


def _floats(model: ModelProto, names: Sequence[str]) -> list[Port]:
    """Those of the graph's tensors that are floats, in the same order."""
    trial = ModelProto()
    trial.CopyFrom(model)
    del trial.graph.output[:]
    trial.graph.output.extend(ValueInfoProto(name=name) for name in names)
    everything = Limits(peak_bytes=2**62)  # nothing runs: this many are never alive together
    ports = [port for port, _ in load(trial.SerializeToString(), everything, named=False).outputs] if names else []
    return [port for port in ports if port.dtype.is_float and port.size]


def _probe(model: ModelProto, ports: Sequence[Port]) -> None:
    """Add `metric/probe`: sums of squares over equal parts of each of the tensors, every element in one of them."""
    graph = model.graph
    attributed = next(entry.version for entry in model.opset_import if entry.domain == "") < 18
    over: dict[str, Any] = {"axes": [1]} if attributed else {}
    if not attributed:
        graph.initializer.append(numpy_helper.from_array(np.array([1]), OWN + "over"))
    for at, port in enumerate(ports):
        cast, shape, parts, sums = (f"{OWN}{step}{at}" for step in ("cast", "shape", "parts", "sums"))
        graph.initializer.append(numpy_helper.from_array(np.array([gcd(port.size, PROBES), -1]), shape))
        graph.node.append(helper.make_node("Cast", [port.name], [cast], to=TensorProto.FLOAT))
        graph.node.append(helper.make_node("Reshape", [cast, shape], [parts]))
        taken = [parts] if attributed else [parts, OWN + "over"]
        graph.node.append(helper.make_node("ReduceSumSquare", taken, [sums], keepdims=0, **over))
    every = [f"{OWN}sums{at}" for at in range(len(ports))]
    graph.node.append(helper.make_node("Concat", every, [METRIC + "probe"], axis=0))
    graph.output.append(ValueInfoProto(name=METRIC + "probe"))


def _reads(node: NodeProto) -> set[str]:
    """Every name that a node, and what it carries, may take."""
    return set(node.input).union(*(_reads(inner) for graph in _carried(node) for inner in graph.node))


def _names(graph: Any) -> set[str]:
    found = {info.name for field in (graph.input, graph.initializer) for info in field}
    for node in graph.node:
        found.update(node.output, *(_names(inner) for inner in _carried(node)))
    return found


def _carried(node: NodeProto) -> Iterator[GraphProto]:
    return (attribute.g for attribute in node.attribute if attribute.HasField("g"))
