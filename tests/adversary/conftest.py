"""What every cheat by a solver has to end with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from aftermath import aftermath

from assay.attack import ATTACKS, Arena, Outcome


@pytest.fixture
def refunded(demo: Callable[..., dict[str, Any]], tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """Run the demo with a cheating solver; returns its result after checking that the money is where it belongs."""

    def run(cheat: str) -> dict[str, Any]:
        result = demo("--cheat", cheat)
        caught, collateral = result["caught"], result["quote"]["collateral"]
        solver, challenger = caught["who"], caught["by"]
        assert result["outcome"] == "refunded"
        assert result["refunded"] == result["escrow"] > 0
        assert caught["role"] == "solver"
        assert caught["paid"] == result["paid"] == 0
        # The end of an interval that the challenger had drawn; there are ten, evenly spaced.
        assert caught["step"] in range(24, result["steps"] + 1, 24)
        assert f"proven to the contract: {caught['reason']}" in result["ruling"]
        assert result["slashed"] == {solver: collateral}
        share = collateral // 4
        aftermath(tmp_path / "network").check_slash(solver, challenger, collateral)
        submitter = next(who for who in result["payments"] if who != challenger)
        assert result["payments"] == {submitter: result["escrow"] + share, challenger: share}
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
