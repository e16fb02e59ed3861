"""The table of measured errors, from what `scripts/bench accuracy --stride 1` kept."""

from __future__ import annotations

from math import ceil

import msgspec

from assay.errors import UsageError

from ..functions import FUNCTIONS
from ..functions.trace import fingerprint
from .table import table

__all__ = ["Measured", "accuracy_table"]

_EXACT = {"reciprocal", "sqrt"}
_LARGE = 2.0


class Measured(msgspec.Struct, frozen=True):
    """A line of bench/accuracy.json, as far as the table needs it; bench/accuracy.py says what the fields are."""

    name: str
    inputs: str
    count: int
    ulp: float
    absolute: float
    worst: tuple[str, ...]
    exhaustive: bool
    sequence: str
    reference: float
    wrong: int


def accuracy_table(data: bytes) -> str:
    """One row per function and range. Errors are rounded up to two digits.

    Raises UsageError if a function was never measured, or its sequence has changed since.
    """
    lines = msgspec.json.decode(data, type=list[Measured])
    missing = ({*FUNCTIONS} | _EXACT) - {m.name for m in lines}
    stale = {m.name for m in lines if m.name in FUNCTIONS and m.sequence != fingerprint(m.name)}
    if missing or stale:
        names = sorted(missing | stale)
        raise UsageError(
            f"the accuracy of {', '.join(names)} is not measured as it is now",
            hint=f"Run: scripts/bench accuracy --stride 1 {' '.join(names)}",
            names=names,
        )
    head = ("function", "inputs", "largest error, ulp", "largest error", "measured on", "at")
    return table(head, [_row(m) for m in lines])


def _row(m: Measured) -> tuple[str, ...]:
    inputs = "all 2^32" if m.inputs == "all" else m.inputs.replace("|x|", "abs x")
    if m.wrong >= 0:
        error = "rounded correctly" if m.wrong == 0 else f"{m.wrong} results are wrong"
        return m.name, inputs, error, "", _measured_on(m), ""
    # In absolute terms an error says something only where results are at most 1 or so.
    absolute = f"{_up(m.absolute * 2**24)}·2^-24" if m.absolute < 2**-20 else ""
    ulp = _up(m.ulp) if m.ulp < _LARGE else f"{ceil(m.ulp):,}"
    return m.name, inputs, ulp, absolute, _measured_on(m), " ".join(f"`{bits}`" for bits in m.worst)


def _up(x: float) -> str:
    return f"{ceil(x * 100) / 100:.2f}"


def _measured_on(m: Measured) -> str:
    return "every input" if m.exhaustive else f"{m.count:,} samples"
