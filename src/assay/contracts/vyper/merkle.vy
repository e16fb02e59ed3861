# pragma version 0.4.3
"""
@title Merkle
@license Apache-2.0
@author The assay contributors
@notice The trees of docs/proof.md: SHA-256 with one-byte tags, padded with zeros to a power of two.
"""


# @dev Most levels of a tree, and most children that are revealed at once.
MAX_DEPTH: constant(uint256) = 64
MAX_WAYS: constant(uint256) = 64


@internal
@pure
def depth(count: uint256) -> uint256:
    """
    @dev Levels above the leaves.
    @param count Number of leaves, under 2**64.
    @return uint256 The number of bits of count - 1; 0 for no leaf.
    """
    levels: uint256 = 0
    for _: uint256 in range(MAX_DEPTH):
        if count <= (1 << levels):
            break
        levels += 1
    return levels


@internal
@pure
def climb(leaf: bytes32, index: uint256, proof: DynArray[bytes32, MAX_DEPTH]) -> bytes32:
    """
    @dev The root over a leaf. Who knows the number of leaves has checked the length of the proof.
    @param leaf The leaf's hash.
    @param index Its place.
    @param proof Siblings from the leaf upwards.
    @return bytes32 The root.
    """
    node: bytes32 = leaf
    at: uint256 = index
    for sibling: bytes32 in proof:
        if at & 1 == 0:
            node = sha256(concat(b"\x01", node, sibling))
        else:
            node = sha256(concat(b"\x01", sibling, node))
        at >>= 1
    assert at == 0, "merkle: index"
    return node


@internal
@pure
def join(children: DynArray[bytes32, MAX_WAYS]) -> bytes32:
    """
    @dev The node over a power of two of nodes.
    @param children Hashes of one height, from left to right.
    @return bytes32 The hash of their common ancestor.
    """
    level: DynArray[bytes32, MAX_WAYS] = children
    n: uint256 = len(children)
    for _: uint256 in range(6):
        if n <= 1:
            break
        n //= 2
        for i: uint256 in range(n, bound=32):
            level[i] = sha256(concat(b"\x01", level[2 * i], level[2 * i + 1]))
    return level[0]


@internal
@pure
def padding(height: uint256) -> bytes32:
    """
    @dev The node over nothing but padding.
    @param height Levels under it.
    @return bytes32 Its hash; 32 zero bytes at height 0.
    """
    node: bytes32 = empty(bytes32)
    for _: uint256 in range(height, bound=MAX_DEPTH):
        node = sha256(concat(b"\x01", node, node))
    return node
