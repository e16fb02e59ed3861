"""A model from elsewhere as an inference program: static shapes, port names, and nothing else changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onnx import GraphProto, ModelProto, NodeProto, helper

from assay.errors import NotFoundError, UsageError

from .limits import Limits
from .loader import parse
from .program import BATCH, RESULT

__all__ = ["adopt"]


def adopt(
    data: bytes | Path, shapes: Mapping[str, Sequence[int]] | None = None, *, outputs: Sequence[str] | None = None
) -> bytes:
    """The ONNX model `data` (bytes, or the path of one file) as the bytes of an inference program, for `load`.

    Its inputs become `batch/<name>` and its outputs `result/<name>`; initializers stay constants. `shapes` gives the
    shape of each input that the file leaves open; axes of a fixed size must keep it. `outputs` names the outputs that
    are wanted, by default all; what only the others need is dropped (labels that are texts, say).

    Raises ProgramRefused for what is not an ONNX model, UsageError for shapes or outputs that do not fit it,
    NotFoundError if there is no file. Whether its operators are covered is for `load` to say.
    """
    if isinstance(data, Path):
        if not data.is_file():
            raise NotFoundError(f"no such file: {data}", path=str(data))
        data = data.read_bytes()
    model = parse(data, Limits())
    graph = model.graph
    del graph.value_info[:]
    _inputs(graph, dict(shapes or {}))
    _outputs(graph, outputs)
    _keep_needed(graph)
    _merge_imports(model)
    return bytes(model.SerializeToString(deterministic=True))


def _inputs(graph: GraphProto, shapes: dict[str, Sequence[int]]) -> None:
    """Declare `batch/<name>` with static shapes, and let the old names be other names of the same tensors."""
    constant = {tensor.name for tensor in graph.initializer}
    given = [info for info in graph.input if info.name not in constant]
    if unknown := sorted(shapes.keys() - {info.name for info in given}):
        raise UsageError(
            f"the model has no input {unknown[0]!r}", hint=f"It has {', '.join(info.name for info in given)}."
        )
    ports = []
    for info in given:
        declared = [d.dim_value or None for d in info.type.tensor_type.shape.dim]
        shape = list(shapes.get(info.name, [n or 0 for n in declared]))
        fits = not info.type.tensor_type.HasField("shape") or (
            len(shape) == len(declared) and all(d in (None, n) for d, n in zip(declared, shape, strict=True))
        )
        if not fits or any(n < 1 for n in shape):
            raise UsageError(
                f"the input {info.name!r} is declared as {_described(info)}, which {shape} does not fit",
                hint=f"Give its sizes: shapes={{{info.name!r}: (...)}}.",
                input=info.name,
            )
        ports.append(helper.make_tensor_value_info(BATCH + info.name, info.type.tensor_type.elem_type, shape))
    nodes = [helper.make_node("Identity", [BATCH + info.name], [info.name]) for info in given]
    _replace(graph.node, [*nodes, *graph.node])
    _replace(graph.input, ports)


def _described(info: Any) -> list[int | str]:
    return [d.dim_value or d.dim_param or "?" for d in info.type.tensor_type.shape.dim]


def _outputs(graph: GraphProto, wanted: Sequence[str] | None) -> None:
    """Declare `result/<name>` for the wanted outputs; their shapes follow from the inputs'."""
    names = [info.name for info in graph.output]
    if missing := sorted(set(wanted or ()) - set(names)):
        raise UsageError(f"the model has no output {missing[0]!r}", hint=f"It has {', '.join(names)}.")
    kept = [info for info in graph.output if wanted is None or info.name in wanted]
    graph.node.extend(helper.make_node("Identity", [info.name], [RESULT + info.name]) for info in kept)
    for info in kept:
        info.name = RESULT + info.name
        if info.type.HasField("tensor_type"):
            info.type.tensor_type.ClearField("shape")
    _replace(graph.output, kept)


def _keep_needed(graph: GraphProto) -> None:
    """Drop the nodes and initializers that no output needs. Outputs that nothing reads lose their name."""
    needed, kept = {info.name for info in graph.output}, list[NodeProto]()
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input, *(_reads(a.g) for a in node.attribute if a.HasField("g")))
    for node in kept:
        while node.output and node.output[-1] not in needed:
            del node.output[-1]
        node.output[:] = [name if name in needed else "" for name in node.output]
    _replace(graph.node, kept[::-1])
    _replace(graph.initializer, [tensor for tensor in graph.initializer if tensor.name in needed])


def _reads(graph: GraphProto) -> set[str]:
    """Every name that a graph carried by a node may take from around it."""
    names = {info.name for info in graph.output}
    for node in graph.node:
        names.update(node.input, *(_reads(a.g) for a in node.attribute if a.HasField("g")))
    return names


def _merge_imports(model: ModelProto) -> None:
    """One import per operator set, the newest: some exporters write the same one twice."""
    newest: dict[str, int] = {}
    for entry in model.opset_import:
        domain = "" if entry.domain == "ai.onnx" else entry.domain
        newest[domain] = max(newest.get(domain, 0), entry.version)
    _replace(model.opset_import, [helper.make_opsetid(domain, version) for domain, version in newest.items()])


def _replace(field: Any, values: Sequence[Any]) -> None:
    copies = [type(value).FromString(value.SerializeToString()) for value in values]
    del field[:]
    field.extend(copies)
