"""The price of a task: counted from its program before anything is spent, and the bill never exceeds it."""

from __future__ import annotations

from assay.errors import UsageError
from assay.program import Program
from assay.words import Record, TaskSpec
from assay.words.units import TERA, ceil_div

__all__ = ["DEFAULT_RATE", "Quote", "Windows", "quote"]

DEFAULT_RATE = 1_000_000
"""Smallest units of the currency per tera-operation: one token."""


class Windows(Record, frozen=True):
    """How long each state of a task may last, in seconds. After that anyone may push the task to its end."""

    open_for: int = 3600
    work_for: int = 24 * 3600
    attest_for: int = 24 * 3600
    reveal_for: int = 3600


class Quote(Record, frozen=True):
    """What a task costs. Amounts are in the currency's smallest unit; `operations` is over all steps."""

    operations: int
    rate: int
    price: int
    fee: int
    verifiers: int
    escrow: int

    @property
    def overhead(self) -> float:
        """What checking costs, as a fraction of the computation."""
        return (self.escrow - self.price) / self.price


def quote(program: Program, spec: TaskSpec, rate: int = DEFAULT_RATE) -> Quote:
    """The exact price of `spec`: counted operations times `rate`, rounded up once; a verifier is paid for its share of it.

    Raises UsageError if the audit asks for more intervals than there are.
    """
    if rate < 1:
        raise UsageError(f"The rate must be positive, not {rate}.", rate=rate)
    if spec.audit.intervals > spec.intervals:
        raise UsageError(
            f"The audit draws {spec.audit.intervals} intervals per verifier, but the task has {spec.intervals}.",
            hint="Lower audit.intervals or the checkpoint interval.",
            intervals=spec.intervals,
        )
    operations = program.cost.operations * spec.steps
    price = ceil_div(operations * rate, TERA)
    fee = ceil_div(price * spec.audit.intervals, spec.intervals)
    escrow = price + fee * spec.audit.verifiers
    return Quote(operations, rate, price, fee, spec.audit.verifiers, escrow)
