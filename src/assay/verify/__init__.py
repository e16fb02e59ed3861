"""VERIFY: replay intervals, seal what was found, open it when everybody has."""

from .attestation import finding_commitment, match_commitment
from .audit import Sealed, audit, read_trajectory, trajectory_limit
from .echo import echo

__all__ = [
    "Sealed",
    "audit",
    "echo",
    "finding_commitment",
    "match_commitment",
    "read_trajectory",
    "trajectory_limit",
]
