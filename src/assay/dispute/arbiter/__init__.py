"""The arbiter: what the contracts `arithmetic` and `referee` say, in Python integers, for whoever wants to know before asking.

It shares no code with the engine: no array and no float of any library takes part.
"""

from __future__ import annotations

from .scalar import apply, store, widen

__all__ = ["apply", "store", "widen"]
