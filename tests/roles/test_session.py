"""What a session does when the others are away for a moment."""

from __future__ import annotations

import socket
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from roles_in_process import a_quarter

from assay.errors import BlobMissing
from assay.store import Fetcher, Server, Store
from assay.words import Blob


def test_it_waits_for_a_depot_that_is_being_restarted_but_not_for_one_that_says_no(tmp_path: Path):
    depot = Store(tmp_path / "stock")
    blob = depot.put(b"what the depot has" * 100)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    with a_quarter(tmp_path) as quarter:
        session = quarter.submitter.session
        session.fetcher.close()
        session.fetcher = Fetcher(session.store, [f"http://127.0.0.1:{port}"])
        with pytest.raises(BlobMissing):
            session.fetcher.fetch(blob)  # nobody is there
        stop = threading.Event()

        def late() -> None:
            time.sleep(1.5)
            with Server(depot, port=port):
                stop.wait(60)

        thread = threading.Thread(target=late)
        thread.start()
        try:
            assert session.wait_for(blob).read_bytes() == depot.get(blob)
            started = time.monotonic()
            with pytest.raises(BlobMissing):
                session.wait_for(Blob("ab" * 32, 5))
            assert time.monotonic() - started < 20, "it has answered, and is not asked again"
        finally:
            stop.set()
            thread.join()
