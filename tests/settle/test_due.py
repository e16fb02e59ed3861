"""Which push a task is due: the whole table, and what holds for every task."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.settle import Push, due
from assay.words import Audit, Task, TaskState

DEADLINE = 1000
SOME = ("0xV",)


def task(state: TaskState, verifiers: tuple[str, ...] = (), deadline: int = DEADLINE) -> Task:
    return Task("t", "0" * 64, state, "0xA", "0xB", 5, 2, 10, Audit(2, 5), deadline, verifiers)


@pytest.mark.parametrize(
    ("state", "verifiers", "in_time", "in_time_revealed", "late"),
    [
        (TaskState.NONE, (), None, None, None),
        (TaskState.OPEN, (), None, None, Push.EXPIRE),
        (TaskState.ASSIGNED, (), None, None, Push.EXPIRE),
        (TaskState.COMMITTED, (), Push.DRAW, Push.DRAW, Push.EXPIRE),
        (TaskState.COMMITTED, SOME, None, None, Push.EXPIRE),
        (TaskState.AUDITED, SOME, None, Push.SETTLE, Push.SETTLE),
        (TaskState.DISPUTED, SOME, None, None, None),
        (TaskState.SETTLED, SOME, None, None, None),
        (TaskState.REFUNDED, (), None, None, None),
        (TaskState.REFUNDED, SOME, None, None, None),
    ],
)
def test_the_table(state, verifiers, in_time, in_time_revealed, late):
    found = task(state, verifiers)
    assert due(found, DEADLINE) == in_time, "the last second still counts"
    assert due(found, DEADLINE, revealed=True) == in_time_revealed
    assert due(found, DEADLINE + 1) == due(found, DEADLINE + 1, revealed=True) == late


verifier_lists = st.lists(st.sampled_from(["0xU", "0xV", "0xW"]), unique=True).map(tuple)
states = st.sampled_from(TaskState)


@given(states, verifier_lists, st.integers(0, 2**40), st.integers(1, 2**40), st.booleans())
def test_no_state_lasts_for_ever(state, verifiers, deadline, over, revealed):
    push = due(task(state, verifiers, deadline), deadline + over, revealed=revealed)
    # A dispute ends by the clocks of its own: tests/dispute
    assert (push is None) == (state.final or state in (TaskState.NONE, TaskState.DISPUTED))


@given(states, verifier_lists, st.integers(0, 2**40), st.integers(0, 2**41), st.booleans())
def test_nothing_is_expired_before_its_deadline(state, verifiers, deadline, now, revealed):
    push = due(task(state, verifiers, deadline), now, revealed=revealed)
    if now <= deadline:
        assert push is not Push.EXPIRE
    if state.final:
        assert push is None


def test_every_push_is_a_call_of_the_market():
    from assay.chain import Market

    assert all(callable(getattr(Market, push.value)) for push in Push)
