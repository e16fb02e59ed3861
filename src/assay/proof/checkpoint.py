"""A checkpoint's bytes: a state as one safetensors file, the same on every machine."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from assay.errors import BlobRefused
from assay.program.types import Port
from assay.words.task import Blob

from . import archive
from .tensors import Array, State, unfit

__all__ = ["blob_of", "decode", "encode", "size_limit"]


def encode(state: Mapping[str, Array]) -> bytes:
    """The whole file; `archive.encode` gives it in pieces."""
    return b"".join(archive.encode(state))


def blob_of(state: Mapping[str, Array]) -> Blob:
    """The name that the store will give to `encode(state)`, without writing it."""
    digest, size = sha256(), 0
    for piece in archive.encode(state):
        digest.update(piece)
        size += len(piece)
    return Blob(digest.hexdigest(), size)


def decode(data: bytes | memoryview, ports: Mapping[str, Port]) -> State:
    """The state in `data`, as fresh arrays, if it has exactly the tensors of `ports` (`Program.state`).

    Raises BlobRefused for a malformed file and for any other name, element type or shape.
    """
    tensors = archive.parse(data)
    if reason := unfit(tensors, ports):
        raise BlobRefused(f"not a state of this program: {reason}")
    return {name: tensors[name].copy() for name in ports}


def size_limit(ports: Mapping[str, Port]) -> int:
    """An upper bound in bytes of an acceptable checkpoint file: whoever fetches one need not take more."""
    return sum(port.nbytes + 6 * len(name.encode()) + 512 for name, port in ports.items()) + (64 << 10)
