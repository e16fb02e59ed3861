"""SETTLE: what moves a task to its end, and the receipt when it is there."""

from .due import Push, due
from .receipt import receipt

__all__ = ["Push", "due", "receipt"]
