"""What became of an attack: who was caught by whom, and what it cost."""

from __future__ import annotations

from assay.words import Record

__all__ = ["Outcome", "Summary"]


class Outcome(Record, frozen=True):
    """One attack that was carried out. Amounts are in the currency's smallest unit.

    `attacker_net` is what all attackers together gained in money, less the gas that they paid; `honest_min_net` is what the
    worst off of the honest gained in money. `rounds` are the moves of all disputes together, `gas` what their transactions took
    (of all of the attack's transactions where nobody disputed). `conserved` says that no coin appeared or vanished.
    """

    name: str
    caught: bool
    by: str
    attacker_net: int
    honest_min_net: int
    rounds: int
    gas: int
    conserved: bool
    harmless: bool
    seconds: float

    @property
    def repelled(self) -> bool:
        """Whether it ended as every attack has to."""
        safe = self.conserved and self.attacker_net < 0 and self.honest_min_net >= 0
        return (self.caught or self.harmless) and safe


class Summary(Record, frozen=True):
    """The whole suite."""

    attacks: int
    repelled: int
    failed: tuple[str, ...]
    seconds: float
