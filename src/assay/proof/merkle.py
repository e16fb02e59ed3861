"""Padded binary Merkle trees over SHA-256, domain-separated in the manner of RFC 6962.

    leaf = sha256(00 || chunk)            chunk: at most 1,024 bytes
    node = sha256(01 || left || right)

A list of leaf hashes is padded with 32 zero bytes to the next power of two, so the length of a proof follows from
the number of leaves alone. The root of one leaf is the leaf; the root of none is 32 zero bytes; empty bytes are one
leaf, sha256(00).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Protocol

from assay.errors import UsageError

__all__ = [
    "CHUNK",
    "ZERO",
    "Nodes",
    "Tree",
    "bytes_root",
    "chunk_leaves",
    "depth",
    "leaf",
    "node",
    "prove",
    "prove_many",
    "root",
    "siblings",
    "verify",
]

CHUNK = 1024
"""Bytes of data under one leaf."""

ZERO = bytes(32)
"""The padding leaf; also stands for "nothing" wherever a root is expected."""

Bytes = bytes | bytearray | memoryview


def leaf(chunk: Bytes) -> bytes:
    """The 32-byte hash of one leaf's data."""
    return sha256(b"".join((b"\x00", chunk))).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node from its children's hashes (32 bytes each)."""
    return sha256(b"\x01" + left + right).digest()


def depth(count: int) -> int:
    """Levels above the leaves of a tree of `count` leaves: the length of its proofs."""
    return max(0, count - 1).bit_length()


def chunk_leaves(data: Bytes) -> list[bytes]:
    """Leaf hashes of `data`, one per KiB; the last chunk may be shorter, and empty data has one leaf."""
    view = memoryview(data).cast("B") if len(data) else memoryview(b"")
    join = b"".join  # one joined buffer per leaf hashes faster than update() on a copied state: 525 against 500 MB/s
    hashes = [sha256(join((b"\x00", view[at : at + CHUNK]))).digest() for at in range(0, len(view), CHUNK)]
    return hashes or [leaf(b"")]


def bytes_root(data: Bytes) -> bytes:
    """Root of the tree over the KiB chunks of `data`."""
    return root(chunk_leaves(data))


def root(leaves: Sequence[bytes]) -> bytes:
    """Root over leaf hashes."""
    *_, (top, _) = _levels(leaves)
    return top[0]


def prove(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The siblings of leaf `index`, from the leaf up: `depth(len(leaves))` hashes. Raises UsageError beyond."""
    if not 0 <= index < len(leaves):
        raise UsageError("no such leaf", index=index, leaves=len(leaves))
    proof = []
    for level, pad in _levels(leaves):
        if len(level) > 1:
            sibling = index ^ 1
            proof.append(level[sibling] if sibling < len(level) else pad)
            index >>= 1
    return tuple(proof)


def prove_many(leaves: Sequence[bytes], indices: Sequence[int]) -> tuple[bytes, ...]:
    """One proof for several leaves: the siblings that do not follow from them, level by level, from left to right.

    Raises UsageError unless `indices` rise and exist. For one leaf it is `prove`.
    """
    if not indices or list(indices) != sorted(set(indices)) or not 0 <= indices[0] <= indices[-1] < len(leaves):
        raise UsageError("no such leaves", indices=list(indices[:16]), leaves=len(leaves))
    return siblings(Tree(leaves), indices)


class Nodes(Protocol):
    """A tree of which hashes can be asked for: height 0 are the leaves, the root is node 0 at height `depth`."""

    @property
    def depth(self) -> int: ...

    def node(self, height: int, index: int) -> bytes:
        """The hash of a node, padding included."""


def siblings(tree: Nodes, indices: Sequence[int]) -> tuple[bytes, ...]:
    """`prove_many` in a tree that is known in part: it is asked for nothing but the siblings."""
    known, proof = list(indices), list[bytes]()
    for height in range(tree.depth):
        proof += [tree.node(height, index) for index in sorted({index ^ 1 for index in known} - set(known))]
        known = sorted({index >> 1 for index in known})
    return tuple(proof)


def verify(root: bytes, leaf_hash: bytes, index: int, proof: Sequence[bytes]) -> bool:
    """Whether `leaf_hash` is leaf `index` of a tree with this `root` and 2**len(proof) padded leaves.

    Whoever knows the number of leaves must compare len(proof) with `depth`: the proof alone does not bind it.
    """
    if not 0 <= index < 1 << len(proof):
        return False
    for sibling in proof:
        if len(sibling) != 32:
            return False
        leaf_hash = node(sibling, leaf_hash) if index & 1 else node(leaf_hash, sibling)
        index >>= 1
    return leaf_hash == root


class Tree:
    """All hashes of a tree, for walking down it. Height 0 are the leaves; the root is node 0 at height `depth`."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._heights = list(_levels(leaves))
        self.depth = len(self._heights) - 1

    def node(self, height: int, index: int) -> bytes:
        """The hash of node `index` at `height`, padding included. Raises UsageError beyond the tree."""
        if not (0 <= height <= self.depth and 0 <= index < 1 << (self.depth - height)):
            raise UsageError("no such node", height=height, index=index, depth=self.depth)
        level, pad = self._heights[height]
        return level[index] if index < len(level) else pad

    @property
    def root(self) -> bytes:
        """The hash of the whole tree."""
        return self.node(self.depth, 0)

    def below(self, height: int, index: int, levels: int) -> tuple[bytes, ...]:
        """The 2**levels nodes that lie `levels` below node `index` at `height`, from left to right."""
        return tuple(self.node(height - levels, (index << levels) + i) for i in range(1 << levels))

    def prove(self, index: int) -> tuple[bytes, ...]:
        """The siblings of leaf `index`, from the leaf up; a padding leaf has some, too."""
        return tuple(self.node(height, (index >> height) ^ 1) for height in range(self.depth))


def _levels(leaves: Sequence[bytes]) -> Iterator[tuple[Sequence[bytes], bytes]]:
    """Each level without its padding, and the hash that pads it; whole subtrees of padding are hashed only once."""
    level, pad = leaves or [ZERO], ZERO
    yield level, pad
    while len(level) > 1:
        even = level if len(level) % 2 == 0 else [*level, pad]
        level = [node(left, right) for left, right in zip(even[::2], even[1::2], strict=True)]
        pad = node(pad, pad)
        yield level, pad
