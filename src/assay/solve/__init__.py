"""SOLVE: take a task, train, keep what the proof needs."""

from .eligibility import Candidate, refusal
from .journal import Entry, Journal
from .train import Worker, train

__all__ = ["Candidate", "Entry", "Journal", "Worker", "refusal", "train"]
