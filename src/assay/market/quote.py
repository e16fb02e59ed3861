"""The price of a task: counted from its program before anything is spent, and the bill never exceeds it."""

from __future__ import annotations

import msgspec

from assay.economics import LOCAL, Setting, derive
from assay.errors import UsageError
from assay.program import Program
from assay.words import Record, TaskSpec
from assay.words.units import TERA, ceil_div

__all__ = ["DEFAULT_RATE", "MAX_AUDIT", "MAX_INTERVALS", "MAX_VERIFIERS", "Quote", "Windows", "quote"]

DEFAULT_RATE = 1_000_000
"""Smallest units of the currency per tera-operation: one token."""


MAX_VERIFIERS, MAX_AUDIT, MAX_INTERVALS = 16, 32, 2**20 - 1
"""Most verifiers of a task, intervals of a verifier and intervals of a task that the market contract takes."""


SLOW = 10**9
"""Scalar operations per second of a machine that is still welcome."""

NOTICE = 60
"""Seconds in which a whistleblower sees a result and has fetched it."""

LONGEST = 30 * 24 * 3600
"""Longest window that the market contract takes, in seconds."""


class Windows(Record, frozen=True):
    """How long each state of a task may last, in seconds. After that anyone may push the task to its end.

    Whistleblowers may accuse until `patrol_for` after the commitment. In a dispute each side has `clock` for all its moves,
    and at least `extension` for each.
    """

    open_for: int = 3600
    work_for: int = 24 * 3600
    patrol_for: int = 1800
    attest_for: int = 24 * 3600
    reveal_for: int = 3600
    clock: int = 3600
    extension: int = 600

    @classmethod
    def fitting(cls, price: Quote, spec: TaskSpec, *, watched: bool = True) -> Windows:
        """Twice what a slow machine takes for the work, and for a verifier's share of it, plus time to notice.

        A result waits for whistleblowers, who may replay all of it, only where it is `watched`: where there are any.
        """
        work = 2 * price.operations // SLOW
        share = ceil_div(work * spec.audit.intervals, spec.intervals)
        return cls(
            work_for=min(LONGEST, 3600 + work),
            patrol_for=min(LONGEST, NOTICE + work) if watched else 0,
            attest_for=min(LONGEST, 1800 + max(share, work if watched else 0)),
            reveal_for=1800,
        )


class Quote(Record, frozen=True):
    """What a task costs. Amounts are in the currency's smallest unit; `operations` is over all steps."""

    operations: int
    rate: int
    price: int
    fee: int
    verifiers: int
    escrow: int
    collateral: int
    """What of the solver's stake is locked while it works, and lost if the result is ruled to be wrong."""
    bond: int
    """What a challenger puts down at each level of a dispute."""

    @property
    def overhead(self) -> float:
        """What checking costs, as a fraction of the computation."""
        return (self.escrow - self.price) / self.price if self.price else 0.0


def quote(program: Program, spec: TaskSpec, rate: int = DEFAULT_RATE) -> Quote:
    """The exact price of `spec`: counted operations times `rate`, rounded up once; a verifier is paid for its share of it.

    Raises UsageError if the audit asks for more intervals than there are, or for more than the contract takes.
    """
    if rate < 1:
        raise UsageError(f"The rate must be positive, not {rate}.", rate=rate)
    _check_size(spec)
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
    needed = derive(_setting(spec, price))
    return Quote(operations, rate, price, fee, spec.audit.verifiers, escrow, needed.collateral, needed.bond)


def _setting(spec: TaskSpec, price: int) -> Setting:
    """The task as docs/economics.md sees it, at the gas price of a local network or a rollup."""
    audit = spec.audit
    return msgspec.structs.replace(
        LOCAL,
        price=price,
        gain=price,
        steps=spec.steps,
        intervals=spec.intervals,
        verifiers=audit.verifiers,
        audit_intervals=audit.intervals,
    )


def _check_size(spec: TaskSpec) -> None:
    sizes = {
        "verifiers": (spec.audit.verifiers, MAX_VERIFIERS, "Lower audit.verifiers."),
        "intervals per verifier": (spec.audit.intervals, MAX_AUDIT, "Lower audit.intervals."),
        "intervals": (spec.intervals, MAX_INTERVALS, "Raise the checkpoint interval."),
    }
    for name, (found, limit, hint) in sizes.items():
        if found > limit:
            raise UsageError(f"The task has {found} {name}; the market takes {limit}.", hint=hint, limit=limit)
