"""Fixtures for whole stories: the real command in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

DEMO_SECONDS = 300
"""A bound on a hanging demo, not a mark: on a quiet machine it takes less than a tenth of this."""


def pytest_configure(config: pytest.Config) -> None:
    """Compiled programs are kept for this run only: not in the user's cache, but shared by all its processes.

    A shell that starts this run in its background has SIGINT ignored, by all its children too; some tests send it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "ASSAY_CACHE" not in os.environ:  # the workers of a parallel run inherit the first one's
        os.environ["ASSAY_CACHE"] = folder = tempfile.mkdtemp(prefix="assay-tests-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.fixture
def demo(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Run `assay demo --json` with more arguments; returns the JSON object of its last line."""

    def run(*arguments: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "assay", "demo", "--json", "--dir", str(tmp_path / "network"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEMO_SECONDS, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Path]:
    """A local network in `<tmp>/network`; ended after the test."""
    from assay.roles.devnet import Devnet, members

    devnet = Devnet(tmp_path / "network", attached=True)
    devnet.plan(members())
    devnet.up()
    devnet.settle_in()
    yield devnet.folder
    devnet.down()
