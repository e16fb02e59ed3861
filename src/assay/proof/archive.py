"""The safetensors format, written deterministically and read strictly.

Layout: header length (8 bytes LE), a JSON header, the tensors' bytes. Written here: no metadata, tensors by falling
element size and then by name (so that each is aligned), header padded with spaces to 8 bytes. One set of tensors has
exactly one encoding, whatever version of whatever library is installed: replay relies on it to name a checkpoint's
blob.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated

import msgspec
import numpy as np

from assay.errors import BlobRefused
from assay.program.types import DType

from .tensors import Array, dtype_of, raw

__all__ = ["encode", "parse"]

HEADER_LIMIT = 8 << 20
TENSOR_LIMIT = 1 << 16
NAME_LIMIT = 1 << 10

_CODES = {
    DType.FLOAT32: "F32",
    DType.FLOAT16: "F16",
    DType.BFLOAT16: "BF16",
    DType.INT64: "I64",
    DType.INT32: "I32",
    DType.INT16: "I16",
    DType.INT8: "I8",
    DType.UINT64: "U64",
    DType.UINT32: "U32",
    DType.UINT16: "U16",
    DType.UINT8: "U8",
    DType.BOOL: "BOOL",
}
_DTYPES = {code: dtype for dtype, code in _CODES.items()}
_Size = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    dtype: str
    shape: Annotated[list[_Size], msgspec.Meta(max_length=64)]
    data_offsets: tuple[_Size, _Size]


def encode(tensors: Mapping[str, Array]) -> Iterator[bytes | memoryview]:
    """The file in pieces, without copying the tensors. Raises UsageError for an element type outside exact-1."""
    kinds = {name: dtype_of(name, array) for name, array in tensors.items()}
    order = sorted(tensors, key=lambda name: (-kinds[name].itemsize, name.encode()))
    entries, offset = {}, 0
    for name in order:
        end = offset + tensors[name].nbytes
        entries[name] = _Entry(_CODES[kinds[name]], list(tensors[name].shape), (offset, end))
        offset = end
    header = msgspec.json.encode(entries)
    header += b" " * (-len(header) % 8)
    yield len(header).to_bytes(8, "little") + header
    for name in order:
        yield raw(tensors[name])


def parse(data: bytes | memoryview) -> dict[str, Array]:
    """The tensors of a file as read-only views into `data` (which may be a mapped file).

    Raises BlobRefused unless every byte belongs to exactly one tensor of a known type and every bool is 0 or 1.
    """
    view = memoryview(data)
    size = int.from_bytes(view[:8], "little")
    if len(view) < 8 or size > HEADER_LIMIT or 8 + size > len(view):
        raise BlobRefused("not a safetensors file: its header does not fit", header=size, size=len(view))
    entries, body = _header(bytes(view[8 : 8 + size])), view[8 + size :]
    end = 0
    tensors: dict[str, Array] = {}
    for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        if entry.data_offsets[0] != end:
            raise BlobRefused("not a safetensors file: tensors overlap or leave a gap", tensor=name[:100])
        start, end = entry.data_offsets
        tensors[name] = _tensor(name, entry, body[start:end])
    if end != len(body):
        raise BlobRefused("not a safetensors file: bytes that belong to no tensor", size=len(body), used=end)
    return tensors


def _header(text: bytes) -> dict[str, _Entry]:
    try:
        raws = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        metadata = raws.pop("__metadata__", None)
        if metadata is not None:
            msgspec.json.decode(metadata, type=dict[str, str])
        if len(raws) > TENSOR_LIMIT or any(len(name) > NAME_LIMIT for name in raws):
            raise BlobRefused("a safetensors file with too many tensors or too long a name", tensors=len(raws))
        return {name: msgspec.json.decode(entry, type=_Entry, strict=True) for name, entry in raws.items()}
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise BlobRefused(f"not a safetensors file: {error}") from None


def _tensor(name: str, entry: _Entry, data: memoryview) -> Array:
    dtype = _DTYPES.get(entry.dtype)
    if dtype is None:
        raise BlobRefused(f"tensor {name!r} has element type {entry.dtype!r}, which exact-1 does not have")
    count = 1
    for n in entry.shape:
        count *= n
    if count * dtype.itemsize != len(data) or entry.data_offsets[1] - entry.data_offsets[0] != len(data):
        raise BlobRefused(f"tensor {name!r} has {len(data)} bytes; its shape needs {count * dtype.itemsize}")
    array = np.frombuffer(data, np.uint8)
    if dtype is DType.BOOL and count and array.max() > 1:
        raise BlobRefused(f"tensor {name!r} is bool and has a byte that is neither 0 nor 1")
    return _reshape(array, dtype, entry.shape, name)


def _reshape(array: Array, dtype: DType, shape: list[int], name: str) -> Array:
    try:
        return array.view(dtype.numpy).reshape(shape)
    except ValueError as error:  # numpy has its own limits on shapes with a zero in them
        raise BlobRefused(f"tensor {name!r}: {error}") from None
