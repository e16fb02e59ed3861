"""Moves as contract calls: which contract, which function, which arguments."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from assay.proof import Opening

from .moves import (
    Accept,
    Batch,
    Choose,
    Divide,
    Expand,
    Expire,
    Finding,
    Input,
    Metrics,
    Moot,
    Move,
    Output,
    Point,
    Prove,
    Rows,
    Show,
    ShowData,
    ShowLeaf,
    State,
)
from .record import Game

__all__ = ["ContractCall", "Matter", "call_of", "opening_words"]

Words = dict[str, Any]


@dataclass(frozen=True)
class Matter:
    """What every ending move brings besides the record: key, result and work of the task by field, and the game contract."""

    table: str
    key: Words
    result: Words
    work: Words


class ContractCall(NamedTuple):
    """`contract` is game, evidence or trajectory; the arguments are as `chain.abi` takes them."""

    contract: str
    function: str
    arguments: tuple[Any, ...]


def opening_words(opening: Opening) -> Words:
    """A leaf of a trajectory as the contracts' struct."""
    names = ("prev_root", "state_root", "step", "batches", "program_root", "trace", "proof")
    return {name: getattr(opening, name) for name in names}


def call_of(id: bytes, game: Game, move: Move, matter: Matter) -> ContractCall:
    """The call that makes `move` in the game `id` with the record `game`."""
    record = asdict(game)
    ends = (id, record, matter.key, matter.result)
    match move:
        case Divide() | Expand() | Show() | Choose() | Accept() | Point():
            name = type(move).__name__.lower()
            return ContractCall("game", name, (id, record, *vars(move).values()))
        case Expire():
            return ContractCall("game", "expire", ends)
        case Moot():
            return ContractCall("game", "moot", (id, record))
        case ShowLeaf():
            shown = (opening_words(move.first), opening_words(move.last))
            return ContractCall("trajectory", "show_leaf", (matter.table, *ends, matter.work, *shown))
        case ShowData():
            return ContractCall("trajectory", "show_data", (matter.table, *ends, *vars(move).values()))
    return _finding((matter.table, *ends), move, matter.work)


def _finding(head: tuple[Any, ...], move: Finding, work: Words) -> ContractCall:
    name = type(move).__name__.lower()
    match move:
        case Rows():
            return ContractCall("trajectory", name, (*head, work, move.chunk, move.at))
        case Metrics():
            return ContractCall("trajectory", name, (*head, [asdict(one) for one in move.found], move.data))
        case Input() | Batch():
            return ContractCall("evidence", name, (*head, work, *vars(move).values()))
        case Prove() | State() | Output():
            return ContractCall("evidence", name, (*head, *vars(move).values()))
