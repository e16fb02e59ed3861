"""Refusing a move that the rules do not allow."""

from __future__ import annotations

from assay.errors import RefusedError

__all__ = ["require"]


def require(held: bool, reason: str) -> None:
    """Raise RefusedError(reason) unless `held`: the words with which the contract reverts, empty where it has none."""
    if not held:
        raise RefusedError(reason)
