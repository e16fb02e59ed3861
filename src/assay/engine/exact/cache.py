"""Compiled programs on disk. What lies there is run as native code, so only files that nobody else can write are read.

An entry is named by everything that its bytes depend on (`cache_key`), so it never goes out of date; it is forgotten
when it has not been used for longest and the folder is full. Any trouble with the disk means no cache, never an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import stat
import tempfile
import time
from dataclasses import astuple
from functools import cache as once
from pathlib import Path

import msgspec
import platformdirs

from assay import __version__
from assay.program.program import Program

from .compiled import Compiled, build
from .native import Machine, compiler_version

__all__ = ["Cache", "cache_key", "cached", "user_cache"]

FORMAT = b"assay-cache-1\n"
LIMIT = 1 << 30
"""Bytes that a cache may take."""
STALE = 3600
"""Seconds after which a file that was never finished is taken for a dead process's."""

_DIGEST = hashlib.sha256().digest_size
_HEADER = len(FORMAT) + _DIGEST
_SUFFIX = ".code"


class Cache:
    """Byte strings by key in one folder, which is made when it is first written to. Safe for many processes at once."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        """At most `limit` bytes are kept in `folder`; nothing else should be in it."""
        self.folder = folder
        self.limit = limit

    def get(self, key: str) -> bytes | None:
        """What was put under `key`; None if there is nothing, or nothing to be trusted, which is then removed."""
        path = self._path(key)
        try:
            if not _is_private(self.folder.lstat(), stat.S_IFDIR):
                return None
            data = _read(path, self.limit)
        except FileNotFoundError:
            return None
        except OSError:  # not even a link is followed
            data = None
        if data is None or not hmac.compare_digest(data[:_HEADER], _header(key, data[_HEADER:])):
            self.remove(key)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return data[_HEADER:]

    def put(self, key: str, value: bytes) -> None:
        """Keep `value`, whole or not at all, and forget what was not used for longest."""
        if _HEADER + len(value) > self.limit:
            return
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if _is_private(self.folder.lstat(), stat.S_IFDIR):
                self._write(self._path(key), _header(key, value) + value)
                self._evict()

    def remove(self, key: str) -> None:
        """Forget one entry."""
        with contextlib.suppress(OSError):
            self._path(key).unlink()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{_SUFFIX}"

    def _write(self, path: Path, data: bytes) -> None:
        handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=".")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(temporary, path)  # noqa: PTH105 - the name is ours, not a Path
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise

    def _evict(self) -> None:
        found, total, now = [], 0, time.time()
        for path in self.folder.iterdir():
            with contextlib.suppress(OSError):
                status = path.lstat()
                if path.suffix != _SUFFIX and now - status.st_mtime > STALE:
                    path.unlink()
                    continue
                found.append((status.st_mtime_ns, path, status.st_size))
                total += status.st_size
        for _, path, size in sorted(found):
            if total <= self.limit:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                total -= size


def _is_private(status: os.stat_result, kind: int) -> bool:
    """Whether it is of that kind, the user's own, and for nobody else to write."""
    if stat.S_IFMT(status.st_mode) != kind:
        return False
    if not hasattr(os, "geteuid"):  # Windows: the user's folder is the user's, and modes mean nothing
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _read(path: Path, limit: int) -> bytes | None:
    """The bytes of a private file; None if it is not one. Raises OSError for a link."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not _is_private(status, stat.S_IFREG) or status.st_size > limit:
            return None
        return file.read(limit + 1)


def _header(key: str, value: bytes) -> bytes:
    """The key is in the digest: an entry under another name is a damaged one."""
    return FORMAT + hashlib.sha256(b"%d %s %s" % (len(key), key.encode(), value)).digest()


def user_cache() -> Cache | None:
    """The cache in the folder ASSAY_CACHE, else in the platform's folder for caches; None where ASSAY_CACHE is `off`."""
    setting = os.environ.get("ASSAY_CACHE")
    if setting == "off":
        return None
    return Cache(Path(setting or platformdirs.user_cache_dir("assay")).expanduser() / "exact")


# --- programs


_ROOT = Path(__file__).parents[2]


def _sources(root: Path = _ROOT) -> str:
    """A digest of the sources of everything that decides what code is written: another generator, another key."""
    digest = hashlib.sha256()
    for path in sorted(p for part in ("engine", "program") for p in (root / part).rglob("*.py")):
        text = path.read_bytes()
        digest.update(b"%s %d " % (path.relative_to(root).as_posix().encode(), len(text)) + text)
    return digest.hexdigest()


@once
def _fingerprint() -> str:
    return _sources()


with contextlib.suppress(OSError):
    _fingerprint()  # now: of what this process has loaded, not of what an editor writes later


def cache_key(program: Program, target: Machine) -> str:
    """64 hex digits of kernels, ports, constants, machine, compiler and this engine. Raises OSError without sources."""
    constants = []
    for name, array in program.constants.items():
        content = hashlib.sha256(array.tobytes()).hexdigest()
        constants.append((name, array.dtype.name, array.shape, content))
    versions = (__version__, compiler_version(), _fingerprint())
    everything = (versions, astuple(target), program.inputs, program.outputs, constants, program.kernels)
    return hashlib.sha256(msgspec.msgpack.encode(everything)).hexdigest()


def cached(program: Program, target: Machine, cache: Cache | None) -> Compiled:
    """`build`, or what an earlier build left in the cache."""
    if cache is None:
        return build(program, target)
    try:
        key = cache_key(program, target)
    except OSError:
        return build(program, target)
    data = cache.get(key)
    if data is not None:
        try:
            return msgspec.msgpack.decode(data, type=Compiled)
        except msgspec.DecodeError:
            cache.remove(key)
    made = build(program, target)
    with contextlib.suppress(OSError):
        if _sources() == _fingerprint():  # else this process runs what is no longer there
            cache.put(key, msgspec.msgpack.encode(made))
    return made
