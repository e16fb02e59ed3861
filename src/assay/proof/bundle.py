"""A proof bundle: a folder that anyone can check offline by replaying any part of it.

    manifest.json                    spec, trajectory, commitment root, receipt (optional)
    program.onnx                     the program
    dataset.safetensors              the rows
    checkpoints/<step>.safetensors   every checkpoint, the initial state included

Only these names are ever opened; nothing in the manifest is a path.
"""

from __future__ import annotations

import mmap
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec

from assay.errors import MismatchError, NotFoundError, RefusedError, UsageError
from assay.program import Program, load
from assay.words.canonical import Record, canonical, digest, parse
from assay.words.task import Blob, Checkpoint, Receipt, Root, TaskSpec, Trajectory

from .dataset import Dataset
from .replay import replay
from .roots import program_root
from .run import Executable, Runner
from .trajectory import commitment_root, validate

__all__ = ["Checked", "Manifest", "check", "read_manifest", "write"]

MANIFEST, PROGRAM, DATASET, CHECKPOINTS = "manifest.json", "program.onnx", "dataset.safetensors", "checkpoints"
MANIFEST_LIMIT = 64 << 20
PIECE = 1 << 20

Compile = Callable[[Program], Executable]


class Manifest(Record, frozen=True):
    """What a bundle claims."""

    spec: TaskSpec
    trajectory: Trajectory
    root: Root
    receipt: Receipt | None = None
    version: Literal[1] = 1


class Checked(Record, frozen=True):
    """What a bundle check has established."""

    spec: Root
    root: Root
    final_root: Root
    intervals: tuple[int, ...]
    steps: int
    """Steps replayed."""
    of: int
    """Steps of the task."""


def checkpoint_name(checkpoint: Checkpoint) -> str:
    """Where a checkpoint's bytes are in the bundle."""
    return f"{CHECKPOINTS}/{checkpoint.step}.safetensors"


def files(manifest: Manifest) -> dict[str, Blob]:
    """Every file beside the manifest, with the bytes it must have."""
    fixed = {PROGRAM: manifest.spec.program, DATASET: manifest.spec.dataset}
    return fixed | {checkpoint_name(c): c.blob for c in manifest.trajectory.checkpoints}


