"""What can be found wrong with a result, as the game contract numbers it."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Kind"]


class Kind(IntEnum):
    """What a finding, and then a dispute, is about."""

    NONE = 0
    """Nothing: everything matched."""
    INTERVAL = 1
    """The state at the end of an interval."""
    LEAF = 2
    """The two leaves of an interval, which nobody could read."""
    DATA = 3
    """A KiB of a checkpoint at the interval's beginning or end, which nobody could read."""
    BATCHES = 4
    """The row numbers of an interval."""
    TRACE = 5
    """The trace of an interval."""

    @property
    def sentence(self) -> str:
        """What is wrong, for people."""
        return _SENTENCES[self]


_SENTENCES = {
    Kind.NONE: "nothing is wrong",
    Kind.INTERVAL: "the state differs from the replay",
    Kind.LEAF: "the trajectory is withheld or malformed",
    Kind.DATA: "a checkpoint is withheld or malformed",
    Kind.BATCHES: "the rows are not the sampler's",
    Kind.TRACE: "the trace is not that of the steps",
}
