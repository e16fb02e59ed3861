"""Checkpoints written beside the computation: hashing and disk are off the critical path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore

from assay.errors import UsageError
from assay.proof import ZERO, Array, new_checkpoint, state_root
from assay.proof.archive import encode
from assay.words.task import Checkpoint

from .blobs import Store

__all__ = ["CheckpointWriter"]


class CheckpointWriter:
    """Turns states into stored checkpoints, one after the other, in a thread of its own.

    At most `pending` states wait; a further `submit` blocks until one is done, which bounds memory. `on_written` is
    called in the writing thread, in order, once a checkpoint is on the disk. After an error nothing more is
    written: the next `submit`, or `close`, raises it. The arrays given must not be changed afterwards.
    """

    def __init__(self, store: Store, pending: int = 2, on_written: Callable[[Checkpoint], None] | None = None) -> None:
        if pending < 1:
            raise UsageError("at least one checkpoint must be able to wait", pending=pending)
        self._store, self._on_written = store, on_written
        self._room = BoundedSemaphore(pending)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._error: BaseException | None = None

    def submit(
        self, step: int, state: Mapping[str, Array], batches: bytes = ZERO, trace: bytes = ZERO
    ) -> Future[Checkpoint]:
        """Have `state` hashed and stored; the future holds its record. Raises the error of an earlier one."""
        self._room.acquire()
        try:
            self._raise()
            return self._thread.submit(self._write, step, dict(state), batches, trace)
        except BaseException:
            self._room.release()
            raise

    def close(self) -> None:
        """Wait until all is written. Raises the first error, if there was one."""
        self._thread.shutdown()
        self._raise()

    def __enter__(self) -> CheckpointWriter:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self.close()
        else:
            self._thread.shutdown(cancel_futures=True)

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _write(self, step: int, state: Mapping[str, Array], batches: bytes, trace: bytes) -> Checkpoint:
        try:
            self._raise()
            written = new_checkpoint(
                step, state_root(state), self._store.put(encode(state), durable=False), batches, trace
            )
            if self._on_written is not None:
                self._on_written(written)
            return written
        except BaseException as error:
            self._error = self._error or error
            raise
        finally:
            self._room.release()
