"""What a piece reads, opened for the contract: chunks of values, and proofs that they are those of the step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ...errors import UsageError
from ...program.code import Coded
from ...proof import merkle
from .kernel import ReadElement, execute, start

__all__ = ["Data", "encode_openings", "needed", "openings", "reader"]

Data = Callable[[int], bytes | memoryview]
"""Value number -> the row-major little-endian bytes of that value in the step."""

Prove = Callable[[Sequence[int]], Sequence[bytes]]
"""Rising value numbers -> their common proof under the values root, as `merkle.prove_many` gives it."""


def reader(code: Coded, data: Data) -> ReadElement:
    """Elements of the values that the kernel reads, out of their bytes."""
    sizes = {source.number: source.dtype.itemsize for source in code.sources}

    def read(number: int, flat: int) -> int:
        size = sizes[number]
        return int.from_bytes(data(number)[flat * size : (flat + 1) * size], "little")

    return read


def needed(code: Coded, element: int, first: int, last: int, data: Data) -> dict[int, list[int]]:
    """Chunks that the piece reads, rising, by value number; for first = last those of `start`."""
    sizes, found = {source.number: source.dtype.itemsize for source in code.sources}, dict[int, set[int]]()
    read = reader(code, data)

    def noted(number: int, flat: int) -> int:
        found.setdefault(number, set()).add(flat * sizes[number] // merkle.CHUNK)
        return read(number, flat)

    acc = start(code, element, noted)
    if first < last:
        found.clear()
        execute(code, element, first, last, acc, noted)
    return {number: sorted(found[number]) for number in sorted(found)}


def openings(
    code: Coded,
    element: int,
    first: int,
    last: int,
    data: Data,
    roots: Sequence[bytes],
    prove: Prove | None = None,
) -> bytes:
    """What the contract's `execute` takes for a piece, or its `start` where first = last.

    `roots` are the data roots of all values of the step; where not all of them are known, because others are under the
    solver's values root, `prove` gives the proof for some values. Raises UsageError if there is no such piece.
    """
    return encode_openings(code, needed(code, element, first, last, data), data, roots, prove)


def encode_openings(
    code: Coded,
    chunks: Mapping[int, Sequence[int]],
    data: Data,
    roots: Sequence[bytes],
    prove: Prove | None = None,
) -> bytes:
    """The chunks (rising, by rising value number) as docs/dispute.md, section 8, has them; b"" for none.

    Raises UsageError for a chunk that does not exist.
    """
    if not chunks:
        return b""
    places = {source.number: place for place, source in enumerate(code.sources)}
    parts = [bytes([len(chunks)])]
    parts += [bytes([places[number], len(found)]) + roots[number] for number, found in chunks.items()]
    parts += prove(list(chunks)) if prove else merkle.prove_many(roots, list(chunks))
    for number, found in chunks.items():
        raw = memoryview(data(number))
        if found[-1] * merkle.CHUNK >= len(raw):
            raise UsageError("no such chunk", value=number, chunk=found[-1])
        parts += [chunk.to_bytes(4, "big") for chunk in found]
        pieces = (raw[chunk * merkle.CHUNK : (chunk + 1) * merkle.CHUNK] for chunk in found)
        parts += [bytes(piece).ljust(merkle.CHUNK, b"\0") for piece in pieces]
        parts += merkle.prove_many(merkle.chunk_leaves(raw), found)
    return b"".join(parts)