def write(
    folder: Path, spec: TaskSpec, trajectory: Trajectory, source: Callable[[Blob], Path], receipt: Receipt | None = None
) -> Manifest:
    """Write the bundle at once or not at all; `source` gives the path of a blob (a store or fetcher).

    An earlier bundle at `folder` is replaced. Raises UsageError if something else is there.
    """
    manifest = Manifest(spec, trajectory, commitment_root(trajectory).hex(), receipt)
    if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise UsageError(f"{folder} exists and is not a proof bundle", hint="Choose another folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        new, old = Path(scratch) / "new", Path(scratch) / "old"
        (new / CHECKPOINTS).mkdir(parents=True)
        for name, blob in files(manifest).items():
            shutil.copyfile(source(blob), new / name)
            _read(new, name, blob)
        (new / MANIFEST).write_bytes(msgspec.json.format(canonical(manifest), indent=1) + b"\n")
        for path in (*new.rglob("*"), new):
            _sync(path)
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    _sync(folder.parent)
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest, strictly parsed. Raises NotFoundError, RefusedError."""
    if not folder.is_dir():
        raise NotFoundError(f"no proof bundle at {folder}", hint="Give the folder that holds manifest.json.")
    with _open(folder, MANIFEST) as (file, size):
        if size > MANIFEST_LIMIT:
            raise RefusedError("the manifest is too large", size=size, limit=MANIFEST_LIMIT)
        data = file.read(MANIFEST_LIMIT)
    try:
        return parse(Manifest, data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise RefusedError(f"the manifest is malformed: {error}", file=MANIFEST) from None


def check(
    folder: Path,
    compile: Compile | None = None,
    intervals: Sequence[int] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Checked:
    """Check every hash in the bundle, then replay `intervals` (default: all) with `compile` (default: engine.exact's).

    `on_progress(done, total)` counts replayed steps. Raises MismatchError(step=, interval=, ...) where the bundle
    does not hold (-1: nowhere in particular), RefusedError if it is malformed or incomplete, NotFoundError, UsageError.
    """
    manifest = read_manifest(folder)
    spec, trajectory = manifest.spec, manifest.trajectory
    chosen = _chosen(intervals, spec)
    _check_claims(manifest)
    runner = _runner(folder, manifest, compile)
    validate(trajectory, spec, runner.ports)
    for k, checkpoint in enumerate(trajectory.checkpoints):
        _read(folder, checkpoint_name(checkpoint), checkpoint.blob, checkpoint.step, max(0, k - 1))

    names = {c.blob: checkpoint_name(c) for c in trajectory.checkpoints}
    total = sum(stop - start for start, stop in map(spec.bounds, chosen))
    done = 0

    def count(step: int, metrics: object) -> None:
        nonlocal done
        done += 1
        if on_progress is not None:
            on_progress(done, total)

    for finding in replay(runner, lambda blob: _read(folder, names[blob], blob), trajectory, chosen, count):
        if not finding.matched:
            evidence = {"found": finding.found_root, "expected": finding.expected_root, "reason": finding.reason}
            where = f"checkpoint {finding.step} does not hold: {finding.reason}"
            raise MismatchError(where, step=finding.step, interval=finding.interval, **evidence)
    last = trajectory.checkpoints[-1].state_root
    return Checked(digest(spec), manifest.root, last, tuple(chosen), total, spec.steps)


def _chosen(intervals: Sequence[int] | None, spec: TaskSpec) -> Sequence[int]:
    """Which intervals to replay, in order. Nothing is counted out yet: a hostile spec may have 2**53 of them."""
    if intervals is None:
        return range(spec.intervals)
    for k in intervals:
        if not 0 <= k < spec.intervals:
            raise UsageError(f"no interval {k}", hint=f"The bundle has the intervals 0 to {spec.intervals - 1}.")
    return sorted(set(intervals))


def _check_claims(manifest: Manifest) -> None:
    """What the manifest says in two places must be the same."""
    spec, trajectory, receipt = manifest.spec, manifest.trajectory, manifest.receipt
    if (spec.numerics, spec.sampler, spec.version) != ("exact-1", "feistel-1", 1):
        raise RefusedError("the bundle needs another version of assay", numerics=spec.numerics, sampler=spec.sampler)
    found = commitment_root(trajectory).hex()
    if found != manifest.root:
        raise _mismatch("the trajectory is not what was committed", found=found, expected=manifest.root)
    if receipt is not None and receipt.spec != digest(spec):
        raise _mismatch("the receipt is for another task", found=receipt.spec, expected=digest(spec))
    last = trajectory.checkpoints[-1].state_root if trajectory.checkpoints else ""
    if receipt is not None and receipt.state_root not in ("", last):
        raise _mismatch("the receipt is for another result", found=receipt.state_root, expected=last)


def _runner(folder: Path, manifest: Manifest, compile: Compile | None) -> Runner:
    """Program and dataset, each checked against the spec before it is used."""
    if compile is None:
        from assay.engine import exact

        compile = exact.compile
    spec = manifest.spec
    program = load(bytes(_read(folder, PROGRAM, spec.program)))
    dataset = Dataset.parse(_read(folder, DATASET, spec.dataset))
    roots = {"program": program_root(program).hex(), "dataset": dataset.root.hex()}
    for what, claimed in (("program", spec.program_root), ("dataset", spec.dataset_root)):
        if roots[what] != claimed:
            raise _mismatch(f"the {what} does not have the task's root", found=roots[what], expected=claimed)
    return Runner(compile(program), spec, dataset)


def _mismatch(message: str, step: int = -1, interval: int = -1, **evidence: Any) -> MismatchError:
    return MismatchError(message, step=step, interval=interval, **evidence)


@contextmanager
def _open(folder: Path, name: str) -> Iterator[tuple[BinaryIO, int]]:
    """A regular file of the bundle and its size; no link and no device is followed or waited for."""
    path = folder / name
    if path.parent.is_symlink() and path.parent != folder:
        raise RefusedError(f"{name} is reached through a link", file=name)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise RefusedError(f"the bundle is incomplete: {name}: {error.strerror}", file=name) from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise RefusedError(f"{name} is not a regular file", file=name)
    with os.fdopen(descriptor, "rb") as file:
        yield file, status.st_size


def _read(folder: Path, name: str, blob: Blob, step: int = -1, interval: int = -1) -> memoryview:
    """The file mapped into memory, if it is exactly `blob`. Raises MismatchError, RefusedError."""
    with _open(folder, name) as (file, size):
        if size != blob.size:
            raise _mismatch(f"{name} has {size} bytes, not {blob.size}", step, interval, file=name)
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b"")
    found = sha256(data).hexdigest()
    if found != blob.sha256:
        raise _mismatch(f"{name} is not what the manifest names", step, interval, file=name, found=found)
    return data


def _sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
