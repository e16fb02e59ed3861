"""The named functions as a Vyper module of constants that `arithmetic.vy` interprets. `scripts/build_sequences.py` writes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assay.program.functions.machine import Code, Instruction, assemble
from assay.program.scalar import OPS
from assay.program.types import DType

__all__ = ["PER_WORD", "encode", "source"]

PER_WORD = 5
"""Instructions of 48 bits in a word, the first one lowest."""
BITS = 48
HEAD = '''# pragma version 0.4.3
# pragma evm-version cancun
# pragma nonreentrancy on
"""
@title Sequences
@license Apache-2.0
@author The assay contributors
@notice The named functions of exact-1 (docs/numerics.md, section 10) as code for the machine in `arithmetic`.
        Made by scripts/build_sequences.py from src/assay/program/functions; not to be edited.
@dev A machine has SLOTS words: the constants of all functions, then registers, the first of which is number ARGUMENTS.
     An instruction has 48 bits, from the top: operation 8, type of the operands 4, type of the result 4, numbers of the
     slots of the result and of three operands 8 each. CODE has {per_word} in a word, the first one lowest.
     SPANS has 32 bits per function, in the order of OPS from `exp` on, the first one lowest: where its code begins 16,
     instructions 16.
"""
'''


def source() -> str:
    """The text of `sequences.vy`."""
    code = assemble()
    order = [name for name in OPS if name in code.functions]
    instructions = [i for name in order for i in code.functions[name]]
    slots = [*code.constants, *[0] * code.registers]
    words = list(_packed([encode(i) for i in instructions]))
    return (
        "\n\n".join(
            [
                HEAD.replace("{per_word}", str(PER_WORD)),
                f"SLOTS: constant(uint256) = {len(slots)}\nARGUMENTS: constant(uint256) = {len(code.constants)}",
                f"LONGEST: constant(uint256) = {max(map(len, code.functions.values()))}",
                f"SPANS: constant(uint256) = {_spans(code, order)}",
                _list("INITIAL", "SLOTS", slots),
                f"WORDS: constant(uint256) = {len(words)}",
                _list("CODE", "WORDS", words),
            ]
        )
        + "\n"
    )


def encode(instruction: Instruction) -> int:
    """An instruction as 48 bits."""
    op, kind, out, target, operands = instruction
    types, numbers = list(DType), list(OPS)
    bits = (numbers.index(op) << 8) | types.index(kind) << 4 | types.index(out)
    for slot in (target, *operands, *[0] * (3 - len(operands))):
        bits = bits << 8 | slot
    return bits


def _packed(codes: Sequence[int]) -> Iterator[int]:
    for start in range(0, len(codes), PER_WORD):
        yield sum(bits << (BITS * n) for n, bits in enumerate(codes[start : start + PER_WORD]))


def _spans(code: Code, order: Sequence[str]) -> int:
    spans = start = 0
    for n, name in enumerate(order):
        length = len(code.functions[name])
        spans |= (start << 16 | length) << (32 * n)
        start += length
    return spans


def _list(name: str, size: str, values: Sequence[int]) -> str:
    lines = [f"    {value}," for value in values]
    return "\n".join([f"{name}: constant(uint256[{size}]) = [", *lines, "]"])
