"""What is shown when data is demanded: a leaf of the trajectory, or a KiB of a checkpoint. Anybody who has it may show it."""

from __future__ import annotations

from collections.abc import Mapping

from assay.program import Program
from assay.program.program import STATE
from assay.proof import Array, merkle, opening
from assay.proof.code import entries
from assay.proof.tensors import raw
from assay.words import Trajectory

from .moves import ShowData, ShowLeaf
from .record import Game
from .testimony import state_tree

__all__ = ["show_data", "show_leaf", "tensor_of"]


def show_leaf(trajectory: Trajectory, game: Game) -> ShowLeaf:
    """The two leaves that `game` demands."""
    return ShowLeaf(opening(trajectory, game.interval), opening(trajectory, game.interval + 1))


def tensor_of(program: Program, value: int) -> str:
    """The name of the state's tensor that is input `value` of a step."""
    return program.inputs[value].name.removeprefix(STATE)


def show_data(program: Program, state: Mapping[str, Array], game: Game) -> ShowData:
    """The KiB that `game` demands of a checkpoint, whose state is `state`."""
    entry = entries(program)[game.value]
    position = int.from_bytes(entry[10:14], "big")
    data = raw(state[tensor_of(program, game.value)])
    chunk = bytes(data[game.index * merkle.CHUNK : (game.index + 1) * merkle.CHUNK])
    proof = merkle.prove(merkle.chunk_leaves(data), game.index)
    return ShowData(entry, chunk, proof, state_tree(state).prove(position))
