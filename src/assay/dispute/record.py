"""The record of a game: all that is known about a dispute between two moves. The chain keeps its keccak256 only."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from assay.proof.merkle import CHUNK, ZERO
from assay.words.finding import Kind

__all__ = ["ENDED", "LANES", "TREES", "Game", "Kind", "Level", "Turn", "chunks", "list_hash"]

ENDED = (1).to_bytes(32, "big")
"""What the contract keeps in the place of a record once a game is over."""

LANES = 16
"""Accumulators of a fold in lanes; its terms come in rows of as many."""


class Level(IntEnum):
    """What is on trial at the moment. A level is entered with a bond, except STATE and PROOF."""

    NONE = 0
    STEPS = 1
    """State roots between the steps lo and hi."""
    VALUES = 2
    """The tree over the values of a step; at height 0 the data root of one value."""
    STATE = 3
    """The tree over the tensors of the state after the step; at height 0 one tensor."""
    TENSOR = 4
    """The tree over the KiB of a value; at height 0 one KiB."""
    FOLD = 5
    """Accumulators between the terms lo and hi."""
    PROOF = 6
    """So few terms that the referee executes them."""
    OPENING = 7
    """Two leaves of the trajectory, to be shown."""
    SHOWING = 8
    """A KiB of a checkpoint, to be shown."""
    DRAWS = 9
    """The tree over the steps of an interval, each with its row numbers."""
    ROWS = 10
    """The tree over the KiB of a step's row numbers; at height 0 one KiB."""
    PRINTS = 11
    """The tree over the fingerprints of an interval."""


class Turn(IntEnum):
    """Who has to move."""

    NONE = 0
    SOLVER = 1
    CHALLENGER = 2


TREES = frozenset({Level.VALUES, Level.STATE, Level.TENSOR, Level.DRAWS, Level.ROWS, Level.PRINTS})
"""Levels that are opened by `expand`."""


@dataclass(frozen=True, slots=True)
class Game:
    """Field by field the struct of board.vy. Hashes are 32 bytes, zero where there is nothing; times are Unix seconds."""

    task: bytes = ZERO
    work: bytes = ZERO
    """keccak256 of the ABI-encoded Work."""
    solver: str = "0x" + "00" * 20
    challenger: str = "0x" + "00" * 20
    kind: Kind = Kind.INTERVAL
    ways: int = 0
    extension: int = 0
    bond: int = 0
    paid: int = 0
    """Bonds put down so far."""
    level: Level = Level.NONE
    turn: Turn = Turn.NONE
    deadline: int = 0
    """The last second still counts."""
    solver_left: int = 0
    """Seconds of its clock when its turn begins."""
    challenger_left: int = 0
    moves: int = 0
    """Made so far, by both."""
    shape: int = 0
    """V 4 || outputs 4 || metrics 4 || states 4 || row bytes 8, as in the code root."""
    entries: bytes = ZERO
    """Root over the program's entries."""
    interval: int = 0
    claim: bytes = ZERO
    """LEAF: keccak256 of the Result. DATA: state root of the checkpoint. TRACE: the trace, then the fingerprint of `mark`."""
    mark: int = 0
    """DATA: the checkpoint. TRACE: the step whose fingerprint is in doubt."""
    lo: int = 0
    """Steps, later terms: what is at lo is granted, what is at hi is in doubt."""
    hi: int = 0
    low: bytes = ZERO
    """State root at lo; in a fold the keccak256 of the accumulator, zero where it is the first one."""
    high: bytes = ZERO
    """State root at hi; in a fold the keccak256 of the accumulator, or the element's bits where it is the end."""
    step: int = 0
    """The one step that is left."""
    before: bytes = ZERO
    after: bytes = ZERO
    values: bytes = ZERO
    """Values root of the step, once stated."""
    node: bytes = ZERO
    """Node of the tree that is in doubt."""
    height: int = 0
    """Levels under it."""
    index: int = 0
    """Its place among the nodes of that height."""
    count: int = 0
    """Leaves of the tree."""
    revealed: bytes = ZERO
    """`list_hash` of what the solver has revealed and nobody has chosen from."""
    entry: bytes = ZERO
    """Leaf hash of the value's entry."""
    value: int = 0
    size: int = 0
    """Bytes of the value, or of a step's row numbers."""
    item: int = 0
    """Bytes of an element."""
    element: int = 0
    terms: int = 0
    piece: int = 0
    """How many of them the referee executes at once."""
    width: int = 0
    """Words of an accumulator; more than one for sixteen lanes."""

    @property
    def values_count(self) -> int:
        """Number of values of a step."""
        return self.shape >> 160

    @property
    def outputs_count(self) -> int:
        """Number of output entries."""
        return self.shape >> 128 & 0xFFFFFFFF

    @property
    def metrics_count(self) -> int:
        """Number of metrics."""
        return self.shape >> 96 & 0xFFFFFFFF

    @property
    def states_count(self) -> int:
        """Tensors of a state."""
        return self.shape >> 64 & 0xFFFFFFFF

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of the dataset."""
        return self.shape & 0xFFFFFFFFFFFFFFFF

    def encode(self) -> bytes:
        """The record as the contract's ABI encodes it."""
        values: list[Any] = [getattr(self, field.name) for field in fields(self)]
        return encode(_TYPES, values)

    @property
    def digest(self) -> bytes:
        """What the contract keeps."""
        return keccak(self.encode())

    @classmethod
    def of(cls, words: dict[str, Any]) -> Game:
        """From an event's fields: bytes32 as 32 bytes or 64 hex digits, addresses in any writing."""
        found: dict[str, Any] = {}
        for field in fields(cls):
            value, kind = words[field.name], _KINDS[field.name]
            if kind == "bytes32":
                value = bytes.fromhex(value) if isinstance(value, str) else bytes(value)
            elif kind == "address":
                value = to_checksum_address(str(value))
            found[field.name] = value
        enums = {"kind": Kind(found["kind"]), "level": Level(found["level"]), "turn": Turn(found["turn"])}
        return cls(**found | enums)


_KINDS = {
    field.name: "bytes32" if field.type == "bytes" else "address" if field.type == "str" else "uint256"
    for field in fields(Game)
}
_TYPES = list(_KINDS.values())


def chunks(size: int) -> int:
    """Leaves of the tree over `size` bytes: one per KiB, one for none."""
    return max(1, -(-size // CHUNK))


def list_hash(words: tuple[bytes, ...]) -> bytes:
    """keccak256 of an ABI-encoded list of words: what the record keeps of what was revealed."""
    return keccak(encode(["bytes32[]"], [words]))
