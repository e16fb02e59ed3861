from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import BlobMissing, BlobRefused
from assay.store import Store, copy_out
from assay.words.task import Blob


def visible(store: Store) -> list[Path]:
    """Every file but those in the scratch folder."""
    return [p for p in store.root.rglob("*") if p.is_file() and p.parent.name != "tmp"]


def blob_of(data: bytes) -> Blob:
    return Blob(sha256(data).hexdigest(), len(data))


def test_bytes_pieces_and_files_are_the_same_blob(tmp_path: Path) -> None:
    store, data = Store(tmp_path / "s"), os.urandom(3_000_000)
    (tmp_path / "file").write_bytes(data)
    pieces = (data[i : i + 70_001] for i in range(0, len(data), 70_001))
    blobs = {store.put(data), store.put(pieces), store.put(tmp_path / "file"), store.put(memoryview(data))}
    assert blobs == {blob_of(data)}
    (path,) = visible(store)
    name = blob_of(data).sha256
    assert path == store.root / name[:2] / name[2:4] / name == store.path(blob_of(data))
    assert store.get(blob_of(data)) == data
    assert store.verify(blob_of(data))
    assert not list((store.root / "tmp").iterdir())


@given(st.lists(st.binary(max_size=300), max_size=5))
@settings(max_examples=20)
def test_what_is_put_is_got(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]) -> None:
    store = Store(tmp_path_factory.mktemp("s"))
    blob = store.put(iter(pieces))
    assert blob == blob_of(b"".join(pieces))
    assert store.get(blob) == b"".join(pieces)


def test_a_missing_blob(tmp_path: Path) -> None:
    store = Store(tmp_path)
    blob = blob_of(b"never put")
    assert not store.has(blob)
    assert not store.verify(blob)
    with pytest.raises(BlobMissing) as caught:
        store.get(blob)
    assert caught.value.evidence == {"sha256": blob.sha256, "size": blob.size}
    store.put(b"never put")
    assert not store.has(Blob(blob.sha256, blob.size + 1))  # a wrong size is another blob


@pytest.mark.parametrize("name", ["../../etc/passwd", "0" * 63, "0" * 63 + "G", "A" * 64, "0" * 64 + "\n", ""])
def test_only_hashes_are_names(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path)
    assert store.find(name) is None
    with pytest.raises(BlobRefused):
        store.path(Blob(name, 1))


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def breaks() -> object:
        yield b"half of it"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        store.put(breaks())  # type: ignore[arg-type]
    assert not visible(store)
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("sent", [b"hell", b"hello!", b"jello", b""])
def test_other_bytes_than_expected_are_refused(tmp_path: Path, sent: bytes) -> None:
    store = Store(tmp_path)
    with pytest.raises(BlobRefused), store.receive(expected=blob_of(b"hello")) as sink:
        sink.write(sent)
    assert not visible(store)


def test_an_endless_stream_is_stopped_at_its_announced_size(tmp_path: Path) -> None:
    store, written = Store(tmp_path), []

    def drink() -> None:
        with store.receive(expected=blob_of(b"x" * 1000)) as sink:
            while True:
                sink.write(b"x" * 100)
                written.append(100)

    with pytest.raises(BlobRefused) as caught:
        drink()
    assert sum(written) == 1000
    assert caught.value.evidence["limit"] == 1000


def test_a_spoilt_disk_is_noticed_and_healed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    blob = store.put(b"precious")
    store.path(blob).write_bytes(b"prec1ous")
    assert store.get(blob, verify=False) == b"prec1ous"
    with pytest.raises(BlobRefused):
        store.get(blob)
    assert not store.has(blob)
    assert store.get(store.put(b"precious")) == b"precious"
    store.path(blob).write_bytes(b"prec1ous")
    assert not store.verify(blob)
    assert not store.has(blob)


def test_a_crash_never_shows_a_torn_file(tmp_path: Path) -> None:
    """A process is killed in the middle of a blob: only the scratch folder knows, and it is swept."""
    code = (
        "import sys; from pathlib import Path; from assay.store import Store\n"
        "def pieces():\n"
        "    while True:\n"
        "        yield b'x' * 100_000; print('.', flush=True)\n"
        "Store(Path(sys.argv[1])).put(pieces())"
    )
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        for _ in range(5):
            assert writer.stdout.readline() == b".\n"
        writer.send_signal(signal.SIGKILL)
    store = Store(tmp_path)
    assert not visible(store)
    (left,) = (tmp_path / "tmp").iterdir()
    assert left.stat().st_size > 0
    assert store.sweep() == 0  # it could still be someone's
    old = time.time() - 2 * 24 * 3600
    os.utime(left, (old, old))
    Store(tmp_path)
    assert not list((tmp_path / "tmp").iterdir())


def test_copying_out(tmp_path: Path) -> None:
    store = Store(tmp_path / "s")
    blob = store.put(b"model")
    copy_out(store, blob, tmp_path / "new" / "model.safetensors")
    copy_out(store, blob, tmp_path / "new" / "model.safetensors")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["model.safetensors"]
    assert (tmp_path / "new" / "model.safetensors").read_bytes() == b"model"
    with pytest.raises(BlobMissing):
        copy_out(store, blob_of(b"other"), tmp_path / "new" / "other")
    assert not (tmp_path / "new" / "other").exists()


def test_threads_that_put_the_same_blob(tmp_path: Path) -> None:
    store, data = Store(tmp_path), os.urandom(400_000)
    start, found, torn = threading.Barrier(4), [], []

    def put() -> None:
        start.wait()
        for _ in range(5):
            found.append(store.put(data[i : i + 1000] for i in range(0, len(data), 1000)))
            if store.get(blob_of(data)) != data:
                torn.append(True)

    threads = [threading.Thread(target=put) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [blob_of(data)] * 20
    assert not torn
    assert len(visible(store)) == 1
    assert not list((tmp_path / "tmp").iterdir())
