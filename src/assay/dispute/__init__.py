"""The rules of a dispute, as pure functions. For now: naming the first differing step."""

from __future__ import annotations

from .first_difference import first_difference

__all__ = ["first_difference"]
