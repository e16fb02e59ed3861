"""What the solver has revealed of a tree so far: enough to prove, under *its* root, every leaf before the one in doubt.

A challenger knows its own values. The solver's tree over the values of a step has other hashes from the first lie on, and a
proof of an operand needs some of those as siblings. They are all among the hashes that the solver had to reveal on the way.
"""

from __future__ import annotations

from collections.abc import Sequence

from assay.errors import UsageError
from assay.proof import merkle

__all__ = ["Transcript"]


class Transcript:
    """The solver's tree as far as it is known, beside the own one (of equally many leaves)."""

    def __init__(self, own: merkle.Tree) -> None:
        self._own = own
        self._known: dict[tuple[int, int], bytes] = {}

    def reveal(self, height: int, index: int, children: Sequence[bytes]) -> None:
        """Node `index` at `height` was opened into these, from left to right."""
        levels = len(children).bit_length() - 1
        row, below = list(children), height - levels
        while True:
            for offset, word in enumerate(row):
                self._known[below, (index << (height - below)) + offset] = word
            if below == height:
                return
            row = [merkle.node(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
            below += 1

    @property
    def depth(self) -> int:
        """Levels above the leaves."""
        return self._own.depth

    @property
    def root(self) -> bytes:
        """The solver's root. Raises UsageError before it was revealed."""
        return self.node(self._own.depth, 0)

    def node(self, height: int, index: int) -> bytes:
        """The solver's hash of a node. Raises UsageError where it is not known."""
        found = self._known.get((height, index))
        if found is not None:
            return found
        above = self._nearest(height, index)
        if above is None or above[1] != self._own.node(*above[0]):
            raise UsageError("the solver has not revealed that part of its tree", height=height, index=index)
        return self._own.node(height, index)  # under a hash that both have, everything is the same

    def _nearest(self, height: int, index: int) -> tuple[tuple[int, int], bytes] | None:
        """The lowest revealed node above."""
        while height < self._own.depth:
            height, index = height + 1, index >> 1
            if (height, index) in self._known:
                return (height, index), self._known[height, index]
        return None

    def prove(self, leaf: int) -> tuple[bytes, ...]:
        """The siblings of `leaf` in the solver's tree, from the leaf up. Raises UsageError where they are not known."""
        return tuple(self.node(height, (leaf >> height) ^ 1) for height in range(self._own.depth))
