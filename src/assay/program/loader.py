"""An ONNX file to a program: scan, parse, validate, lower, count. Nothing in the file is trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import FunctionProto, GraphProto, ModelProto, NodeProto

from assay.errors import NotFoundError, ProgramRefused

from .cost import cost_of
from .kernel import Kernel, Operand, Read
from .limits import HARD_FILE_BYTES, Limits
from .lower import Context, Functions, Scope, lower_nodes, opset_versions
from .ports import check_inputs, check_outputs, declared_output, input_port
from .program import Program
from .storage import without_float_casts
from .tensors import tensor_array
from .types import DType, Port
from .wire import scan

__all__ = ["load", "parse"]


def load(data: bytes | Path, limits: Limits | None = None, *, named: bool = True) -> Program:
    """Validate and lower an ONNX model, given as bytes or as the path of one self-contained file.

    `named` demands the port names of program.py; without it any names are taken (models from elsewhere).
    Raises ProgramRefused or UnsupportedOperator, whatever the bytes are; NotFoundError if there is no file.
    Memory is bounded by a small multiple of the file's size, which `limits` bounds.
    """
    limits = limits or Limits()
    source = _read(data, limits) if isinstance(data, Path) else bytes(data)
    if len(source) > min(limits.file_bytes, HARD_FILE_BYTES):
        raise ProgramRefused(f"the ONNX file has {len(source)} bytes", limit=limits.file_bytes)
    model = parse(source, limits)
    functions = _functions(model, limits)
    context = Context(limits)
    inputs, scope = _open(model, context, functions, named)
    lower_nodes(scope, model.graph.node)
    outputs = _outputs(model.graph, scope)
    if named:
        check_outputs(inputs, [port for port, _ in outputs])
    return _finish(source, inputs, outputs, context)


def _read(path: Path, limits: Limits) -> bytes:
    if not path.is_file():
        raise NotFoundError(f"no such file: {path}", path=str(path))
    with path.open("rb") as file:
        return file.read(min(limits.file_bytes, HARD_FILE_BYTES) + 1)


def parse(source: bytes, limits: Limits) -> ModelProto:
    """The message in an ONNX file, bounded before it is read. Raises ProgramRefused for what is not an ONNX model."""
    scan(source, limits)
    model = ModelProto()
    try:
        model.ParseFromString(source)
    except DecodeError as error:
        raise ProgramRefused(f"malformed ONNX file: {error}") from None
    if not model.HasField("graph") or not model.opset_import:
        raise ProgramRefused("not an ONNX model: it has no graph, or names no operator set")
    graph = model.graph
    if graph.sparse_initializer or graph.quantization_annotation or model.training_info:
        raise ProgramRefused("sparse initializers, quantization annotations and training info are not accepted")
    return model


def _functions(model: ModelProto, limits: Limits) -> Functions:
    """Model-local functions. Refuses recursion and more than `limits.nodes` nodes after inlining, before inlining."""
    functions: Functions = {}
    for function in model.functions:
        key = (function.domain, function.name, function.overload)
        if function.domain in ("", "ai.onnx"):
            raise ProgramRefused(f"the function {function.name!r} redefines the standard domain")
        if key in functions:
            raise ProgramRefused(f"the function {function.name!r} is defined twice")
        functions[key] = function
    sizes: dict[tuple[str, str, str], int] = {}

    def size(body: FunctionProto | GraphProto, callers: tuple[tuple[str, str, str], ...]) -> int:
        total = 0
        for node in _every_node(body):
            key = (node.domain, node.op_type, node.overload)
            if key in callers:
                raise ProgramRefused(f"the function {node.op_type!r} calls itself", function=node.op_type)
            if key in functions and key not in sizes:
                if len(callers) >= limits.call_depth:
                    raise ProgramRefused("functions call each other too deeply", limit=limits.call_depth)
                sizes[key] = size(functions[key], (*callers, key))
            total += 1 + sizes.get(key, 0)
        return total

    for key, function in functions.items():
        if key not in sizes:
            sizes[key] = size(function, (key,))
    total = size(model.graph, ())
    if total > limits.nodes:
        raise ProgramRefused(f"{total} nodes after inlining", limit=limits.nodes)
    return functions


def _every_node(body: FunctionProto | GraphProto) -> Iterator[NodeProto]:
    """The nodes of a graph or function, and those of the graphs that they carry."""
    for node in body.node:
        yield node
        for attribute in node.attribute:
            for graph in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                yield from _every_node(graph)


def _open(model: ModelProto, context: Context, functions: Functions, named: bool) -> tuple[tuple[Port, ...], Scope]:
    """Inputs and initializers, bound in the graph's scope."""
    scope = Scope(context, functions, opset_versions(model.opset_import))
    inputs = tuple(input_port(info, context.limits) for info in model.graph.input)
    if named:
        check_inputs(inputs)
    for port in inputs:
        scope.define(port.name, context.input(port))
    for tensor in model.graph.initializer:
        if not tensor.name:
            raise ProgramRefused("an initializer has no name")
        scope.define(
            tensor.name, context.constant(tensor_array(tensor, f"the initializer {tensor.name!r}", context.limits))
        )
    return inputs, scope


