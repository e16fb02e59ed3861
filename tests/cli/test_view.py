"""What a hostile role says of itself must not break or fool the terminal of who watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO

import pytest
from rich.console import Console

from assay.cli.view import LiveView
from assay.observe import Progress
from assay.roles.submitter import Snapshot, read_progress
from assay.words import Audit, Task, TaskState

TASK = Task("ab" * 32, "0" * 64, TaskState.ASSIGNED, "0xA", "0xB", 5, 2, 10, Audit(2, 5), 1000)


def drawn(*lines: Progress) -> str:
    console = Console(file=StringIO(), force_terminal=True, width=120)
    view = LiveView(console=console)
    with view:
        view.show(Snapshot(TASK, lines, 900))
    return console.file.getvalue()


def test_state_who_acts_and_progress_are_shown():
    shown = drawn(Progress(TASK.id, "solver-1", "training", 120, 240, 0.25, 80.0, 1.0))
    for words in ("Assigned", "next: solver", "1 min 40 s", "solver-1", "120/240", "loss 0.25", "80 steps/s"):
        assert words in shown


def test_markup_and_control_codes_are_shown_as_text_or_not_at_all():
    shown = drawn(
        Progress(TASK.id, "[/bold]\x1b]0;owned\x07", "[red]\x1b[2J[/red] [/x]", 1, 2),
        Progress(TASK.id, "v" * 10_000, "r\nr", -5, 0),
    )
    assert "\x1b]0;" not in shown
    assert "\x1b[2J" not in shown
    assert "[/bold]" in shown
    assert len(shown) < 20_000


@contextmanager
def page(body: bytes, *, drip: float = 0.0) -> Iterator[str]:
    """A role's page that answers with `body`, byte by byte if it drips."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            try:
                if not drip:
                    self.wfile.write(body)
                while drip:
                    self.wfile.write(b" ")
                    self.wfile.flush()
                    time.sleep(drip)
            except OSError:
                pass

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_honest_page_is_read():
    line = b'[{"task": "t", "role": "solver-1", "phase": "training", "done": 3, "total": 9, "loss": 0.5}]'
    with page(line) as url:
        assert read_progress(url) == [Progress("t", "solver-1", "training", 3, 9, 0.5)]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"{}", b"[3]", b'[{"task": 3}]', b"\xff", b"[" * 50_000, b'["' + b"x" * 10_000_000 + b'"]'],
    ids=lambda body: f"{body[:12]!r} {len(body)}",
)
def test_nonsense_is_no_progress(body):
    with page(body) as url:
        assert read_progress(url) == []


def test_a_page_that_drips_does_not_hold_the_watcher_up():
    started = time.monotonic()
    with page(b"", drip=0.05) as url:
        assert read_progress(url) == []
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("url", ["", "nonsense", "http://127.0.0.1:1", "file:///etc/passwd", "http://[::1", "\0"])
def test_an_address_that_is_none_is_no_progress(url):
    assert read_progress(url) == []
