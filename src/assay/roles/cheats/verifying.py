"""Verifiers that do not do what they are paid for."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

import msgspec

from assay.errors import UnavailableError
from assay.solve import Entry
from assay.verify import Sealed, finding_commitment, match_commitment
from assay.words import Kind

__all__ = ["slandered", "told"]


def slandered(task: str, verifier: str, intervals: Sequence[int]) -> Sealed:
    """A finding where nothing was found: somebody who means to make the solver defend itself."""
    salt, interval = secrets.token_bytes(32), min(intervals)
    commitment = finding_commitment(task, verifier, Kind.INTERVAL, interval, salt)
    return Sealed(task, verifier, commitment, tuple(intervals), Kind.INTERVAL, interval, salt=salt.hex())


def told(task: str, verifier: str, accomplice: Path, intervals: Sequence[int]) -> Sealed:
    """A match sealed with the trace digests that the solver in the folder `accomplice` has handed over, without replaying."""
    journal = accomplice / "tasks" / task.removeprefix("0x") / "journal.jsonl"
    try:
        # Not as a Journal: that one mends a torn file, which is the solver's to do.
        entries = [msgspec.json.decode(line, type=Entry) for line in journal.read_bytes().splitlines()]
        digests = [bytes.fromhex(entries[k + 1].digest) for k in intervals]
    except (OSError, msgspec.MsgspecError, IndexError) as reason:
        raise UnavailableError("The accomplice has not told the traces yet.", task=task) from reason
    return Sealed(task, verifier, match_commitment(task, verifier, digests), tuple(intervals))
