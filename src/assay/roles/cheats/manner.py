"""How a solver behaves when it has to answer in a dispute: at once, only so many times, or in the last second."""

from __future__ import annotations

from assay.errors import UsageError
from assay.words import Record

__all__ = ["Manner"]

LAST_SECONDS = 3
"""A move in the last second is sent so long before the deadline: the block that takes it has a time of its own."""


class Manner(Record, frozen=True):
    """`answer`: moves at once, and lies if it has to. `silent`: answers `moves` times, then never again. `late`: waits for the
    last second. `concede`: calls it a fault of its machine."""

    manner: str = "answer"
    moves: int = 0

    @classmethod
    def parse(cls, text: str | None) -> Manner:
        """What `text` says: answer (also None), concede, late, or silent:NUMBER. Raises UsageError."""
        manner, _, moves = (text or "answer").partition(":")
        if manner not in ("answer", "concede", "late", "silent") or (moves and not moves.isdecimal()):
            raise UsageError(f"There is no manner {text!r}.", hint="Known: answer, concede, late, silent:NUMBER.")
        return cls(manner, int(moves or 0))

    def speaks(self, moved: int, now: int, deadline: int) -> bool:
        """Whether to move now, having moved `moved` times in this game; `now` and `deadline` in Unix seconds."""
        match self.manner:
            case "silent":
                return moved < self.moves
            case "late":
                return now >= deadline - LAST_SECONDS
            case _:
                return True
