"""What every cheat by a solver has to end with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from aftermath import Aftermath, aftermath

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
        check_money(aftermath(tmp_path / "network"), solver, challenger, collateral)
        submitter = next(who for who in result["payments"] if who != challenger)
        assert result["payments"] == {submitter: result["escrow"] + share, challenger: share}
        return result

    return run


def check_money(found: Aftermath, solver: str, challenger: str, collateral: int) -> None:
    """The solver has lost its collateral: a quarter to the challenger, a quarter to the submitter, the rest is burned.

    Nobody else has lost anything but what another challenge, which this one has overtaken, still binds.
    """
    share = collateral // 4
    gained = found.gained
    solver_name, challenger_name = found.name(solver), found.name(challenger)
    assert found.conserved
    assert len(found.tasks) == 1
    assert (gained.pop(solver_name), gained.pop(challenger_name), gained.pop("submitter")) == (
        -collateral,
        share,
        share,
    )
    assert found.books.burned == collateral - 2 * share
    assert sum(gained.values()) == -(found.in_market + found.in_games - found.owed)
    assert {name for name, gain in gained.items() if gain} <= {"verifier-1", "verifier-2"}


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
