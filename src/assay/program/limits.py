"""What a program may cost before it is refused. Every limit is checked by arithmetic, before anything is allocated."""

from __future__ import annotations

import msgspec

__all__ = ["HARD_FILE_BYTES", "OPSETS", "Limits"]

HARD_FILE_BYTES = 2**31 - 1
"""Protocol buffers end here, whatever `Limits` says."""

OPSETS = range(1, 29)
"""Versions of the standard ONNX operator set that are understood; before 13 not every operator is (lower/schema.py)."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Upper bounds, all inclusive. The defaults fit the training step of a model of about 10^8 parameters."""

    file_bytes: int = 256 * 2**20
    fields: int = 800_000
    """Protocol-buffer fields in the file: bounds the memory that its parsed form takes."""
    packed_integers: int = 8 * 2**20
    """Bytes of integers stored as variable-length numbers (each may take eight bytes when parsed)."""
    nodes: int = 50_000
    """Nodes after all functions are inlined."""
    call_depth: int = 32
    """Model-local functions calling each other."""
    rank: int = 12
    dimension: int = 2**31 - 1
    tensor_bytes: int = 8 * 2**30
    constant_bytes: int = 256 * 2**20
    kernels: int = 100_000
    operations: int = 10**15
    """Scalar operations of one run of the program."""
    peak_bytes: int = 64 * 2**30
