"""What the derivations assume, and the two networks that the docs speak of."""

from __future__ import annotations

import msgspec

__all__ = ["LOCAL", "MAIN", "MILLION", "NETWORKS", "Gas", "Setting"]

MILLION = 10**6
"""Probabilities and ratios are integers in parts per million."""


class Gas(msgspec.Struct, frozen=True):
    """What a transaction of a dispute takes, in gas; a model, to be replaced by what `scripts/bench game` measures.

    A move brings the game's record as calldata and emits the next one (15,000 each), changes one word of storage (5,000),
    is a transaction (21,000) and checks what it was given (20,000); each further word is calldata, log and one hash.
    """

    move: int = 76_000
    word: int = 1_000
    prove: int = 600_000
    expire: int = 60_000
    seal: int = 60_000


class Setting(msgspec.Struct, frozen=True):
    """A task and the world around it. Amounts are in the currency's smallest unit, chances in parts per million."""

    price: int
    steps: int
    intervals: int
    verifiers: int
    audit_intervals: int
    gain: int
    """What one wrong interval that escapes is worth to whoever planted it: a backdoor, or a false certificate."""
    gas_price: int
    """Smallest units for a million gas."""
    honest: int = 800_000
    """Chance that a drawn verifier is honest and independent of the solver."""
    replay: int = 500_000
    """What computing costs, per price: the rest is the solver's margin."""
    forced: int = 50_000
    """Chance that the solver of a task has to err."""
    fault: int = 100
    """Chance that a flipped bit spoils one interval of a task."""
    clock: int = 86_400
    """Seconds that each party of a dispute has for all its moves."""
    interest: int = 100_000
    """What locked money costs in a year."""
    patrolled: bool = True
    """Whether a tax is raised that feeds whistleblowers."""
    values: int = 1024
    """Values of a step."""
    chunks: int = 1024
    """KiB of the largest value."""
    fold: int = 4096
    """Terms of the longest fold."""
    ways: int = 32
    gas: Gas = Gas()

    @property
    def slots(self) -> int:
        """Intervals that all drawn verifiers replay together, counted as often as they are drawn."""
        return self.verifiers * self.audit_intervals

    @property
    def replays(self) -> int:
        """How often an interval that is drawn is drawn at most."""
        return -(-self.slots // self.intervals)

    @property
    def interval_cost(self) -> int:
        """What it costs to compute one interval, rounded up."""
        return -(-self.price * self.replay // (MILLION * self.intervals))

    def money(self, gas: int) -> int:
        """What `gas` costs, rounded up."""
        return -(-gas * self.gas_price // MILLION)


LOCAL = Setting(
    price=4257,
    steps=240,
    intervals=10,
    verifiers=2,
    audit_intervals=5,
    gain=4257,
    gas_price=30_000,
    values=512,
    chunks=64,
    clock=600,
    fold=1024,
)
"""`assay demo`: the digits task. Gas as on a rollup: 0.01 gwei, 3,000 for the coin, a token worth 1, six decimals."""

MAIN = Setting(
    price=1000 * MILLION, steps=100_000, intervals=100, verifiers=4, audit_intervals=5, gain=1000 * MILLION,
    gas_price=6 * MILLION, values=4096, chunks=2**16,
)  # fmt: skip
"""A task of 1,000 tokens on a main net: 2 gwei, 3,000 for the coin, a token worth 1, six decimals."""

NETWORKS = {"local": LOCAL, "main": MAIN}
