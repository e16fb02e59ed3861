"""What the contracts compute, written a second time from the specification alone, with nothing of assay in it."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from eth_abi.abi import encode
from eth_utils.crypto import keccak

ZERO = bytes(32)


def permute(x: int, n: int, key: bytes) -> int:
    """Feistel network with cycle walking over 0..n-1."""
    if n == 1:
        return 0
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    mask = 2**half - 1
    keys = [int.from_bytes(key[4 * r : 4 * r + 4], "big") for r in range(8)]
    while True:
        left, right = x >> half, x & mask
        for k in keys:
            t = (right + k) % 2**32
            t ^= t >> 16
            t = t * 0x85EBCA6B % 2**32
            t ^= t >> 13
            t = t * 0xC2B2AE35 % 2**32
            t ^= t >> 16
            left, right = right, left ^ (t & mask)
        x = (left << half) | right
        if x < n:
            return x


def drawn_intervals(position: int, audit: int, intervals: int, audit_seed: bytes) -> list[int]:
    """Intervals of the verifier at `position`."""
    return [permute((position * audit + t) % intervals, intervals, audit_seed) for t in range(audit)]


def walk(seats: int, seed: bytes) -> Iterator[int]:
    """Positions of the verifiers' list in the order in which a draw looks at them."""
    key = keccak(encode(["bytes32", "string"], [seed, "verifiers"]))
    return (permute(i, seats, key) for i in range(seats))


def seed_of(block_hash: bytes, task: bytes, root: bytes) -> bytes:
    """The randomness of a draw."""
    return keccak(encode(["bytes32", "bytes32", "bytes32"], [block_hash, task, root]))


def audit_seed_of(seed: bytes) -> bytes:
    """What intervals are drawn with."""
    return keccak(encode(["bytes32", "string"], [seed, "intervals"]))


def sha(*parts: bytes) -> bytes:
    """SHA-256 of the parts, one after the other."""
    return hashlib.sha256(b"".join(parts)).digest()


def tree(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """All levels of the padded Merkle tree, leaves first."""
    width = 1 << (len(leaves) - 1).bit_length()
    levels = [list(leaves) + [ZERO] * (width - len(leaves))]
    while len(levels[-1]) > 1:
        row = levels[-1]
        levels.append([sha(b"\x01", row[i], row[i + 1]) for i in range(0, len(row), 2)])
    return levels


def match(task: bytes, verifier: str, digests: Sequence[bytes]) -> bytes:
    """What a verifier attests that found these trace digests."""
    return keccak(encode(["bytes32", "address", "bytes32"], [task, verifier, keccak(b"".join(digests))]))


def finding(task: bytes, account: str, found: tuple[int, int, bytes]) -> bytes:
    """What somebody seals that found (kind, interval) to be wrong, hidden by a salt."""
    return keccak(encode(["bytes32", "address", "uint256", "uint256", "bytes32"], [task, account, *found]))


@dataclass
class Result:
    """A made-up trajectory: the contract sees only hashes, so random ones are as good as a training run's."""

    steps: int
    interval: int
    program_root: bytes
    digests: list[bytes]
    states: list[bytes]
    batches: list[bytes]

    @classmethod
    def random(cls, steps: int, interval: int, program_root: bytes, seed: int = 0) -> Result:
        """One checkpoint per interval, and one before the first."""
        draw = random.Random(seed)
        count = -(-steps // interval) + 1
        digests, states, batches = ([draw.randbytes(32) for _ in range(count)] for _ in range(3))
        digests[0] = batches[0] = ZERO
        return cls(steps, interval, program_root, digests, states, batches)

    @property
    def intervals(self) -> int:
        """Number of intervals."""
        return len(self.states) - 1

    def leaf(self, k: int) -> bytes:
        """Leaf of checkpoint k."""
        step = min(k * self.interval, self.steps)
        prev = self.states[k - 1] if k else ZERO
        trace = sha(b"\x05", self.digests[k]) if k else ZERO
        return sha(b"\x04", prev, self.states[k], step.to_bytes(8, "big"), self.batches[k], self.program_root, trace)

    @cached_property
    def levels(self) -> list[list[bytes]]:
        """The commitment's tree."""
        return tree([self.leaf(k) for k in range(self.intervals + 1)])

    @property
    def root(self) -> bytes:
        """The commitment."""
        return self.levels[-1][0]

    @property
    def final_root(self) -> bytes:
        """State root of the last checkpoint."""
        return self.states[-1]

    def digests_of(self, picks: Sequence[int]) -> list[bytes]:
        """Trace digests of these intervals."""
        return [self.digests[k + 1] for k in picks]

    def opening(self, picks: Sequence[int]) -> list[list[bytes]]:
        """The five lists of a reveal: digests, prev_roots, state_roots, batches, proofs."""
        levels = self.levels
        proofs = [levels[up][((k + 1) >> up) ^ 1] for k in picks for up in range(len(levels) - 1)]
        return [
            self.digests_of(picks),
            [self.states[k] for k in picks],
            [self.states[k + 1] for k in picks],
            [self.batches[k + 1] for k in picks],
            proofs,
        ]
