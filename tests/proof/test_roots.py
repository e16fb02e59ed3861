"""Each root against an independent reference, written from docs/proof.md, and against hard-coded values."""

from __future__ import annotations

import json
import struct
from hashlib import sha256

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from assay.errors import UsageError
from assay.program.kernel import Axis, Const, Kernel, Order, Read
from assay.program.program import Cost, Program
from assay.program.types import DType, Port
from assay.proof import dataset_root, program_root, state_root, tensor_root
from assay.proof.roots import row_leaves


def reference_merkle(leaves: list[bytes]) -> bytes:
    if len(leaves) <= 1:
        return leaves[0] if leaves else bytes(32)
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    right = leaves[half:] + [bytes(32)] * (2 * half - len(leaves))
    return sha256(b"\x01" + reference_merkle(leaves[:half]) + reference_merkle(right)).digest()


def reference_types(name: str, dtype: str, dims: tuple[int, ...]) -> bytes:
    text = name.encode()
    parts = [struct.pack(">H", len(text)), text, struct.pack("B", len(dtype)), dtype.encode()]
    return b"".join([*parts, struct.pack("B", len(dims)), *(struct.pack(">Q", n) for n in dims)])


def reference_tensor(name: str, array: np.ndarray) -> bytes:
    data = array.tobytes()
    leaves = [sha256(b"\x00" + data[i : i + 1024]).digest() for i in range(0, len(data), 1024)]
    root = reference_merkle(leaves or [sha256(b"\x00").digest()])
    return sha256(b"\x02" + reference_types(name, array.dtype.name, array.shape) + root).digest()


STATE = {
    "w": np.arange(1000, dtype=np.float32).reshape(10, 100) / 7,
    "é": np.array([], np.int64).reshape(0, 3),
    "b": np.array(-1.5, np.float16),
    "mask": np.array([True, False, True]),
    "n": np.arange(600, dtype=np.uint64),
    "h": np.arange(5).astype(ml_dtypes.bfloat16),
}


def test_tensor_and_state_roots() -> None:
    for name, array in STATE.items():
        assert tensor_root(name, array) == reference_tensor(name, array)
    leaves = [reference_tensor(name, STATE[name]) for name in ["b", "h", "mask", "n", "w", "é"]]
    expected = sha256(b"\x03" + struct.pack(">I", 6) + reference_merkle(leaves)).digest()
    assert state_root(STATE) == expected
    assert state_root(dict(reversed(STATE.items()))) == expected
    assert expected.hex() == "c90e3c225e68ab13b768679b5499333e2f2a3c2aa5faf30fb202c4ec20086f2c"


@given(hnp.arrays(np.int16, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=20)))
def test_any_tensor(array: np.ndarray) -> None:
    assert tensor_root("t", array) == reference_tensor("t", array)


def test_memory_layout_does_not_matter_but_name_type_and_shape_do() -> None:
    a = np.arange(12, dtype=np.float32).reshape(3, 4)
    same = tensor_root("a", a)
    assert tensor_root("a", np.asfortranarray(a)) == same
    assert tensor_root("a", np.repeat(a, 2, axis=1)[:, ::2]) == same
    assert tensor_root("a", a.astype(">f4")) == same
    different = {tensor_root(*x) for x in [("b", a), ("a", a.view(np.int32)), ("a", a.reshape(4, 3)), ("a", a + 1)]}
    assert len(different | {same}) == 5
    zero = np.array([0.0], np.float32)
    assert tensor_root("z", zero) != tensor_root("z", -zero)


def test_element_types_outside_exact_1_are_refused() -> None:
    with pytest.raises(UsageError, match="float64"):
        tensor_root("x", np.zeros(3))
    with pytest.raises(UsageError):
        state_root({"x" * 70000: np.zeros(3, np.float32)})


def rows_reference(columns: dict[str, np.ndarray]) -> bytes:
    names = sorted(columns, key=lambda n: n.encode())
    count = len(columns[names[0]])
    leaves = [sha256(b"\x06" + b"".join(columns[n][i].tobytes() for n in names)).digest() for i in range(count)]
    types = b"".join(reference_types(n, columns[n].dtype.name, columns[n].shape[1:]) for n in names)
    head = struct.pack(">Q", count) + struct.pack(">I", len(names))
    return sha256(b"\x09" + head + types + reference_merkle(leaves)).digest()


