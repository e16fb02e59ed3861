"""A running local network that a module's tests share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from town import Town

from assay.roles.devnet import Devnet, members


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    home = tmp_path_factory.mktemp("home")
    devnet = Devnet(home / "devnet", attached=True)
    devnet.plan(members(solvers=1))
    devnet.up()
    devnet.settle_in()
    yield Town(home)
    devnet.down()


@pytest.fixture
def alone(tmp_path: Path) -> Town:
    """A home without a network."""
    return Town(tmp_path)
