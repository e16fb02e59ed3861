"""A solver's durable memory of one task: which checkpoints exist, and the trace digests that it must not show yet."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from assay.words import Checkpoint

__all__ = ["Entry", "Journal"]


class Entry(msgspec.Struct, frozen=True):
    """One finished checkpoint. `digest` (hex) is the secret behind the checkpoint's trace; empty for step 0."""

    checkpoint: Checkpoint
    digest: str = ""
    losses: tuple[float, ...] = ()


class Journal:
    """The entries of one task, a line of JSON each, appended. After a SIGKILL the whole lines count; a torn one is cut off."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        self.entries = [msgspec.json.decode(line, type=Entry) for line in whole.splitlines()]
        if whole != data:
            os.truncate(path, len(whole))

    def append(self, entry: Entry) -> None:
        """Add the next checkpoint, on disk when this returns."""
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(entry) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.entries.append(entry)

    @property
    def digests(self) -> list[bytes]:
        """The trace digest of every interval that is done."""
        return [bytes.fromhex(entry.digest) for entry in self.entries[1:]]
