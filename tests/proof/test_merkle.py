from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import UsageError
from assay.proof import merkle


def reference_root(leaves: list[bytes]) -> bytes:
    """The definition, word for word: pad to a power of two, then hash pairs."""
    width = 1
    while width < len(leaves):
        width *= 2
    level = leaves + [bytes(32)] * (width - len(leaves))
    while len(level) > 1:
        level = [sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level), 2)]
    return level[0]


leaf_lists = st.lists(st.binary(min_size=32, max_size=32), min_size=0, max_size=70)


@given(leaf_lists)
def test_root_is_the_definition(leaves: list[bytes]) -> None:
    assert merkle.root(leaves) == reference_root(leaves)


@given(leaf_lists.filter(bool), st.data())
def test_every_leaf_is_proven_and_nothing_else(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof, root = merkle.prove(leaves, index), merkle.root(leaves)
    assert len(proof) == merkle.depth(len(leaves))
    assert merkle.verify(root, leaves[index], index, proof)
    other = sha256(leaves[index]).digest()
    assert not merkle.verify(root, other, index, proof)
    assert not merkle.verify(other, leaves[index], index, proof)
    wrong = data.draw(st.integers(-1, 1 << len(proof)).filter(lambda i: i != index))
    leaf_there = leaves[wrong] if 0 <= wrong < len(leaves) else bytes(32)
    if leaf_there != leaves[index]:
        assert not merkle.verify(root, leaves[index], wrong, proof)
    if proof:
        level = data.draw(st.integers(0, len(proof) - 1))
        bent = list(proof)
        bent[level] = bytes([bent[level][0] ^ 1]) + bent[level][1:]
        assert not merkle.verify(root, leaves[index], index, bent)
        bent[level] = proof[level] + b"\x00"
        assert not merkle.verify(root, leaves[index], index, bent)
        assert not merkle.verify(root, leaves[index], index, proof[:-1])


@given(st.binary(max_size=5000))
def test_chunk_leaves_are_the_definition(data: bytes) -> None:
    chunks = [data[i : i + 1024] for i in range(0, len(data), 1024)] or [b""]
    assert merkle.chunk_leaves(data) == [sha256(b"\x00" + c).digest() for c in chunks]
    assert merkle.bytes_root(memoryview(data)) == reference_root(merkle.chunk_leaves(bytearray(data)))


def test_golden_roots() -> None:
    assert merkle.bytes_root(b"").hex() == sha256(b"\0").hexdigest()
    assert merkle.bytes_root(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle.root([]) == bytes(32)
    data = bytes(i % 251 for i in range(2500))
    assert merkle.bytes_root(data).hex() == "36f5963d151cdafa6e996c93f3112bd4012dc020307ef13f46807a0a94af6a1e"


def test_no_proof_for_a_leaf_that_does_not_exist() -> None:
    with pytest.raises(UsageError):
        merkle.prove([bytes(32)] * 3, 3)


@given(leaf_lists.filter(bool), st.data())
def test_a_tree_is_walked_from_its_root_to_every_leaf(leaves: list[bytes], data: st.DataObject) -> None:
    tree, index = merkle.Tree(leaves), data.draw(st.integers(0, len(leaves) - 1))
    assert (tree.root, tree.depth) == (merkle.root(leaves), merkle.depth(len(leaves)))
    assert tree.prove(index) == merkle.prove(leaves, index)
    height, position = tree.depth, 0
    while height:
        levels = data.draw(st.integers(1, height))
        below = tree.below(height, position, levels)
        assert reference_root(list(below)) == tree.node(height, position)
        height -= levels
        position = (position << levels) + (index >> height & ((1 << levels) - 1))
        assert tree.node(height, position) == below[index >> height & ((1 << levels) - 1)]
    assert (position, tree.node(0, position)) == (index, leaves[index])


def test_a_tree_has_padding_and_nothing_beyond() -> None:
    tree = merkle.Tree([b"\x07" * 32] * 5)
    assert tree.node(0, 5) == tree.node(0, 7) == merkle.ZERO
    for height, index in ((0, 8), (3, 1), (4, 0), (0, -1)):
        with pytest.raises(UsageError):
            tree.node(height, index)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 13])
def test_a_proof_of_many_leaves_folds_up_to_the_root(count):
    """Whoever knows the number of leaves needs only the siblings that do not follow from the leaves themselves."""
    leaves = [merkle.leaf(bytes([n])) for n in range(count)]
    for chosen in range(1, 1 << count, 1 if count < 8 else 37):
        indices = [n for n in range(count) if chosen >> n & 1]
        proof, nodes = list(merkle.prove_many(leaves, indices)), {n: leaves[n] for n in indices}
        for _ in range(merkle.depth(count)):
            for n in sorted(nodes):
                if n ^ 1 not in nodes:
                    nodes[n ^ 1] = proof.pop(0)
            nodes = {n >> 1: merkle.node(nodes[n], nodes[n ^ 1]) for n in nodes if not n & 1}
        assert nodes == {0: merkle.root(leaves)}
        assert proof == []


def test_a_proof_of_one_leaf_is_the_usual_one():
    leaves = [merkle.leaf(bytes([n])) for n in range(11)]
    assert all(merkle.prove_many(leaves, [n]) == merkle.prove(leaves, n) for n in range(11))


@pytest.mark.parametrize("indices", [[], [3, 2], [2, 2], [11], [-1, 2]])
def test_a_proof_of_many_leaves_wants_them_in_order(indices):
    with pytest.raises(UsageError):
        merkle.prove_many([merkle.leaf(bytes([n])) for n in range(11)], indices)
