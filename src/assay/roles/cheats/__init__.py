"""Dishonest participants, for demonstrations and attacks: real deviations, honestly computed otherwise.

A cheating solver is an honest one whose `interval` is not what the task says, or that hides, forges or keeps silent about
something; it claims the task's roots all the same. What each cheat is stands in `CHEATS`.
"""

from __future__ import annotations

from .griefing import Griefer
from .manner import Manner
from .programs import with_half_rate, with_low_precision
from .registry import CHEATS, Cheat, cheat_of, cheating_worker
from .scene import Scene
from .verifying import slandered, told

__all__ = [
    "CHEATS",
    "Cheat",
    "Griefer",
    "Manner",
    "Scene",
    "cheat_of",
    "cheating_worker",
    "slandered",
    "told",
    "with_half_rate",
    "with_low_precision",
]
