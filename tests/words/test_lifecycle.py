"""The states are the market contract's, and each can be explained."""

from __future__ import annotations

import re
from importlib.resources import files

from assay.words import TaskState

ROLES = {"solver", "verifier", "nobody"}


def contract_states() -> dict[str, int]:
    """The state constants of market.vy: the block of constants under the comment that names this module."""
    source = (files("assay.contracts") / "vyper" / "market.vy").read_text()
    block = source.split("# @dev The states, as in assay.words.lifecycle")[1].split("\n\n")[0]
    return {name: int(value) for name, value in re.findall(r"^(\w+): constant\(uint256\) = (\d+)$", block, re.M)}


def test_states_are_numbered_as_in_the_contract():
    found = contract_states()
    assert found.pop("NO_TASK") == TaskState.NONE
    assert found == {state.name: int(state) for state in TaskState if state is not TaskState.NONE}


def test_every_state_says_what_it_means_and_who_must_act():
    sentences = [state.sentence for state in TaskState]
    assert len(set(sentences)) == len(TaskState)
    assert all(re.fullmatch(r"[A-Z].+[a-z]\.", sentence) for sentence in sentences)
    assert {state.waits_for for state in TaskState} == ROLES


def test_exactly_the_final_states_and_no_task_wait_for_nobody():
    assert {state for state in TaskState if state.final} == {TaskState.SETTLED, TaskState.REFUNDED}
    waiting = {state for state in TaskState if state.waits_for != "nobody"}
    assert waiting == {state for state in TaskState if not state.final} - {TaskState.NONE}
