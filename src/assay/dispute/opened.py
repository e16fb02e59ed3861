"""Openings of a piece, checked and read as the contract referee.vy does it (docs/dispute.md, section 8)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from assay.program.code import Coded
from assay.proof import merkle

from .arbiter.kernel import ReadElement
from .record import chunks
from .refused import require

__all__ = ["opened"]

_WRONG = "referee: opening"


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, size: int) -> bytes:
        require(self._at + size <= len(self._data), _WRONG)
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    @property
    def is_empty(self) -> bool:
        return self._at == len(self._data)


def _root(numbers: Sequence[int], hashes: Sequence[bytes], depth: int, at: _Cursor) -> bytes:
    """The root over some leaves of a tree and the siblings that follow; the reverse of `merkle.prove_many`."""
    rising = all(a < b for a, b in pairwise(numbers))
    require(bool(numbers) and rising and numbers[-1] >> depth == 0, _WRONG)
    nodes = dict(zip(numbers, hashes, strict=True))
    for _ in range(depth):
        for number in sorted(nodes):
            if number ^ 1 not in nodes:
                nodes[number ^ 1] = at.take(32)
        nodes = {n >> 1: merkle.node(nodes[n], nodes[n + 1]) for n in sorted(nodes) if n % 2 == 0}
    return nodes[0]


def opened(code: Coded, data: bytes, values: bytes, depth: int) -> ReadElement:
    """Elements of the values that the kernel reads, out of `data`, which must be under the root `values`."""
    found: dict[tuple[int, int], bytes] = {}
    at = _Cursor(data)
    if data:
        heads = [(at.number(1), at.number(1), at.take(32)) for _ in range(at.number(1))]
        require(all(place < len(code.sources) for place, _, _ in heads), _WRONG)
        numbers = [code.sources[place].number for place, _, _ in heads]
        require(_root(numbers, [root for _, _, root in heads], depth, at) == values, _WRONG)
        for place, count, root in heads:
            source = code.sources[place]
            require(source.nbytes > 0, _WRONG)
            places = [at.number(4) for _ in range(count)]
            total = chunks(source.nbytes)
            require(all(chunk < total for chunk in places), _WRONG)
            lengths = [min(merkle.CHUNK, source.nbytes - merkle.CHUNK * chunk) for chunk in places]
            parts = [at.take(merkle.CHUNK)[:length] for length in lengths]
            require(_root(places, [merkle.leaf(part) for part in parts], merkle.depth(total), at) == root, _WRONG)
            found |= {(source.number, chunk): part for chunk, part in zip(places, parts, strict=True)}
        require(at.is_empty, _WRONG)
    sizes = {source.number: source.dtype.itemsize for source in code.sources}

    def read(number: int, flat: int) -> int:
        chunk, offset = divmod(flat * sizes[number], merkle.CHUNK)
        require((number, chunk) in found, _WRONG)
        return int.from_bytes(found[number, chunk][offset : offset + sizes[number]], "little")

    return read
