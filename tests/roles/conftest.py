"""One embedded chain with the contracts, for tests that need no roles."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from assay.chain import Client, Deployment, Key, deploy
from assay.chain.node import Node
from assay.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[tuple[str, Deployment]]:
    """The URL of a fresh chain, and its contracts."""
    with Node(tmp_path / "chain.sqlite") as url, Client(url, Key(secrets.token_bytes(32))) as founder:
        yield url, deploy(founder)
