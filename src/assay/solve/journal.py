"""A solver's durable memory of one task: which checkpoints exist, and the trace digests that it must not show yet."""

from __future__ import annotations

from pathlib import Path

import msgspec

from assay.observe import read_json, write_json
from assay.words import Checkpoint

__all__ = ["Entry", "Journal"]


class Entry(msgspec.Struct, frozen=True):
    """One finished checkpoint. `digest` (hex) is the secret behind the checkpoint's trace; empty for step 0."""

    checkpoint: Checkpoint
    digest: str = ""
    losses: tuple[float, ...] = ()


class Journal:
    """The entries of one task in `path`, rewritten atomically: after a SIGKILL the last whole checkpoint counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries: list[Entry] = msgspec.convert(read_json(path, []), list[Entry])

    def append(self, entry: Entry) -> None:
        """Add the next checkpoint, on disk when this returns."""
        self.entries.append(entry)
        write_json(self._path, msgspec.to_builtins(self.entries))

    @property
    def losses(self) -> list[float]:
        """The loss at every step that is done, rounded to what live views show."""
        return [loss for entry in self.entries for loss in entry.losses]

    @property
    def digests(self) -> list[bytes]:
        """The trace digest of every interval that is done."""
        return [bytes.fromhex(entry.digest) for entry in self.entries[1:]]
