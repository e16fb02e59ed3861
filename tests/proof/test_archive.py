from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from assay.errors import BlobRefused, UsageError
from assay.program.types import DType, Port
from assay.proof import blob_of, decode_state, encode_state, size_limit
from assay.proof.archive import HEADER_LIMIT, encode, parse

EVERY_TYPE = {dtype.value: np.arange(6).reshape(2, 3).astype(dtype.numpy) for dtype in DType}


def ports_of(state: dict[str, np.ndarray]) -> dict[str, Port]:
    return {name: Port(f"state/{name}", DType.of(array), array.shape) for name, array in state.items()}


def packed(header: Any, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def entry(dtype: str = "F32", shape: Any = (1,), start: Any = 0, end: Any = 4) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(
        a[n].dtype == b[n].dtype and a[n].shape == b[n].shape and a[n].tobytes() == b[n].tobytes() for n in a
    )


def test_every_type_survives_and_the_safetensors_library_agrees() -> None:
    state = EVERY_TYPE | {"scalar": np.array(7, np.int64), "empty": np.zeros((0, 3), np.float16)}
    data = encode_state(state)
    assert same(parse(data), state)
    assert same(decode_state(data, ports_of(state)), state)
    theirs = {name: bytes(fields["data"]) for name, fields in safetensors.deserialize(data)}
    assert theirs == {name: array.tobytes() for name, array in state.items()}
    assert same(parse(safetensors.numpy.save(dict(state), metadata={"made": "elsewhere"})), state)


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=5).filter(lambda n: n != "__metadata__"),
        hnp.arrays(st.sampled_from([np.float32, np.uint8, np.bool_, np.int64]), hnp.array_shapes(max_side=4)),
        max_size=5,
    )
)
@settings(max_examples=60)
def test_what_is_encoded_is_parsed(state: dict[str, np.ndarray]) -> None:
    data = encode_state(state)
    assert same(parse(data), state)
    assert encode_state(dict(reversed(state.items()))) == data
    assert blob_of(state).sha256 == sha256(data).hexdigest()
    assert blob_of(state).size == len(data) <= size_limit(ports_of(state))


def test_golden_bytes() -> None:
    """The encoding names a checkpoint's blob, so it may never change."""
    state = {"b": np.array([True]), "w": np.array([1.5, -2], np.float32), "a": np.array([3, 4], np.float32)}
    assert encode_state(state) == packed(
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},'
        b'"b":{"dtype":"BOOL","shape":[1],"data_offsets":[16,17]}}    ',
        np.array([3, 4, 1.5, -2], "<f4").tobytes() + b"\x01",
    )


def test_tensors_are_aligned_and_not_copied() -> None:
    state = {"flag": np.array([True] * 3), "x": np.zeros(5, np.float32), "h": np.zeros(3, ml_dtypes.bfloat16)}
    assert all(array.flags.aligned for array in parse(encode_state(state)).values())
    pieces = list(encode(state))
    assert any(np.shares_memory(np.frombuffer(piece, np.uint8), state["x"]) for piece in pieces[1:])


def test_a_loaded_state_is_one_s_own() -> None:
    state = {"w": np.ones(3, np.float32)}
    loaded = decode_state(encode_state(state), ports_of(state))
    loaded["w"][0] = 5
    assert loaded["w"].flags.owndata


