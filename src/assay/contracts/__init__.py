"""Money, stakes and the market: Vyper sources, and the ABI and bytecode that ship with the package."""

from .artifact import CONTRACTS, Artifact, artifact

__all__ = ["CONTRACTS", "Artifact", "artifact"]
