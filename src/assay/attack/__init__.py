"""Attacks on the market, each carried out by real processes against honest ones on a local chain, and its balance."""

from __future__ import annotations

from .arena import Arena
from .outcome import Outcome, Summary
from .suite import ATTACKS, Attack, chosen, run, summary

__all__ = ["ATTACKS", "Arena", "Attack", "Outcome", "Summary", "chosen", "run", "summary"]
