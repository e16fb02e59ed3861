"""The moves of a game, named and ordered as the contracts' functions are. Hashes are 32 bytes, proofs go from the leaf up."""

from __future__ import annotations

from dataclasses import dataclass

from assay.proof import Opening

__all__ = [
    "Accept",
    "Batch",
    "Choose",
    "Divide",
    "Expand",
    "Expire",
    "Finding",
    "Input",
    "Metric",
    "Metrics",
    "Moot",
    "Move",
    "Output",
    "Point",
    "Prove",
    "Rows",
    "Show",
    "ShowData",
    "ShowLeaf",
    "State",
]

Proof = tuple[bytes, ...]


@dataclass(frozen=True)
class Divide:
    """The solver states what it has at the cuts: state roots, or the words of accumulators."""

    words: tuple[bytes, ...]


@dataclass(frozen=True)
class Expand:
    """The solver opens a node."""

    children: tuple[bytes, ...]


@dataclass(frozen=True)
class Show:
    """The solver shows a KiB."""

    chunk: bytes


@dataclass(frozen=True)
class Choose:
    """The challenger names a part; with the last choice among values, the entry of a kernel's or a batch's value."""

    words: tuple[bytes, ...]
    part: int
    entry: bytes = b""
    proof: Proof = ()


@dataclass(frozen=True)
class Accept:
    """The challenger grants the values of the step and doubts the state after it."""


@dataclass(frozen=True)
class Point:
    """The challenger names an element of the KiB shown."""

    chunk: bytes
    at: int
    entry: bytes


@dataclass(frozen=True)
class Prove:
    """The piece executed from the accumulator with the words `first` (none at the first term) gives something else.

    `base` is what the referee's `start` opens, `openings` what its `execute` opens.
    """

    entry: bytes
    first: tuple[bytes, ...]
    base: bytes
    openings: bytes


@dataclass(frozen=True)
class Input:
    """The value is not the step number, seed or constant that it has to be."""

    entry: bytes
    entry_proof: Proof


@dataclass(frozen=True)
class State:
    """The value is not the tensor of the state before, whose hash there is `tensor`."""

    entry: bytes
    entry_proof: Proof
    tensor: bytes
    proof: Proof


@dataclass(frozen=True)
class Batch:
    """Element `at` of the KiB shown is not what `row`, the sampler's, has there; `columns` is the dataset's header."""

    entry: bytes
    chunk: bytes
    at: int
    columns: bytes
    row: bytes
    proof: Proof


@dataclass(frozen=True)
class Output:
    """The tensor is not the value whose data root is `data`."""

    place: int
    entry: bytes
    entry_proof: Proof
    data: bytes
    proof: Proof


@dataclass(frozen=True)
class Rows:
    """Row number `at` of the KiB shown is not the sampler's."""

    chunk: bytes
    at: int


@dataclass(frozen=True)
class Metric:
    """A metric, opened under the values root; `size` bytes of it, at most a KiB."""

    number: int
    entry_proof: Proof
    size: int
    proof: Proof


@dataclass(frozen=True)
class Metrics:
    """The fingerprint is not that of the metrics, whose bytes are `data`."""

    found: tuple[Metric, ...]
    data: bytes


@dataclass(frozen=True)
class ShowLeaf:
    """Anybody shows the two leaves that were demanded."""

    first: Opening
    last: Opening


@dataclass(frozen=True)
class ShowData:
    """Anybody shows the KiB that was demanded."""

    entry: bytes
    chunk: bytes
    chunk_proof: Proof
    proof: Proof


@dataclass(frozen=True)
class Expire:
    """Anybody ends a game whose clock has run out."""


@dataclass(frozen=True)
class Moot:
    """Anybody ends a game about a task that was taken from the solver meanwhile."""


Finding = Prove | Input | State | Batch | Output | Rows | Metrics
"""Contradictions."""

Move = Divide | Expand | Show | Choose | Accept | Point | Finding | ShowLeaf | ShowData | Expire | Moot
