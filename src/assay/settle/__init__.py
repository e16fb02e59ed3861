"""SETTLE: what moves a task to its end, and the receipt when it is there."""

from .due import Push, due
from .earnings import Earnings, Line, earnings
from .receipt import receipt

__all__ = ["Earnings", "Line", "Push", "due", "earnings", "receipt"]
