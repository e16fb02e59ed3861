"""What every cheat by a solver has to end with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from assay.attack import ATTACKS, Arena, Outcome


@pytest.fixture
def refunded(demo: Callable[..., dict[str, Any]]) -> Callable[[str], dict[str, Any]]:
    """Run the demo with a cheating solver; returns its result after checking that the money is where it belongs."""

    def run(cheat: str) -> dict[str, Any]:
        result = demo("--cheat", cheat)
        caught = result["caught"]
        assert result["outcome"] == "refunded"
        assert result["refunded"] == result["escrow"] > 0
        assert result["paid"] == 0
        assert list(result["payments"].values()) == [result["escrow"]], "nobody but the submitter got anything"
        assert caught["role"] == "solver"
        assert caught["who"] not in result["payments"]
        # The first differing checkpoint that the claiming verifier drew; there are ten, evenly spaced.
        assert caught["step"] in range(24, result["steps"] + 1, 24)
        return result

    return run


@pytest.fixture(scope="session")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    """One local network of real processes for all attacks of this run."""
    with Arena(tmp_path_factory.mktemp("arena")) as found:
        yield found


@pytest.fixture
def repelled(arena: Arena) -> Callable[[str], Outcome]:
    """Carry out the attack of a name; returns what came of it after checking that it ended as every attack has to."""

    def run(name: str) -> Outcome:
        outcome = ATTACKS[name].run(arena)
        assert outcome.repelled, outcome
        return outcome

    return run