def test_dataset_root() -> None:
    columns = {
        "y": np.arange(37, dtype=np.int64),
        "x": np.arange(37 * 6, dtype=np.float32).reshape(37, 2, 3),
        "none": np.zeros((37, 0), np.uint8),
    }
    assert dataset_root(columns) == rows_reference(columns)
    assert dataset_root(columns).hex() == "fda3cbc67ce91c221d54f55e692a720fdef61d2bf20b40bc0359f8558f665a28"
    with pytest.raises(UsageError):
        dataset_root({"x": np.zeros(3, np.int8), "y": np.zeros(4, np.int8)})
    with pytest.raises(UsageError):
        dataset_root({})


def test_rows_are_hashed_alike_in_any_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"x": np.arange(1000, dtype=np.int32).reshape(100, 10), "y": np.arange(100, dtype=np.int8)}
    whole = row_leaves(columns)
    monkeypatch.setattr("assay.proof.roots.BLOCK_BYTES", 42 * 7)
    assert row_leaves(columns) == whole


def toy_program(**changes: object) -> Program:
    """y = w * 2, as one kernel."""
    read = Read("state/w", (4,), (Axis((1,)),))
    kernel = Kernel("mul", "t0", DType.FLOAT32, (4,), (4,), (read, Const(DType.FLOAT32, 0x40000000)))
    sums = Kernel(
        "add", "t1", DType.FLOAT32, (), (), (Read("t0", (4,), (Axis((), (1,)),)),), fold=(4,), order=Order.LANES
    )
    fields: dict[str, object] = {
        "source": b"",
        "inputs": (Port("state/w", DType.FLOAT32, (4,)),),
        "outputs": ((Port("next/w", DType.FLOAT32, (4,)), "t0"), (Port("metric/loss", DType.FLOAT32, ()), "t1")),
        "constants": {"c": np.array([1, 2], np.int64)},
        "kernels": (kernel, sums),
        "cost": Cost(8, 0, 0),
    }
    return Program(**(fields | changes))  # type: ignore[arg-type]


def test_program_root_of_a_toy() -> None:
    def port(name: str, shape: list[int]) -> dict[str, object]:
        return {"name": name, "dtype": "float32", "shape": shape}

    header = {
        "numerics": "exact-1",
        "inputs": [port("state/w", [4])],
        "outputs": [[port("next/w", [4]), "t0"], [port("metric/loss", []), "t1"]],
        "constants": 1,
        "kernels": 2,
    }
    mul = {
        "op": "mul",
        "output": "t0",
        "dtype": "float32",
        "shape": [4],
        "domain": [4],
        "operands": [
            {"type": "read", "tensor": "state/w", "view": [4], "axes": [{"strides": [1]}]},
            {"type": "const", "dtype": "float32", "bits": 0x40000000},
        ],
    }
    add = {
        "op": "add",
        "output": "t1",
        "dtype": "float32",
        "shape": [],
        "domain": [],
        "operands": [{"type": "read", "tensor": "t0", "view": [4], "axes": [{"strides": [], "fold_strides": [1]}]}],
        "fold": [4],
        "order": "lanes",
    }

    def canonical(value: object) -> bytes:
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()

    leaves = [
        sha256(b"\x00" + canonical(header)).digest(),
        reference_tensor("c", np.array([1, 2], np.int64)),
        sha256(b"\x07" + canonical(mul)).digest(),
        sha256(b"\x07" + canonical(add)).digest(),
    ]
    root = program_root(toy_program())
    assert root == sha256(b"\x08" + reference_merkle(leaves)).digest()
    assert root.hex() == "381c6ef30e862ff563a3762a5fa1ee8633012b8f880e12118c879b6470a0d6fa"


def test_program_root_binds_ports_constants_and_kernels() -> None:
    program = toy_program()
    roots = {
        program_root(program),
        program_root(toy_program(kernels=program.kernels[:1])),
        program_root(toy_program(kernels=program.kernels[::-1])),
        program_root(toy_program(constants={"c": np.array([1, 3], np.int64)})),
        program_root(toy_program(inputs=(Port("state/v", DType.FLOAT32, (4,)),))),
        program_root(toy_program(outputs=program.outputs[:1])),
    }
    assert len(roots) == 6
    assert program_root(toy_program(source=b"other bytes", cost=Cost(1, 1, 1))) == program_root(program)


@given(st.dictionaries(st.text(max_size=8), st.integers(0, 255), max_size=6))
def test_state_root_ignores_the_order_of_names(values: dict[str, int]) -> None:
    state = {name: np.array([value], np.uint8) for name, value in values.items()}
    assert state_root(state) == state_root(dict(sorted(state.items(), reverse=True)))
