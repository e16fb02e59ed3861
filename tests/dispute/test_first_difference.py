from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.dispute import first_difference
from assay.dispute.first_difference import RULES, Span, cuts, narrow, prefix_roots, start
from assay.errors import UsageError
from assay.proof.merkle import node

alphabet = st.sampled_from([sha256(bytes([i])).digest() for i in range(3)])
lists = st.lists(alphabet, max_size=80)


def plainly(a: list[bytes], b: list[bytes]) -> int | None:
    for i, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return i
    return None if len(a) == len(b) else min(len(a), len(b))


@given(lists, lists, st.integers(2, 40))
def test_it_is_the_first_difference(a: list[bytes], b: list[bytes], ways: int) -> None:
    assert first_difference(a, b, ways) == plainly(a, b)


@given(lists.filter(bool), st.data(), st.integers(2, 40))
def test_one_changed_item_is_found(a: list[bytes], data: st.DataObject, ways: int) -> None:
    at = data.draw(st.integers(0, len(a) - 1))
    assert first_difference(a, [*a[:at], bytes(32), *a[at + 1 :]], ways) == at
    assert first_difference(a, list(a), ways) is None


@given(st.integers(1, 10**6), st.integers(2, 64), st.data())
def test_the_rules_hold_whatever_is_shown(length: int, ways: int, data: st.DataObject) -> None:
    """Both parties make their roots up: the game still ends within its bound, at one disputed item."""
    span = start(length, b"a" * 32, b"b" * 32)
    assert span is not None
    rounds = 0
    while not span.settled:
        at = cuts(span, ways)
        assert 1 <= len(at) <= ways - 1
        assert span.low < at[0]
        assert at[-1] < span.high
        shown = st.lists(st.sampled_from([b"x" * 32, b"y" * 32]), min_size=len(at), max_size=len(at))
        after = narrow(span, at, data.draw(shown), data.draw(shown))
        for rule in RULES:
            assert rule(span, after), rule.__name__
        span, rounds = after, rounds + 1
    bound, width = 0, length
    while width > 1:
        width, bound = -(-width // ways), bound + 1
    assert rounds <= bound


def test_the_last_item_is_bound_to_the_roots_shown() -> None:
    a = [sha256(bytes([i])).digest() for i in range(100)]
    b = [*a[:37], *a[38:], a[37]]
    ours, theirs = prefix_roots(a), prefix_roots(b)
    span = start(100, ours[-1], theirs[-1])
    assert isinstance(span, Span)
    while not span.settled:
        at = cuts(span, 8)
        span = narrow(span, at, [ours[n] for n in at], [theirs[n] for n in at])
    assert span.low == 37
    assert node(span.agreed, a[37]) == span.ours
    assert node(span.agreed, b[37]) == span.theirs


def test_a_round_needs_two_parts() -> None:
    with pytest.raises(UsageError):
        cuts(Span(0, 4, bytes(32), b"a", b"b"), 1)
