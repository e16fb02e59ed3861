"""How many whistleblowers a market feeds, from what was seen of it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.economics import LOCAL, MILLION, PRIOR_TASKS, Seen, derive, room, share_of, suspicion

COLLATERAL = derive(LOCAL).collateral
DEMO = Seen(
    committed=0,
    wrong=0,
    price=LOCAL.price,
    steps=LOCAL.steps,
    intervals=LOCAL.intervals,
    verifiers=LOCAL.verifiers,
    audit_intervals=LOCAL.audit_intervals,
    reward=COLLATERAL // 4,
)


def but(**changes: int) -> Seen:
    return msgspec.structs.replace(DEMO, **changes)


def test_a_new_network_feeds_some_and_an_honest_one_none():
    assert room(DEMO, 250_000) == 2
    assert room(but(committed=50), 250_000) == 0
    assert room(but(committed=50, wrong=25), 250_000) >= 3


def test_no_reward_feeds_nobody():
    assert room(but(reward=0), 250_000, doubt=MILLION) == 0
    assert room(but(reward=1), 250_000, doubt=MILLION) == 0, "a dispute costs more"


def test_what_was_seen_outweighs_the_guess():
    assert suspicion(DEMO, 200_000) == 200_000
    assert suspicion(but(committed=PRIOR_TASKS), 200_000) == 100_000
    assert suspicion(but(committed=PRIOR_TASKS, wrong=PRIOR_TASKS), 0) == MILLION // 2
    assert suspicion(but(committed=10**6, wrong=10**6), 0) == pytest.approx(MILLION, rel=1e-4)


@given(
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(1, 10**9),
    st.integers(0, 10**9),
    st.integers(1, 100) | st.none(),
)
def test_more_to_find_never_feeds_fewer(committed, wrong, price, reward, patrol):
    wrong, share = min(committed, wrong), (patrol or 25) * 10_000
    seen = but(committed=committed, wrong=wrong, price=price, reward=reward)
    places = room(seen, share, most=40)
    assert places <= room(msgspec.structs.replace(seen, reward=reward * 2), share, most=40)
    if wrong < committed:
        assert places <= room(msgspec.structs.replace(seen, wrong=wrong + 1), share, most=40)


@given(st.integers(0, 10**12), st.integers(1, 40))
def test_the_pot_promises_no_more_than_a_race_for_the_reward_gives(reward, finders):
    """What stands in the docstring of `room`: (2 · reward) >> k is at most reward / k."""
    assert share_of(2 * reward, finders) * finders <= reward
