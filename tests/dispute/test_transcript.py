from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.dispute.transcript import Transcript
from assay.errors import UsageError
from assay.proof import merkle


def leaves(count: int, salt: str) -> list[bytes]:
    return [sha256(f"{salt}{n}".encode()).digest() for n in range(count)]


@given(st.integers(1, 200), st.data())
def test_all_leaves_before_the_first_lie_are_proven_under_the_liars_root(count: int, data: st.DataObject) -> None:
    own = leaves(count, "true")
    lie = data.draw(st.integers(0, count - 1))
    also = data.draw(st.sets(st.integers(lie, count - 1))) | {lie}
    theirs = merkle.Tree([leaves(count, "lie")[n] if n in also else word for n, word in enumerate(own)])
    known = Transcript(merkle.Tree(own))
    height, index = theirs.depth, 0
    while height:  # the walk of a dispute: into the first child that differs
        levels = min(data.draw(st.integers(1, 6)), height)
        children = theirs.below(height, index, levels)
        known.reveal(height, index, children)
        mine = merkle.Tree(own).below(height, index, levels)
        part = next(n for n, (a, b) in enumerate(zip(mine, children, strict=True)) if a != b)
        height, index = height - levels, (index << levels) + part
    assert index == lie
    if theirs.depth:
        assert known.root == theirs.root
        for n in range(lie):
            assert merkle.verify(theirs.root, own[n], n, known.prove(n))
        assert known.prove(lie) == theirs.prove(lie)


def test_what_was_not_revealed_is_not_made_up() -> None:
    known = Transcript(merkle.Tree(leaves(16, "true")))
    with pytest.raises(UsageError):
        known.prove(0)
    theirs = merkle.Tree([*leaves(8, "true"), *leaves(8, "lie")])
    known.reveal(4, 0, theirs.below(4, 0, 1))
    assert known.prove(3) == theirs.prove(3)
    with pytest.raises(UsageError):
        known.prove(12)
