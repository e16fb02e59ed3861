"""The committed bytes: canonical, and free of the names inside the ONNX file."""

from __future__ import annotations

import hashlib
import json

import msgspec
import numpy as np

from assay.program import Kernel, header_bytes, kernel_bytes, load, program_bytes

X = np.ones((2, 3), np.float32)


def layered(graph, rename, twice=False):
    g = graph(inputs={"x": X}, constants={rename("w"): np.eye(3, dtype=np.float32)}, outputs=["y"])
    if twice:
        g.constants[rename("w2")] = np.eye(3, dtype=np.float32)
    g.node("MatMul", ["x", rename("w")], [rename("m")]).node("Relu", [rename("m")], [rename("r")])
    return g.node("MatMul", [rename("r"), rename("w2" if twice else "w")], ["y"]).program()


def test_names_of_intermediates_and_equal_constants_do_not_matter(graph):
    one, other = layered(graph, lambda n: n), layered(graph, lambda n: f"{n}::renamed", twice=True)
    assert program_bytes(one) == program_bytes(other)
    assert one.source != other.source


def test_lowering_is_deterministic(graph):
    assert program_bytes(layered(graph, str)) == program_bytes(layered(graph, str))


def test_kernels_decode_to_themselves(graph):
    for kernel in layered(graph, str).kernels:
        data = kernel_bytes(kernel)
        assert msgspec.json.decode(data, type=Kernel, strict=True) == kernel
        assert data == json.dumps(json.loads(data), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_the_bytes_of_one_kernel_are_these(one_node):
    """A golden kernel: if this changes, every commitment changes, and the numerics need a new name."""
    (kernel,) = one_node("MatMul", [X, np.ones((3, 4), np.float32)]).program().kernels
    assert kernel_bytes(kernel) == (
        b'{"domain":[2,4],"dtype":"float32","fold":[3],"op":"fma",'
        b'"operands":['
        b'{"axes":[{"fold_strides":[0],"strides":[1,0]},{"fold_strides":[1],"strides":[0,0]}],'
        b'"tensor":"x0","type":"read","view":[2,3]},'
        b'{"axes":[{"fold_strides":[1],"strides":[0,0]},{"fold_strides":[0],"strides":[0,1]}],'
        b'"tensor":"x1","type":"read","view":[3,4]}],'
        b'"order":"chain","output":"k0","shape":[2,4]}'
    )


def test_the_header_binds_ports_places_and_constants(graph):
    header = json.loads(header_bytes(layered(graph, str)))
    assert header["numerics"] == "exact-1"
    assert header["kernels"] == 3
    assert header["inputs"] == [{"dtype": "float32", "name": "x", "shape": [2, 3]}]
    assert header["outputs"] == [[{"dtype": "float32", "name": "y", "shape": [2, 3]}, "k2"]]
    digest = hashlib.sha256(np.eye(3, dtype=np.float32).tobytes()).hexdigest()
    assert header["constants"] == [[{"dtype": "float32", "name": "c0", "shape": [3, 3]}, digest]]


def test_a_changed_constant_changes_the_header(graph):
    def with_bias(value):
        g = graph(inputs={"x": X}, constants={"b": np.float32([1, 2, value])}, outputs=["y"])
        return header_bytes(g.node("Add", ["x", "b"], ["y"]).program())

    assert with_bias(3) != with_bias(np.nextafter(np.float32(3), np.float32(4)))


def test_source_is_kept(graph):
    g = graph(inputs={"x": X}, outputs=["y"]).node("Neg", ["x"], ["y"])
    data = g.model().SerializeToString()
    assert load(data, named=False).source == data
