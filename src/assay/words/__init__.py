"""The records that the stages hand to each other, their canonical bytes, the life of a task, and units."""

from .canonical import Record, canonical, digest, parse
from .finding import Kind
from .lifecycle import TaskState
from .task import (
    Audit,
    Blob,
    Caught,
    Checkpoint,
    Commitment,
    Receipt,
    Root,
    Task,
    TaskSpec,
    Trajectory,
    Verdict,
)

__all__ = [
    "Audit",
    "Blob",
    "Caught",
    "Checkpoint",
    "Commitment",
    "Kind",
    "Receipt",
    "Record",
    "Root",
    "Task",
    "TaskSpec",
    "TaskState",
    "Trajectory",
    "Verdict",
    "canonical",
    "digest",
    "parse",
]
