"""A content-addressed folder: each file is named by its SHA-256, and a name that can be seen is a whole file.

<root>/ab/cd/abcd…   the blobs
<root>/tmp/          files being written; what a crash leaves there is swept later
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

from assay.errors import BlobMissing, BlobRefused
from assay.words.task import Blob

__all__ = ["Sink", "Store", "copy_out"]

NAME = re.compile(r"[0-9a-f]{64}")
PIECE = 1 << 20
STALE_SECONDS = 24 * 3600.0

Data = bytes | bytearray | memoryview


class Sink:
    """A blob on its way in. Counts and hashes what is written; refuses more than `limit` bytes at once."""

    def __init__(self, descriptor: int, limit: int | None) -> None:
        self._file = os.fdopen(descriptor, "wb")
        self._hash = sha256()
        self._limit = limit
        self.size = 0

    def write(self, data: Data) -> None:
        """Append. Raises BlobRefused(size=, limit=) before anything beyond the limit is written."""
        self.size += len(data)
        if self._limit is not None and self.size > self._limit:
            raise BlobRefused(f"more than the announced {self._limit} bytes", size=self.size, limit=self._limit)
        self._hash.update(data)
        self._file.write(data)

    @property
    def blob(self) -> Blob:
        """The name and size of what has been written so far."""
        return Blob(self._hash.hexdigest(), self.size)

    def close(self, durable: bool) -> None:
        """Close the file; `durable` waits until the bytes are on the disk."""
        try:
            if durable:
                self._file.flush()
                os.fsync(self._file.fileno())
        finally:
            self._file.close()


class Store:
    """Blobs under a local folder, which is made if missing. Safe for any number of processes and threads at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._scratch = root / "tmp"
        self._scratch.mkdir(parents=True, exist_ok=True)
        self.sweep()

    def put(self, data: Data | Iterable[Data] | Path, durable: bool = True) -> Blob:
        """Store bytes, pieces of bytes, or a file's content.

        The blob outlives this process when this returns; only if `durable`, a power cut too. A blob that a power cut has
        spoilt is not whole, and `verify` says so.
        """
        with self.receive(durable=durable) as sink:
            for piece in _pieces(data):
                sink.write(piece)
        return sink.blob

    @contextmanager
    def receive(self, expected: Blob | None = None, limit: int | None = None, durable: bool = True) -> Iterator[Sink]:
        """Write a blob piece by piece; it appears at the end of the block, or never if the block raises.

        With `expected`, anything else is refused: BlobRefused for too many bytes (at once), too few, or another hash.
        """
        descriptor, name = tempfile.mkstemp(dir=self._scratch)
        sink = Sink(descriptor, expected.size if expected else limit)
        try:
            yield sink
            if expected is not None and sink.blob != expected:
                found = sink.blob
                why = f"{found.size} of {expected.size} bytes" if found.size != expected.size else "another hash"
                raise BlobRefused(f"not the blob that was asked for: {why}", found=found.sha256, size=found.size)
            sink.close(durable)
            self._publish(Path(name), sink.blob, durable)
        finally:
            Path(name).unlink(missing_ok=True)
            sink.close(durable=False)

    def has(self, blob: Blob) -> bool:
        """Whether a file of this name and size is here (its bytes are not read)."""
        try:
            return self._place(blob.sha256).stat().st_size == blob.size
        except FileNotFoundError:
            return False

    def path(self, blob: Blob) -> Path:
        """The blob's file, not hashed again. Raises BlobMissing."""
        if not self.has(blob):
            raise BlobMissing(f"blob {blob.sha256[:12]}… is not in {self.root}", sha256=blob.sha256, size=blob.size)
        return self._place(blob.sha256)

    def get(self, blob: Blob, verify: bool = True) -> bytes:
        """The blob's bytes. Raises BlobMissing; BlobRefused if the disk has spoilt it (the file is then removed)."""
        path = self.path(blob)
        data = path.read_bytes()
        if verify and (len(data) != blob.size or sha256(data).hexdigest() != blob.sha256):
            path.unlink(missing_ok=True)
            raise BlobRefused("the stored bytes have changed", sha256=blob.sha256, path=str(path))
        return data

    def verify(self, blob: Blob) -> bool:
        """Whether the blob is here and still whole; a spoilt file is removed. Reads it in pieces."""
        if not self.has(blob):
            return False
        path, digest = self._place(blob.sha256), sha256()
        for piece in _pieces(path):
            digest.update(piece)
        if digest.hexdigest() != blob.sha256:
            path.unlink(missing_ok=True)
            return False
        return True

    def find(self, name: str) -> Path | None:
        """The file of the blob with this SHA-256, if `name` is one and it is here."""
        if not NAME.fullmatch(name):
            return None
        place = self._place(name)
        return place if place.is_file() else None

    def sweep(self, older_than: float = STALE_SECONDS) -> int:
        """Remove what crashed writers left behind more than `older_than` seconds ago; returns how many files."""
        removed, before = 0, time.time() - older_than
        for path in self._scratch.iterdir():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()
                    removed += 1
        return removed

    def _place(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise BlobRefused(f"not a SHA-256: {name[:80]!r}")
        return self.root / name[:2] / name[2:4] / name

    def _publish(self, written: Path, blob: Blob, durable: bool) -> None:
        """Give a finished file its name. Of several writers of one blob the last wins, with the same bytes."""
        place = self._place(blob.sha256)
        written.chmod(0o644)
        place.parent.mkdir(parents=True, exist_ok=True)
        written.replace(place)
        if durable:
            _sync(place.parent)  # on a journalling file system this commits the new folders above it as well


def _pieces(data: Data | Iterable[Data] | Path) -> Iterator[Data]:
    if isinstance(data, Path):
        with data.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece
    elif isinstance(data, bytes | bytearray | memoryview):
        yield data
    else:
        yield from data


def _sync(folder: Path) -> None:
    """Make a folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy_out(store: Store, blob: Blob, target: Path) -> None:
    """Copy a blob to `target`, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        partial = Path(scratch) / target.name
        shutil.copyfile(store.path(blob), partial)
        partial.replace(target)
