"""VERIFY: replay drawn intervals, seal what was found, open it when everybody has."""

from .attestation import match_commitment, mismatch_commitment
from .audit import WITHHELD, Sealed, audit, read_trajectory, trajectory_limit
from .echo import echo

__all__ = [
    "WITHHELD",
    "Sealed",
    "audit",
    "echo",
    "match_commitment",
    "mismatch_commitment",
    "read_trajectory",
    "trajectory_limit",
]
