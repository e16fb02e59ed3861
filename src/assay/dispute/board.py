"""The record of a dispute as the chain has it (contracts/vyper/board.vy): what is on trial, whose turn it is, the clocks."""

from __future__ import annotations

from enum import IntEnum

from assay.words import Record

__all__ = ["Game", "Kind", "Level", "Turn"]


class Kind(IntEnum):
    """What a game is about."""

    INTERVAL = 1
    LEAF = 2
    DATA = 3
    BATCHES = 4
    TRACE = 5


class Level(IntEnum):
    """What is on trial at the moment."""

    STEPS = 1
    VALUES = 2
    STATE = 3
    TENSOR = 4
    FOLD = 5
    PROOF = 6
    OPENING = 7
    SHOWING = 8
    DRAWS = 9
    ROWS = 10
    PRINTS = 11


class Turn(IntEnum):
    """Who has to move."""

    SOLVER = 1
    CHALLENGER = 2


class Game(Record, frozen=True):
    """The record; fields and their meaning are those of the contract, hashes as 32 bytes."""

    task: bytes
    work: bytes
    solver: str
    challenger: str
    kind: int
    ways: int
    extension: int
    bond: int
    paid: int
    level: int
    turn: int
    deadline: int
    solver_left: int
    challenger_left: int
    shape: int
    entries: bytes
    interval: int
    claim: bytes
    mark: int
    lo: int
    hi: int
    low: bytes
    high: bytes
    step: int
    before: bytes
    after: bytes
    values: bytes
    node: bytes
    height: int
    index: int
    count: int
    revealed: bytes
    entry: bytes
    value: int
    size: int
    item: int
    element: int
    terms: int
    width: int
