"""The two players of a dispute: what each does next, given the record, what was revealed, and its own testimony.

Both decide from the record alone, so that a player that was killed goes on where it was. `Defender` answers for a solver;
`Challenger` leads to the first claim that differs from its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.errors import UsageError
from assay.program.code import Coded, coded, layout
from assay.proof import merkle
from assay.proof.code import entries
from assay.words import Record

__all__ = ["Move"]