HOSTILE = {
    "nothing": b"",
    "short": b"\x01\x00",
    "header beyond the end": (100).to_bytes(8, "little") + b"{}",
    "huge header": (2**63).to_bytes(8, "little") + b"{}",
    "header over the limit": (HEADER_LIMIT + 1).to_bytes(8, "little") + b" " * (HEADER_LIMIT + 1),
    "no header": (0).to_bytes(8, "little"),
    "not json": packed(b"{'w': 1}"),
    "not an object": packed([1, 2]),
    "deep": packed(b"[" * 100_000),
    "deep entry": packed(b'{"w":' + b"[" * 100_000),
    "not utf-8": packed(b'{"\xff\xfe":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'),
    "lone surrogate": packed(b'{"\\ud800":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'),
    "entry of a wrong kind": packed({"w": 3}),
    "missing field": packed({"w": {"dtype": "F32", "shape": [1]}}, bytes(4)),
    "unknown field": packed({"w": entry() | {"extra": 1}}, bytes(4)),
    "unknown type": packed({"w": entry("F8_E4M3", [4])}, bytes(4)),
    "float64": packed({"w": entry("F64", [1], 0, 8)}, bytes(8)),
    "negative shape": packed({"w": entry(shape=[-1])}, bytes(4)),
    "negative shapes that multiply up": packed({"w": entry(shape=[-1, -1])}, bytes(4)),
    "fractional shape": packed({"w": entry(shape=[1.0])}, bytes(4)),
    "shape as text": packed({"w": entry(shape=["1"])}, bytes(4)),
    "overflowing shape": packed({"w": entry(shape=[2**32, 2**32, 2**32])}, bytes(4)),
    "shape over 2**53": packed({"w": entry(shape=[2**64])}, bytes(4)),
    "zero times huge": packed({"w": entry(shape=[0, 2**53, 2**53, 2**53], end=0)}),
    "too many axes": packed({"w": entry(shape=[1] * 65)}, bytes(4)),
    "too short for its shape": packed({"w": entry(shape=[2])}, bytes(4)),
    "offsets backwards": packed({"w": entry(start=4, end=0)}, bytes(4)),
    "negative offset": packed({"w": entry(start=-4, end=0)}, bytes(4)),
    "offsets beyond the end": packed({"w": entry()}, bytes(3)),
    "three offsets": packed({"w": entry() | {"data_offsets": [0, 2, 4]}}, bytes(4)),
    "overlap": packed({"a": entry(), "b": entry()}, bytes(4)),
    "gap": packed({"a": entry(), "b": entry(start=8, end=12)}, bytes(12)),
    "trailing bytes": packed({"w": entry()}, bytes(5)),
    "leading bytes": packed({"w": entry(start=1, end=5)}, bytes(5)),
    "bool of 2": packed({"w": entry("BOOL", [1], 0, 1)}, b"\x02"),
    "metadata of a wrong kind": packed({"__metadata__": {"a": 1}, "w": entry()}, bytes(4)),
    "long name": packed({"w" * 2000: entry()}, bytes(4)),
    "many tensors": packed({str(i): entry(shape=[0], end=0) for i in range(70_000)}),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_refused(data: bytes) -> None:
    with pytest.raises(BlobRefused):
        parse(data)


@given(st.binary(max_size=200), st.data())
def test_any_damage_is_refused_or_harmless(noise: bytes, data: st.DataObject) -> None:
    """Random bytes, and one flipped bit in a good file: BlobRefused or well-formed tensors, never another error."""
    good = bytearray(encode_state({"w": np.arange(4, dtype=np.float32), "b": np.array([True, False])}))
    at = data.draw(st.integers(0, len(good) * 8 - 1))
    good[at // 8] ^= 1 << at % 8
    for candidate in (noise, bytes(good)):
        try:
            tensors = parse(candidate)
        except BlobRefused:
            continue
        assert all(isinstance(array, np.ndarray) for array in tensors.values())


STATE = {"w": np.ones((2, 3), np.float32), "n": np.array(1, np.int64)}


@pytest.mark.parametrize(
    "other",
    [
        {"w": STATE["w"]},
        STATE | {"extra": STATE["n"]},
        {"w": STATE["w"], "m": STATE["n"]},
        STATE | {"w": STATE["w"].T},
        STATE | {"w": STATE["w"].astype(np.float16)},
        STATE | {"w": STATE["w"].view(np.int32)},
        STATE | {"n": np.array([1])},
        {},
    ],
)
def test_a_state_has_exactly_the_program_s_tensors(other: dict[str, np.ndarray]) -> None:
    with pytest.raises(BlobRefused, match="not a state"):
        decode_state(encode_state(other), ports_of(STATE))


def test_element_types_outside_exact_1_are_not_written() -> None:
    with pytest.raises(UsageError, match="float64"):
        encode_state({"w": np.zeros(3)})
