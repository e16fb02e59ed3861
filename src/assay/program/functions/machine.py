"""Named functions as code for a register machine whose instructions are scalar operations: what the chain executes.

The machine has slots: first the constants of all functions, then registers. A function finds its arguments in the first
registers; its last instruction makes the result.
"""

from __future__ import annotations

import inspect
import struct
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from ..scalar import OPS
from ..types import DType
from . import FUNCTIONS

__all__ = ["Code", "Instruction", "assemble"]

F, I, B = DType.FLOAT32, DType.INT32, DType.BOOL
RESULTS = dict.fromkeys(("lt", "le", "gt", "ge", "eq"), B)
"""Types of results that are not those of the last operand."""


class Instruction(NamedTuple):
    """`target` = op(`operands`): numbers of slots. `kind` and `out` are as in a kernel: of the operands, of the result."""

    op: str
    kind: DType
    out: DType
    target: int
    operands: tuple[int, ...]


class Code(NamedTuple):
    """`constants` are bits below 2^32; `registers` is how many registers the functions need at most."""

    constants: tuple[int, ...]
    registers: int
    functions: dict[str, tuple[Instruction, ...]]


class _Value(NamedTuple):
    """What an operation gave (its number), an argument (before all operations), or a constant, with its type."""

    type: DType
    number: int
    constant: bool = False


class _Recorder:
    """`Ops` on values. A float's bits are the float itself: there is nothing to do."""

    def __init__(self, parameters: int) -> None:
        self.parameters = parameters
        self.lines: list[tuple[str, DType, DType, tuple[_Value, ...]]] = []

    def f32(self, value: float | int) -> _Value:
        bits = value if isinstance(value, int) else struct.unpack("<I", struct.pack("<f", value))[0]
        return _Value(F, bits, True)

    def i32(self, value: int) -> _Value:
        return _Value(I, value % (1 << 32), True)

    def bits(self, a: _Value) -> _Value:
        return a._replace(type=I)

    def from_bits(self, a: _Value) -> _Value:
        return a._replace(type=F)

    def to_int(self, a: _Value) -> _Value:
        return self._record("cast", I, a)

    def to_float(self, a: _Value) -> _Value:
        return self._record("cast", F, a)

    def __getattr__(self, name: str) -> Callable[..., _Value]:
        op = name if name in OPS else name[1:]  # iadd, band, ...
        if op not in OPS:
            raise AttributeError(name)
        return partial(self._record, op, RESULTS.get(op))

    def _record(self, op: str, out: DType | None, *operands: _Value) -> _Value:
        kind = operands[-1].type
        result = out or kind
        self.lines.append((op, kind, result, operands))
        return _Value(result, self.parameters + len(self.lines) - 1)


def assemble() -> Code:
    """The code of all FUNCTIONS."""
    records = {name: _record(name) for name in sorted(FUNCTIONS)}
    used = [v.number for r in records.values() for *_, operands in r.lines for v in operands if v.constant]
    constants = tuple(sorted(set(used)))
    functions = {name: _allocated(record, constants) for name, record in records.items()}
    registers = 1 + max(i.target for code in functions.values() for i in code) - len(constants)
    return Code(constants, registers, functions)


def _record(name: str) -> _Recorder:
    parameters = len(inspect.signature(FUNCTIONS[name]).parameters) - 1
    record = _Recorder(parameters)
    result = FUNCTIONS[name](record, *(_Value(F, n) for n in range(parameters)))
    assert result.number == parameters + len(record.lines) - 1, f"{name} does not end with its result"
    return record


def _allocated(record: _Recorder, constants: tuple[int, ...]) -> tuple[Instruction, ...]:
    """Each value gets a register that is free, which it is again after its last use."""
    last = {v.number: n for n, (*_, operands) in enumerate(record.lines) for v in operands if not v.constant}
    register = {n: n for n in range(record.parameters)}
    free: list[int] = []
    top = record.parameters
    code = []
    for n, (op, kind, out, operands) in enumerate(record.lines):
        places = [constants.index(v.number) if v.constant else len(constants) + register[v.number] for v in operands]
        free += [register.pop(v) for v in {v.number for v in operands if not v.constant} if last[v] == n]
        if not free:
            free, top = [top], top + 1
        free.sort(reverse=True)
        register[record.parameters + n] = free.pop()
        code.append(Instruction(op, kind, out, len(constants) + register[record.parameters + n], tuple(places)))
    return tuple(code)
