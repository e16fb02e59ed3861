"""A dispute in words: how far the walk has come, down to the one operation and the values that are claimed for it."""

from __future__ import annotations

import numpy as np

from assay.program import DType, Program
from assay.program.code import Coded, coded, layout

from .record import Game, Level

__all__ = ["claimed", "executed", "number", "path", "value_name"]


def number(bits: int, dtype: DType) -> str:
    """Stored bits as a number, with the bits."""
    value = np.array(bits, f"u{dtype.itemsize}").view(dtype.numpy)
    shown = f"{float(value):.9g}" if dtype.is_float else str(value)
    return f"{shown} (0x{bits:0{2 * dtype.itemsize}x})"


def value_name(program: Program, value: int) -> str:
    """A value of a step as people know it: an input, a constant, or what a kernel makes, and of which tensor."""
    values = layout(program)
    name = values.names[value]
    carried = [port.name for port, tensor in program.outputs if tensor == name]
    if value < values.first_kernel:
        return name
    kernel = program.kernels[value - values.first_kernel]
    made = f"kernel {value - values.first_kernel} of {len(program.kernels)}, {kernel.op}"
    return f"{made}, which makes {carried[0]}" if carried else made


def path(game: Game, program: Program) -> list[str]:
    """The walk so far, a line per level, from the interval down."""
    found: list[str] = []
    if game.level is Level.STEPS:
        return [f"steps {game.lo} to {game.hi}: states on the way"]
    if game.values_count == 0:
        return ["data are demanded and have to be shown"]
    if game.level in (Level.DRAWS, Level.ROWS, Level.PRINTS):
        return [f"{game.level.name.lower()} under node {game.index} at height {game.height}"]
    found.append(f"step {game.step}: the state before it is granted, the one after it is not")
    if game.level is Level.VALUES:
        return [*found, _tree("values of the step", game)]
    if game.level is Level.STATE:
        return [*found, _tree("tensors of the state after it", game)]
    found.append(f"value {game.value}: {value_name(program, game.value)}")
    if game.level is Level.TENSOR:
        return [*found, _tree("KiB of it", game)]
    code = _code(game, program)
    found.append(f"element {game.element} of {code.elements}")
    if game.terms > 1:
        found.append(f"terms {game.lo} to {game.hi} of {game.terms} of its fold")
    return found


def claimed(game: Game, program: Program) -> str:
    """The element that the solver claims, where the walk has come to one."""
    if game.level not in (Level.FOLD, Level.PROOF) or game.hi != game.terms:
        return ""
    return number(int.from_bytes(game.high, "big"), _code(game, program).kernel.dtype)


def executed(found: list[str] | tuple[str, ...], game: Game, program: Program) -> str:
    """What the referee got, as words of 64 hex digits."""
    dtype = _code(game, program).kernel.dtype
    if len(found) > 1:
        return "sixteen lanes, another accumulator"
    whole = game.hi == game.terms
    return number(int(found[0], 16), dtype if whole or not dtype.is_float else DType.FLOAT32)


def _code(game: Game, program: Program) -> Coded:
    values = layout(program)
    return coded(program.kernels[game.value - values.first_kernel], values)


def _tree(what: str, game: Game) -> str:
    first = game.index << game.height
    last = min(game.count, (game.index + 1) << game.height) - 1
    return f"{what}: {first} to {last} of {game.count}" if first < last else f"{what}: {first} of {game.count}"
