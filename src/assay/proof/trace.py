"""The trace of an interval: the exact bits of every step's metrics, secret until the audit has ended.

A verifier can only know them by replaying, since the public view shows rounded values. The solver binds
trace = sha256(05 || digest) in its commitment and shows `digest` at the reveal.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from . import merkle
from .tensors import Array, by_name, raw

__all__ = ["Trace", "fingerprint", "public", "trace_of"]

PUBLIC_DIGITS = 3


def fingerprint(step: int, metrics: Mapping[str, Array]) -> bytes:
    """The leaf of one step: sha256(00 || step 8 BE || each metric's bytes, in name order)."""
    return merkle.leaf(b"".join((step.to_bytes(8, "big"), *(raw(metrics[name]) for name in by_name(metrics)))))


def trace_of(digest: bytes) -> bytes:
    """What is published instead of a trace digest."""
    return sha256(b"\x05" + digest).digest()


def public(value: float) -> float:
    """A metric as live views show it: rounded to 3 significant digits, so that its bits stay unknown."""
    return float(f"{value:.{PUBLIC_DIGITS}g}")


class Trace:
    """Collects the fingerprints of one interval, step by step."""

    def __init__(self) -> None:
        self.fingerprints: list[bytes] = []

    def add(self, step: int, metrics: Mapping[str, Array]) -> None:
        """Record the metrics of `step` (arrays by metric name)."""
        self.fingerprints.append(fingerprint(step, metrics))

    @property
    def digest(self) -> bytes:
        """The Merkle root over the fingerprints: the interval's secret."""
        return merkle.root(self.fingerprints)
