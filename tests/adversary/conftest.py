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
        assert (result["outcome"], result["reason"]) == ("refunded", "ruled wrong")
        assert result["refunded"] == result["escrow"] > 0
        assert result["paid"] == 0
        assert (caught["role"], caught["who"] in result["payments"]) == ("solver", False)
        assert result["ruling"].startswith("proven to the contract: ")
        # It loses all that it had put up for this task, which is more than there was to gain.
        lost = result["slashed"][caught["who"]]
        assert result["slashed"] == {caught["who"]: result["quote"]["collateral"]}
        assert lost > result["escrow"]
        # The challenger has its reward, the submitter its compensation, and half is burned: nobody gains by a deal.
        share, others = lost // 4, dict(result["payments"])
        assert others.pop(caught["by"]) == share
        assert list(others.values()) == [result["escrow"] + share], "the submitter's"
        # The first differing checkpoint that the challenger drew; there are ten, evenly spaced.
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
