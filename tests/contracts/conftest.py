"""One world per test session, rolled back after each test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import boa
import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))

from contract_world import World


@pytest.fixture(scope="session")
def _shared_world() -> World:
    return World()


@pytest.fixture
def world(_shared_world: World) -> Iterator[World]:
    """The contracts, a submitter, a solver, four verifiers and a stranger."""
    with boa.env.anchor():
        yield _shared_world
