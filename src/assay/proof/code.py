"""The code root of a program: what a task puts on chain for the referee (docs/dispute.md, section 2)."""

from __future__ import annotations

from hashlib import sha256
from math import prod

from assay.errors import ProgramRefused
from assay.program.code import kernel_code, layout
from assay.program.program import BATCH, METRIC, NEXT, STATE, Program
from assay.program.types import DType, Port

from . import merkle
from .roots import type_bytes
from .tensors import by_name, raw

__all__ = ["code_leaves", "code_root", "code_shape", "entries"]

_TYPES = tuple(DType)
_STATE, _BATCH, _STEP, _SEED, _CONSTANT, _KERNEL = range(6)


def entries(program: Program) -> list[bytes]:
    """The entries under the code root: one per value, per tensor of the next state, per metric.

    Raises ProgramRefused for a kernel that the referee could not execute.
    """
    values = layout(program)
    states, columns = by_name(program.state), _columns(program)
    found = [_input_bytes(port, states, columns) for port in program.inputs]
    for name in values.names[len(found) : values.first_kernel]:
        found.append(bytes([_CONSTANT]) + merkle.bytes_root(raw(program.constants[name])))
    found += [bytes([_KERNEL]) + kernel_code(kernel, values) for kernel in program.kernels]
    heads = [bytes([_TYPES.index(source.dtype)]) + source.elements.to_bytes(8, "big") for source in values.sources]
    described = [entry[:1] + head + entry[1:] for entry, head in zip(found, heads, strict=True)]
    places = {port.name: (values.numbers[tensor], port) for port, tensor in program.outputs}
    for position, name in enumerate(by_name(program.ports(NEXT))):
        number, port = places[NEXT + name]
        described.append(
            number.to_bytes(4, "big") + position.to_bytes(4, "big") + type_bytes(name, port.dtype, port.shape)
        )
    described += [places[METRIC + name][0].to_bytes(4, "big") for name in by_name(program.metrics)]
    return described


def _columns(program: Program) -> dict[str, tuple[int, int]]:
    """Where each batch column begins in a row's bytes, and how many it has there; columns in name order."""
    found, at = {}, 0
    for name in by_name(program.batch):
        port = program.batch[name]
        size = prod(port.shape[1:]) * port.dtype.itemsize
        found[name] = (at, size)
        at += size
    return found


def _input_bytes(port: Port, states: list[str], columns: dict[str, tuple[int, int]]) -> bytes:
    """Kind, and what the entry of an input says after element type and number of elements."""
    if port.name.startswith(STATE):
        name = port.name[len(STATE) :]
        position = states.index(name).to_bytes(4, "big")
        return bytes([_STATE]) + position + type_bytes(name, port.dtype, port.shape)
    if port.name.startswith(BATCH):
        begin, size = columns[port.name[len(BATCH) :]]
        return bytes([_BATCH]) + begin.to_bytes(8, "big") + size.to_bytes(8, "big")
    return bytes([_STEP if port.name == "step" else _SEED])


def code_leaves(program: Program) -> list[bytes]:
    """sha256(0b || entry) of each entry, in order."""
    return [sha256(b"\x0b" + entry).digest() for entry in entries(program)]


def code_shape(program: Program) -> bytes:
    """V 4 || outputs 4 || metrics 4 || states 4 || row bytes 8: what the code root binds besides the entries."""
    values = len(program.inputs) + len(program.constants) + len(program.kernels)
    counts = (values, len(program.ports(NEXT)), len(program.metrics), len(program.state))
    row = sum(size for _, size in _columns(program).values()).to_bytes(8, "big")
    return b"".join((*(count.to_bytes(4, "big") for count in counts), row))


ROW_BYTES, METRICS, METRIC_BYTES = 32_768, 16, 1024
"""What the contracts take at most in one call: a row of the dataset, all metrics of a step, the bytes of one."""


def _check(program: Program) -> None:
    """Refuse what could not be disputed: an honest verifier would lose its bonds over it."""
    row = sum(size for _, size in _columns(program).values())
    if row > ROW_BYTES:
        hint = "Store rows in a smaller type, or as several shorter ones."
        raise ProgramRefused(f"a row of the dataset has {row} bytes", hint=hint, limit=ROW_BYTES)
    if len(program.metrics) > METRICS:
        raise ProgramRefused(f"the program has {len(program.metrics)} metrics", limit=METRICS)
    for name, port in program.metrics.items():
        if port.nbytes > METRIC_BYTES:
            raise ProgramRefused(f"the metric {name!r} has {port.nbytes} bytes", limit=METRIC_BYTES)


def code_root(program: Program) -> bytes:
    """sha256(0c || `code_shape` || Merkle root of `code_leaves`).

    Raises ProgramRefused for a program with a kernel that the referee could not execute, with rows of over 32 KiB, or with
    more metrics than a contract can be shown.
    """
    _check(program)
    return sha256(b"\x0c" + code_shape(program) + merkle.root(code_leaves(program))).digest()
