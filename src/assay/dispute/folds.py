"""The accumulators of one element, at any number of terms: what the last levels of a dispute are about."""

from __future__ import annotations

from collections.abc import Sequence

from assay.program.code import Coded

from .arbiter import kernel as arbiter
from .values import Values

__all__ = ["Fold", "pack"]


def pack(acc: Sequence[int], code: Coded) -> list[bytes]:
    """An accumulator in the words that a solver reveals: one, or 16 lanes of 32 or, for types of 64 bits, 64 bits each."""
    if len(acc) == 1:
        return [acc[0].to_bytes(32, "big")]
    size = max(4, code.kernel.dtype.itemsize)
    lanes = b"".join(lane.to_bytes(size, "big") for lane in acc)
    return [lanes[at : at + 32] for at in range(0, len(lanes), 32)]


class Fold:
    """Element `element` of the value that `code` makes, computed by the arbiter from `values`."""

    def __init__(self, values: Values, code: Coded, element: int) -> None:
        self._values, self._code, self._element = values, code, element
        self._known = {0: tuple(arbiter.start(code, element, values.bits))}

    def at(self, terms: int) -> tuple[int, ...]:
        """The accumulator after `terms` terms: one word, or 16 in lanes."""
        if terms not in self._known:
            at = max(known for known in self._known if known < terms)
            acc: Sequence[int] = self._known[at]
            while at < terms:
                end = min(terms, at + self._code.piece)
                acc = arbiter.execute(self._code, self._element, at, end, acc, self._values.bits)
                at = end
            self._known[terms] = tuple(acc)
        return self._known[terms]

    def result(self) -> int:
        """The stored bits of the element."""
        return arbiter.finish(self._code, self.at(self._code.terms))

    def words(self, terms: Sequence[int]) -> list[bytes]:
        """The accumulators at increasing numbers of terms, as the words that `divide` reveals."""
        return [word for count in terms for word in pack(self.at(count), self._code)]
