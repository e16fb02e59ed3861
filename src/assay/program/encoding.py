"""Canonical bytes of a program, for commitments: one string per kernel, and one for everything else."""

from __future__ import annotations

import hashlib

from assay.words.canonical import canonical

from .kernel import Kernel
from .program import Program
from .types import DType, Port

__all__ = ["NUMERICS", "header_bytes", "kernel_bytes", "program_bytes"]

NUMERICS = "exact-1"


def kernel_bytes(kernel: Kernel) -> bytes:
    """A kernel as canonical JSON. It does not depend on any name in the ONNX file other than port names."""
    return canonical(kernel)


def header_bytes(program: Program) -> bytes:
    """Numerics, ports, where the outputs are, and type and SHA-256 of each constant's little-endian bytes."""
    constants = []
    for name, array in program.constants.items():
        port = Port(name, DType.of(array), array.shape)
        constants.append([port, hashlib.sha256(array.tobytes()).hexdigest()])
    return canonical(
        {
            "numerics": NUMERICS,
            "inputs": program.inputs,
            "outputs": program.outputs,
            "constants": constants,
            "kernels": len(program.kernels),
        }
    )


def program_bytes(program: Program) -> list[bytes]:
    """The header, then the kernels in order: the leaves of a program's commitment."""
    return [header_bytes(program), *(kernel_bytes(k) for k in program.kernels)]
