"""The roots of tensors, states, programs and datasets (DESIGN section 6; byte layouts in docs/proof.md)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256

import msgspec
import numpy as np

from assay.errors import UsageError
from assay.program.encoding import NUMERICS, kernel_bytes
from assay.program.program import Program
from assay.program.types import DType
from assay.words.canonical import canonical

from . import merkle
from .tensors import Array, by_name, dtype_of, raw

__all__ = [
    "dataset_root",
    "header_leaf",
    "program_leaves",
    "program_root",
    "row_leaves",
    "state_root",
    "tensor_root",
    "type_bytes",
]

BLOCK_BYTES = 4 << 20


@lru_cache(1 << 14)
def type_bytes(name: str, dtype: DType, dims: tuple[int, ...]) -> bytes:
    """len(name) 2 BE || name || len(dtype) 1 || dtype || ndim 1 || dims 8 BE each."""
    text, kind = name.encode(), dtype.value.encode()
    if len(text) > 0xFFFF or len(dims) > 0xFF:
        raise UsageError("a tensor's name has at most 65,535 bytes and its shape at most 255 axes", tensor=name[:100])
    sizes = b"".join(n.to_bytes(8, "big") for n in dims)
    return b"".join((len(text).to_bytes(2, "big"), text, bytes([len(kind)]), kind, bytes([len(dims)]), sizes))


def tensor_root(name: str, array: Array) -> bytes:
    """sha256(02 || type bytes || Merkle root of the tensor's KiB chunks): binds name, element type, shape and bits."""
    types = type_bytes(name, dtype_of(name, array), array.shape)
    return sha256(b"".join((b"\x02", types, merkle.bytes_root(raw(array))))).digest()


def state_root(state: Mapping[str, Array]) -> bytes:
    """sha256(03 || count 4 BE || Merkle root whose leaf hashes are the tensor roots, in name order)."""
    leaves = [tensor_root(name, state[name]) for name in by_name(state)]
    return sha256(b"\x03" + len(leaves).to_bytes(4, "big") + merkle.root(leaves)).digest()


def header_leaf(program: Program) -> bytes:
    """sha256(00 || canonical JSON of the numerics, the ports, where outputs come from, and both counts)."""
    header = {
        "numerics": NUMERICS,
        "inputs": msgspec.to_builtins(program.inputs),
        "outputs": msgspec.to_builtins(program.outputs),
        "constants": len(program.constants),
        "kernels": len(program.kernels),
    }
    return merkle.leaf(canonical(header))


def program_leaves(program: Program) -> list[bytes]:
    """The header leaf, the constants' tensor roots in name order, then sha256(07 || canonical JSON) of each kernel."""
    constants = [tensor_root(name, program.constants[name]) for name in by_name(program.constants)]
    kernels = [sha256(b"\x07" + kernel_bytes(kernel)).digest() for kernel in program.kernels]
    return [header_leaf(program), *constants, *kernels]


def program_root(program: Program) -> bytes:
    """sha256(08 || Merkle root of `program_leaves`): binds all that decides what the program computes."""
    return sha256(b"\x08" + merkle.root(program_leaves(program))).digest()


def row_leaves(columns: Mapping[str, Array]) -> list[bytes]:
    """sha256(06 || the row's bytes of each column, in name order), for each row."""
    ordered = [columns[name] for name in by_name(columns)]
    rows = len(ordered[0])
    width = 1 + sum(column.dtype.itemsize * int(np.prod(column.shape[1:], dtype=np.int64)) for column in ordered)
    block = max(1, BLOCK_BYTES // width)
    leaves: list[bytes] = []
    for start in range(0, rows, block):
        parts = [column[start : start + block] for column in ordered]
        count = len(parts[0])
        bytes_of = [np.frombuffer(raw(part), np.uint8).reshape(count, -1) for part in parts]
        packed = memoryview(np.concatenate([np.full((count, 1), 6, np.uint8), *bytes_of], axis=1).tobytes())
        leaves += [sha256(packed[at : at + width]).digest() for at in range(0, count * width, width)]
    return leaves


def dataset_root(columns: Mapping[str, Array]) -> bytes:
    """sha256(09 || rows 8 BE || columns 4 BE || type bytes of each column's row || Merkle root of `row_leaves`).

    The first axis of each column counts the rows. Raises UsageError if there are no columns or they differ in length.
    """
    lengths = {column.shape[:1] for column in columns.values()}
    if len(lengths) != 1 or () in lengths:
        raise UsageError("a dataset has one or more columns with one common number of rows", lengths=sorted(lengths))
    rows = lengths.pop()[0].to_bytes(8, "big")
    return sha256(b"".join((b"\x09", rows, dataset_header(columns), merkle.root(row_leaves(columns))))).digest()


def dataset_header(columns: Mapping[str, Array]) -> bytes:
    """columns 4 BE || type bytes of each column's row, in name order."""
    ordered = [(name, columns[name]) for name in by_name(columns)]
    types = [type_bytes(name, dtype_of(name, column), column.shape[1:]) for name, column in ordered]
    return b"".join((len(columns).to_bytes(4, "big"), *types))
