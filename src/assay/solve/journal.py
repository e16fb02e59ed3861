"""A solver's durable memory of one task: which checkpoints exist, and the trace digests that it must not show yet."""

from __future__ import annotations

import contextlib
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
        self._lines = path.read_bytes().splitlines(keepends=True)
        self.entries: list[Entry] = []
        with contextlib.suppress(msgspec.MsgspecError):
            for line in self._lines:
                if line.endswith(b"\n"):
                    self.entries.append(msgspec.json.decode(line, type=Entry))
        self.cut(len(self.entries))

    def append(self, entry: Entry) -> None:
        """Add the next checkpoint; it outlives this process when this returns."""
        line = msgspec.json.encode(entry) + b"\n"
        with self._path.open("ab") as file:
            file.write(line)
        self._lines.append(line)
        self.entries.append(entry)

    def cut(self, length: int) -> None:
        """Keep the first `length` entries only."""
        del self.entries[length:], self._lines[length:]
        whole = sum(map(len, self._lines))
        if self._path.stat().st_size != whole:
            os.truncate(self._path, whole)

    def sync(self) -> None:
        """From here on the entries outlive a power cut too."""
        with self._path.open("ab") as file:
            os.fsync(file.fileno())

    @property
    def digests(self) -> list[bytes]:
        """The trace digest of every interval that is done."""
        return [bytes.fromhex(entry.digest) for entry in self.entries[1:]]
