"""The standard `onnx.backend.base.Backend` on top of our engines, so that ONNX's own runner can drive them.

A program has static shapes. Where a value that arrives at run time decides one (the second input of Reshape, say), the
program is loaded again with that value as a constant: once per value, and kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import IR_VERSION, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, defs, helper, numpy_helper
from onnx.backend.base import Backend, BackendRep, namedtupledict

from assay.errors import RefusedError, UnsupportedOperator, UsageError
from assay.program import Limits, load

from . import Executable

__all__ = ["AssayBackend", "AssayRep", "ready"]

Array = np.ndarray[Any, Any]

_KEPT = 16
"""Programs that one model keeps: each set of shapes and of shape-deciding values needs its own."""


class AssayBackend(Backend):
    """Run ONNX models and nodes with the bits of exact-1. Give `engine="clear"` for the obvious interpreter."""

    @classmethod
    def prepare(cls, model: ModelProto, device: str = "CPU", **options: Any) -> AssayRep:
        """A model ready to run. Takes `engine` ("exact" or "clear") and `limits`; other options are ignored.

        What is refused can depend on the inputs' values, so refusals come from `run`.
        """
        if not cls.supports_device(device):
            raise UsageError(f"no such device: {device}", device=device)
        return AssayRep(model, options.get("engine", "exact"), options.get("limits"))

    @classmethod
    def is_compatible(cls, model: ModelProto, device: str = "CPU", **options: Any) -> bool:
        """Whether the model can be run, or can be once its inputs are known."""
        if not cls.supports_device(device):
            return False
        try:
            load(model.SerializeToString(), options.get("limits"), named=False)
        except RefusedError as refusal:
            return bool(refusal.evidence.get("needs"))
        return True

    @classmethod
    def run_node(
        cls,
        node: NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[np.dtype[Any], tuple[int, ...]]] | None = None,
        **options: Any,
    ) -> tuple[Any, ...]:
        """Run one node, in the operator set `opset_version` (by default the newest that onnx knows)."""
        names = [name for name in dict.fromkeys(node.input) if name]
        arrays = [np.asarray(x) for x in (inputs.values() if isinstance(inputs, Mapping) else inputs)]
        if len(arrays) != len(names):
            raise UsageError(f"{node.op_type} has {len(names)} inputs; {len(arrays)} were given", inputs=names)
        infos = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in zip(names, arrays, strict=True)
        ]
        graph = helper.make_graph([node], "node", infos, [ValueInfoProto(name=name) for name in node.output if name])
        version = options.pop("opset_version", defs.onnx_opset_version())
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid(node.domain, version)])
        model.ir_version = min(model.ir_version, IR_VERSION)
        return cls.prepare(model, device, **options).run(arrays)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """CPU only."""
        return device.split(":", maxsplit=1)[0] == "CPU"


class AssayRep(BackendRep):
    """A model with the programs that it became so far."""

    def __init__(self, model: ModelProto, engine: str, limits: Limits | None) -> None:
        self._model = model
        self._engine = engine
        self._limits = limits
        self._decisive: dict[Any, frozenset[str]] = {}
        self._ready: dict[Any, Executable] = {}

    def run(self, inputs: Any, **_: Any) -> tuple[Any, ...]:
        """The graph's outputs in their order, from its inputs in theirs (or by name).

        Raises ProgramRefused or UnsupportedOperator where exact-1 does not cover the model with these inputs.
        """
        given = self.named(inputs)
        executable, decisive = self.specialised(given)
        found = executable.run({name: array for name, array in given.items() if name not in decisive})
        names = [output.name for output in self._model.graph.output]
        outputs: tuple[Any, ...] = namedtupledict("Outputs", names)(*(found[name] for name in names))
        return outputs

    def specialised(self, given: Mapping[str, Any]) -> tuple[Executable, frozenset[str]]:
        """What runs these inputs, and the names of those that are constants in it."""
        arrays = {name: array for name, array in given.items() if isinstance(array, np.ndarray)}
        types = tuple((name, array.dtype.name, array.shape) for name, array in arrays.items())
        decisive = self._decisive.get(types, frozenset[str]())
        while True:
            key = (types, tuple((name, arrays[name].tobytes()) for name in sorted(decisive)))
            if key in self._ready:
                return self._ready[key], decisive
            source = specialise(self._model, arrays, decisive).SerializeToString()
            try:
                executable = ready(source, self._engine, self._limits)
            except UnsupportedOperator as refusal:
                missing = set(refusal.evidence.get("needs", ())) & (arrays.keys() - decisive)
                if not missing:
                    raise
                decisive = self._decisive[types] = decisive | missing
                continue
            while len(self._ready) >= _KEPT:
                del self._ready[next(iter(self._ready))]
            self._ready[key] = executable
            return executable, decisive

    def named(self, inputs: Any) -> dict[str, Any]:
        """Inputs by name; an initializer that is listed as an input, too, takes its own value if none is given."""
        initial = {tensor.name for tensor in self._model.graph.initializer}
        names = [info.name for info in self._model.graph.input if info.name not in initial]
        if isinstance(inputs, Mapping):
            values = dict(inputs)
        else:
            values = dict(zip(names, inputs, strict=False))
            if len(inputs) > len(names):
                raise UsageError(f"the model has {len(names)} inputs; {len(inputs)} were given", inputs=names)
        absent = [name for name in names if name not in values]
        if absent:
            raise UsageError(f"input {absent[0]} is missing", name=absent[0])
        # A list is a sequence and None an absent optional: the loader names what it does not cover.
        return {n: v if v is None or isinstance(v, list) else np.asarray(v) for n, v in values.items()}


def specialise(model: ModelProto, arrays: Mapping[str, Array], decisive: frozenset[str]) -> ModelProto:
    """The model for inputs of these shapes, with the inputs named `decisive` as initializers."""
    result = ModelProto()
    result.CopyFrom(model)
    graph: GraphProto = result.graph
    defaults = {tensor.name: tensor for tensor in graph.initializer if tensor.name not in arrays}
    del graph.initializer[:]
    graph.initializer.extend(TensorProto.FromString(t.SerializeToString()) for t in defaults.values())
    kept = []
    for info in graph.input:
        if info.name in defaults:
            continue
        array = arrays.get(info.name)
        if info.name in decisive and array is not None:
            graph.initializer.append(numpy_helper.from_array(array, info.name))
            continue
        if array is not None and info.type.HasField("tensor_type"):
            del info.type.tensor_type.shape.dim[:]
            info.type.tensor_type.shape.SetInParent()
            for size in array.shape:
                info.type.tensor_type.shape.dim.add().dim_value = size
        kept.append(info)
    kept = [ValueInfoProto.FromString(info.SerializeToString()) for info in kept]
    del graph.input[:]
    graph.input.extend(kept)
    return result


def ready(source: bytes, engine: str, limits: Limits | None = None) -> Executable:
    """An ONNX file made ready to run by the engine called "exact" (through LLVM) or "clear"."""
    program = load(source, limits, named=False)
    if engine == "clear":
        from .clear import Interpreter

        return Interpreter(program)
    if engine != "exact":
        raise UsageError(f"no such engine: {engine}", hint="Engines are exact and clear.", engine=engine)
    from .exact import compile

    return compile(program)
