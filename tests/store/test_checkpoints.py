from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from assay.errors import UsageError
from assay.program.types import DType, Port
from assay.proof import blob_of, decode_state, state_root
from assay.store import CheckpointWriter, Store
from assay.words.task import Checkpoint


def state(step: int) -> dict[str, np.ndarray]:
    return {"w": np.full((300, 300), step, np.float32), "n": np.array(step)}


def test_checkpoints_are_what_they_would_be_in_the_foreground(tmp_path: Path) -> None:
    store, seen = Store(tmp_path), []
    with CheckpointWriter(store, on_written=seen.append) as writer:
        futures = [writer.submit(step, state(step), bytes([step]) * 32, b"t" * 32) for step in range(6)]
    for step, future in enumerate(futures):
        root, blob = state_root(state(step)).hex(), blob_of(state(step))
        assert future.result() == Checkpoint(step, root, blob, f"{step:02x}" * 32, (b"t" * 32).hex())
        ports = {"w": Port("w", DType.FLOAT32, (300, 300)), "n": Port("n", DType.INT64, ())}
        assert state_root(decode_state(store.get(blob), ports)).hex() == root
    assert seen == [future.result() for future in futures]


def test_no_more_than_pending_states_wait(tmp_path: Path) -> None:
    gate, submitted = threading.Event(), []
    with CheckpointWriter(Store(tmp_path), pending=2, on_written=lambda _: gate.wait(10)) as writer:

        def produce() -> None:
            for step in range(4):
                writer.submit(step, state(step))
                submitted.append(step)

        producer = threading.Thread(target=produce)
        producer.start()
        time.sleep(0.3)
        assert submitted == [0, 1]
        gate.set()
        producer.join(10)
        assert submitted == [0, 1, 2, 3]


def test_an_error_reaches_the_computation(tmp_path: Path) -> None:
    def full(_: Checkpoint) -> None:
        raise OSError(28, "No space left on device")

    writer = CheckpointWriter(Store(tmp_path), on_written=full)
    future = writer.submit(0, state(0))
    with pytest.raises(OSError, match="No space"):
        future.result(10)
    for _ in range(4):
        with pytest.raises(OSError, match="No space"):
            writer.submit(1, state(1))
    with pytest.raises(OSError, match="No space"):
        writer.close()


def test_the_computation_s_own_error_is_not_hidden(tmp_path: Path) -> None:
    def compute() -> None:
        with CheckpointWriter(Store(tmp_path), on_written=lambda _: 1 // int("0")) as writer:
            writer.submit(0, state(0))
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        compute()


def test_room_for_none_makes_no_sense(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        CheckpointWriter(Store(tmp_path), pending=0)
