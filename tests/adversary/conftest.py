"""What every cheat by a solver has to end with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


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
