"""A named function as text: the sequence of its operations, for docs/numerics.md and for counting."""

from __future__ import annotations

import hashlib
import inspect
import struct
from collections.abc import Callable

from . import FUNCTIONS

__all__ = ["Trace", "document", "fingerprint", "sequence", "trace"]

FREE = ("bits", "from_bits")
"""Reinterpretations of bits: no work."""


class Trace:
    """`Ops` on names: writes down one line per operation."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, tuple[str, ...]]] = []

    def f32(self, value: float | int) -> str:
        """`f:` and the eight hex digits of the bits."""
        bits = value if isinstance(value, int) else struct.unpack("<I", struct.pack("<f", value))[0]
        return f"f:{bits:08x}"

    def i32(self, value: int) -> str:
        """`i:` and the decimal value."""
        return f"i:{value}"

    def __getattr__(self, op: str) -> Callable[..., str]:
        def record(*operands: str) -> str:
            name = f"t{len(self.lines) + 1}"
            self.lines.append((name, op, operands))
            return name

        return record

    @property
    def operations(self) -> int:
        """Scalar operations executed; constants and reinterpreted bits are free."""
        return sum(op not in FREE for _, op, _ in self.lines)


def trace(name: str) -> tuple[Trace, tuple[str, ...], str]:
    """(the trace, the parameters' names, the result's name) of FUNCTIONS[name]."""
    parameters = tuple(inspect.signature(FUNCTIONS[name]).parameters)[1:]
    record = Trace()
    return record, parameters, FUNCTIONS[name](record, *parameters)


def sequence(name: str) -> str:
    """The lines of FUNCTIONS[name], as they stand in docs/numerics.md."""
    record, _, result = trace(name)
    lines = [f"{target} = {op}({', '.join(operands)})" for target, op, operands in record.lines]
    return "\n".join([*lines, f"return {result}"])


def fingerprint(name: str) -> str:
    """The first 16 hex digits of the SHA-256 of the sequence: says which sequence a measurement is about."""
    return hashlib.sha256(sequence(name).encode()).hexdigest()[:16]


def document() -> str:
    """All sequences, as the generated section of docs/numerics.md."""
    parts = []
    for name in sorted(FUNCTIONS):
        record, parameters, _ = trace(name)
        head = f"### {name}({', '.join(parameters)}): {record.operations} operations\n"
        parts.append("\n".join([head, "```", sequence(name), "```", ""]))
    return "\n".join(parts)