def _outputs(graph: GraphProto, scope: Scope) -> list[tuple[Port, str]]:
    """The declared outputs and the tensors that hold them, copied where they are not whole tensors."""
    outputs = []
    seen: set[str] = set()
    for info in graph.output:
        value = scope.values.get(info.name)
        if value is None:
            raise ProgramRefused(f"nothing computes the output {info.name!r}", tensor=info.name)
        if info.name in seen:
            raise ProgramRefused(f"the output {info.name!r} is listed twice", tensor=info.name)
        seen.add(info.name)
        port = declared_output(info, value.dtype, value.shape)
        outputs.append((port, scope.context.materialise(value).tensor))
    return outputs


def _finish(source: bytes, inputs: tuple[Port, ...], outputs: Sequence[tuple[Port, str]], context: Context) -> Program:
    """Leave out what no output needs, and name the rest canonically: k0, k1, ... and c0, c1, ... by first use."""
    results = {tensor for _, tensor in outputs}
    types = {f"={port.name}": port.dtype for port in inputs}
    types |= {name: DType.of(array) for name, array in context.constants.items()}
    kept = _needed(without_float_casts(_needed(context.kernels, results), types, results), results)
    names = {f"={port.name}": port.name for port in inputs}
    constants: dict[str, np.ndarray[Any, Any]] = {}
    for tensor in (*(name for kernel in kept for name in kernel.reads), *(tensor for _, tensor in outputs)):
        if tensor in context.constants and tensor not in names:
            names[tensor] = f"c{len(constants)}"
            constants[names[tensor]] = context.constants[tensor]
    names |= {kernel.output: f"k{at}" for at, kernel in enumerate(kept)}
    kernels = tuple(_renamed(kernel, names) for kernel in kept)
    placed = tuple((port, names[tensor]) for port, tensor in outputs)
    ports = [Port(name, DType.of(array), array.shape) for name, array in constants.items()]
    cost = cost_of(inputs, ports, kernels, [tensor for _, tensor in placed])
    if cost.peak_bytes > context.limits.peak_bytes:
        raise ProgramRefused(f"the program needs {cost.peak_bytes} bytes of memory", limit=context.limits.peak_bytes)
    return Program(source, inputs, placed, constants, kernels, cost)


def _needed(kernels: Sequence[Kernel], results: set[str]) -> list[Kernel]:
    """The kernels that `results` follow from."""
    needed = set(results)
    kept: list[Kernel] = []
    for kernel in reversed(kernels):
        if kernel.output in needed:
            kept.append(kernel)
            needed.update(kernel.reads)
    return kept[::-1]


def _renamed(kernel: Kernel, names: Mapping[str, str]) -> Kernel:
    def operand(x: Operand) -> Operand:
        return msgspec.structs.replace(x, tensor=names[x.tensor]) if isinstance(x, Read) else x

    scatter = kernel.scatter and msgspec.structs.replace(kernel.scatter, base=names[kernel.scatter.base])
    return msgspec.structs.replace(
        kernel, output=names[kernel.output], operands=tuple(map(operand, kernel.operands)), scatter=scatter
    )
